"""Closed tables from a name to `module:attribute`, loaded on use.

A new encoder, codec, candidate generator or reader is one file and one line in its table.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from lfm2_colbert.errors import MissingExtraError, UnknownNameError


def lookup(table: Mapping[str, str], name: str, kind: str, *, extra: str = "") -> Any:
    """Load the attribute that `table` names.

    Args:
        table: name → ``"module:attribute"``.
        name: the name asked for.
        kind: what the table holds, for messages ("codec").
        extra: the extra that brings the libraries of these modules, if any is needed.

    Raises:
        UnknownNameError: the table has no such name.
        MissingExtraError: a third-party library is not installed.
    """
    if name not in table:
        raise UnknownNameError.of(kind, name, table)
    module, _, attribute = table[name].partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] == module.partition(".")[0]:
            raise  # our own module is missing: a defect, not a missing extra
        raise missing_extra(f"{kind} '{name}'", error.name or "", extra) from error


def missing_extra(what: str, library: str, extra: str) -> MissingExtraError:
    """Say which library is missing and which extra brings it."""
    way_out = f"pip install 'lfm2-colbert[{extra}]'" if extra else f"pip install {library}"
    return MissingExtraError(f"{what} needs the library '{library}', which is not installed", help=way_out)


def attributes_on_use(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Make a package's ``__getattr__`` that imports each public name from its home when it is first asked for."""

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(homes[name]), name)

    return load
