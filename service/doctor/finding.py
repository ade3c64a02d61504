"""What a check finds, and what it is told."""

from dataclasses import dataclass
from enum import StrEnum

from service.settings import Settings


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but less well than it could."""
    ERROR = "error"
    """Something will not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: its name.
        state: how bad it is.
        code: what programs compare; ``ok`` where nothing is wrong.
        message: a sentence.
        help: one way out; "" where none is needed.
    """

    check: str
    state: State
    code: str
    message: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What checks are told: the settings of the command, and the encoder to try."""

    settings: Settings
    model: str


def fine(check: str, message: str) -> Finding:
    """Say that nothing is wrong."""
    return Finding(check, State.OK, "ok", message)


def warning(check: str, code: str, message: str, help: str) -> Finding:
    """Say what could be better."""
    return Finding(check, State.WARNING, code, message, help)


def error(check: str, code: str, message: str, help: str) -> Finding:
    """Say what will not work."""
    return Finding(check, State.ERROR, code, message, help)
