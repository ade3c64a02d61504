"""Where in its file a passage stands, in as few words as people need."""

from collections.abc import Callable, Mapping
from typing import Any

SEPARATOR = " › "
ENGLISH = {"page": "p.", "slide": "slide", "line": "line"}


def in_english(kind: str, number: int) -> str:
    """Name a page, a slide or a line."""
    return f"{ENGLISH[kind]} {number}"


def place_shown(anchor: Mapping[str, Any], words: Callable[[str, int], str] = in_english) -> str:
    """Write an anchor (`index.types.Anchor.place`) for people; empty where there is none.

    Args:
        anchor: of a hit.
        words: names a ``page``, a ``slide`` or a ``line`` by its number.

    Example:
        >>> place_shown({"page": 12, "box": [72, 500, 300, 520], "heading": ["Leave", "First year"]})
        'p. 12 › First year'
        >>> place_shown({"cell": "Q1!A5:D9", "heading": ["Q1"]})
        'Q1!A5:D9'
    """
    numbered = [words(kind, anchor[kind]) for kind in ("page", "slide") if kind in anchor]
    if "cell" in anchor:
        return str(anchor["cell"])
    if heading := anchor.get("heading"):
        return SEPARATOR.join([*numbered, heading[-1]])
    if not numbered and anchor.get("line", 1) > 1:  # the first line is where everybody begins
        numbered = [words("line", anchor["line"])]
    return SEPARATOR.join([*numbered, *([anchor["part"]] if "part" in anchor else [])])
