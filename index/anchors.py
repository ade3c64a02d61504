"""Where a passage stands in the file it was read from, by the anchors of the stretches that it covers."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from index.types import Anchor


def _is_number_from_1(value: object) -> bool:
    return type(value) is int and 1 <= value < 2**31


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_box(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 4 and all(map(_is_finite, value))


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_path(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(_is_text, value))


KINDS: Mapping[str, Callable[[object], bool]] = {
    "page": _is_number_from_1,
    "box": _is_box,
    "heading": _is_path,
    "slide": _is_number_from_1,
    "cell": _is_text,
    "line": _is_number_from_1,
    "part": _is_text,
}
"""What a place may say, and whether a value says it; a box is on a page."""


def is_place(value: object) -> bool:
    """Whether a value is a place (`Anchor.place`): whoever shows one need not ask again."""
    if not isinstance(value, Mapping) or ("box" in value and "page" not in value):
        return False
    return all(kind in KINDS and KINDS[kind](each) for kind, each in value.items())


def place_within(anchors: Sequence[Anchor], start: int, end: int, text: str) -> dict[str, Any]:
    """Give the place of the stretch ``start:end`` of a document's text, by all of the document's anchors."""
    before = [anchor.start for anchor in anchors if anchor.start <= start]
    covered = [anchor for anchor in anchors if (before[-1] if before else 0) <= anchor.start < end]
    return place_of(covered, text.count("\n", covered[0].start, max(covered[0].start, start)) if covered else 0)


def place_of(anchors: Sequence[Anchor], line_breaks: int = 0) -> dict[str, Any]:
    """Give the place where a passage begins: its page with a box around its part there, its heading, its cells.

    Args:
        anchors: of the stretches that the passage covers, in order.
        line_breaks: between the first anchor's start and the passage's; 0 where the passage begins first.

    Example:
        >>> title, words = {"page": 2, "box": [72, 500, 300, 520]}, {"page": 2, "box": [72, 480, 320, 490]}
        >>> place_of([Anchor(0, title), Anchor(9, words)])
        {'page': 2, 'box': [72, 480, 320, 520]}
    """
    if not anchors:
        return {}
    place = dict(anchors[0].place)
    if "line" in place:
        place["line"] += line_breaks
    if "box" in place:
        place["box"] = _around([each.place["box"] for each in anchors if _is_on(each.place, place["page"])])
    if "cell" in place:
        place["cell"] = _through(place["cell"], [each.place.get("cell", "") for each in anchors])
    return place


def _is_on(place: Mapping[str, Any], page: int) -> bool:
    return place.get("page") == page and "box" in place


def _around(boxes: Sequence[Sequence[float]]) -> list[float]:
    left, bottom, right, top = zip(*boxes, strict=True)
    return [min(left), min(bottom), max(right), max(top)]


def _through(first: str, cells: Sequence[str]) -> str:
    """Give the range from the first cells to the last on the same sheet."""
    sheet = first.rpartition("!")[0]
    last = [each for each in cells if each.rpartition("!")[0] == sheet][-1]
    begin, end = first.rpartition("!")[2].partition(":")[0], last.rpartition(":")[2].rpartition("!")[2]
    return f"{sheet}!{begin}:{end}" if begin != end else f"{sheet}!{begin}"
