"""A way of trying to break something, so many times: whole for published figures, a little of it with every change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a programme did: runs, what was wrong, and figures of its own."""

    runs: int
    violations: list[str]
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Programme:
    """One way of trying to break something.

    Attributes:
        sentence: what is done, so many times.
        function: does it so many times.
        size: of the whole run.
        brief_size: of the run that belongs to every change.
    """

    sentence: str
    function: Callable[[int], Outcome]
    size: int
    brief_size: int

    def run(self, size: int) -> Outcome:
        """Run so much of it."""
        return self.function(size)

    def brief(self) -> Outcome:
        """Run a little of it."""
        return self.function(self.brief_size)
