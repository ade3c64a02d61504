"""Where in its file a passage stands, in as few words as people need."""

from collections.abc import Callable, Mapping
from typing import Any

import regex

ENGLISH = {"page": "p.", "slide": "slide", "line": "line"}
HEADING_CLUSTERS = 60
"""What is shown of a heading."""


def in_english(kind: str, number: int) -> str:
    """Name a page, a slide or a line."""
    return f"{ENGLISH[kind]} {number}"


def place_shown(anchor: Mapping[str, Any], words: Callable[[str, int], str] = in_english) -> str:
    """Write an anchor (`index.types.Anchor.place`) for people; empty where there is nothing to say.

    Args:
        anchor: of a hit.
        words: names a ``page``, a ``slide`` or a ``line`` by its number.

    Example:
        >>> place_shown({"page": 12, "box": [72, 500, 300, 520], "heading": ["Leave", "First year"]})
        'p. 12 › First year'
        >>> place_shown({"cell": "Q1!A5:D9", "heading": ["Q1"]}), place_shown({"line": 30, "heading": ["年休"]})
        ('Q1!A5:D9', '› 年休')
    """
    if "cell" in anchor:
        return str(anchor["cell"])
    shown = [words(kind, anchor[kind]) for kind in ("page", "slide") if kind in anchor]
    if heading := anchor.get("heading"):
        shown.append(f"› {_shortened(heading[-1])}")
    elif not shown and anchor.get("line", 1) > 1:  # the first line is where everybody begins
        shown.append(words("line", anchor["line"]))
    elif "part" in anchor:
        shown.append(f"› {anchor['part']}")
    return " ".join(shown)


def _shortened(heading: str) -> str:
    clusters = regex.findall(r"\X", heading)
    return "".join(clusters[:HEADING_CLUSTERS]) + "…" if len(clusters) > HEADING_CLUSTERS else heading
