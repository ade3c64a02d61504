"""The curve of a run as a picture: a panel for each loss and for nDCG@10, over the tokens that were seen.

A panel each, as losses are of different sizes. The picture follows the reader's light or dark colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from lfm2_colbert.training.loop import Told

CHART = "curve.svg"
TITLES = {
    "loss": "weighed sum of losses",
    "token": "token loss",
    "ranking": "ranking loss",
    "contrastive": "contrastive loss",
    "lists": "loss of lists",
    "margins": "loss of margins",
    "alignment": "alignment loss",
    "ndcg": "nDCG@10 on the development sets",
}
"""Of panels, by the fields of `Told`, in their order."""
COLUMNS = 2
WIDTH, HEIGHT = 400, 230
"""Of a panel."""
LEFT, RIGHT, TOP, BOTTOM = 58, 22, 30, 44
HEAD = 34
"""Height of the title."""
STEPS = 7
"""Between ticks of an axis, at most."""
LOGARITHMIC_FROM = 10
"""An axis is logarithmic where its largest value is so many times the smallest."""
FINE_DECADES = 2.5
"""On a logarithmic axis of fewer, 2 and 5 have a tick too."""
MOST_DOTS = 30
"""Where there are more values, the line says enough."""
STYLE = """
svg { --ground: #ffffff; --ink: #1b1f24; --muted: #57606a; --grid: #e4e1da; --line: #0b5cad; background: var(--ground);
  font: 12px system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
@media (prefers-color-scheme: dark) {
  svg { --ground: #14171b; --ink: #e8e6e1; --muted: #a5adb7; --grid: #343b44; --line: #7ab8f5; } }
.ground { fill: var(--ground); } text { fill: var(--muted); } .name { fill: var(--ink); font-weight: 600; }
.head { fill: var(--ink); font-size: 15px; font-weight: 600; }
.grid { stroke: var(--grid); } .axis { stroke: var(--muted); }
.curve { fill: none; stroke: var(--line); stroke-width: 1.8; stroke-linejoin: round; } .dot { fill: var(--line); }
"""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to places: `low` stands at `start`, `high` at `end`; logarithmic, equal steps are equal ratios."""

    low: float
    high: float
    start: float
    end: float
    is_logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Give the place of a value."""
        low, high, at = (log10(each) if self.is_logarithmic else each for each in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Choose round values on the scale."""
        if self.is_logarithmic:
            powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            factors = (1, 2, 5) if log10(self.high / self.low) < FINE_DECADES else (1,)
            values = [factor * 10.0**power for power in powers for factor in factors]
            return [value for value in values if self.low <= value <= self.high]
        step = _round((self.high - self.low) / STEPS)
        return [n * step for n in range(ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9) + 1)]


def write_chart(path: Path, name: str, lines: Sequence[Told]) -> None:
    """Draw the lines of a curve, at least one, under the name of what was trained."""
    panels = {title: points for key, title in TITLES.items() if (points := points_of(lines, key))}
    n_rows = ceil(len(panels) / COLUMNS)
    width, height = COLUMNS * WIDTH, HEAD + n_rows * HEIGHT
    says = f"{name}: losses and nDCG@10 over {lines[-1].tokens:,} tokens"
    root = Element(
        "svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", width=str(width), height=str(height)
    )
    root.set("role", "img")
    SubElement(root, "title").text = says
    SubElement(root, "style").text = STYLE
    SubElement(root, "rect", {"class": "ground", "width": str(width), "height": str(height)})
    _text(root, says, 16, 23, "head", "start")
    for place, (title, points) in enumerate(panels.items()):
        row, column = divmod(place, COLUMNS)
        at = f"translate({column * WIDTH} {HEAD + row * HEIGHT})"
        _panel(SubElement(root, "g", transform=at), title, points, lines[-1].tokens)
    indent(root)
    path.write_text(tostring(root, encoding="unicode") + "\n", encoding="utf-8")


def points_of(lines: Sequence[Told], key: str) -> list[Point]:
    """Give tokens and value of the lines that have one; a loss of 0 is one that no step had."""
    values = ((line.tokens, getattr(line, key)) for line in lines)
    return [(tokens, value) for tokens, value in values if value is not None and (value or key == "ndcg")]


def _panel(panel: Element, title: str, points: Sequence[Point], tokens: int) -> None:
    across = Scale(0, tokens, LEFT, WIDTH - RIGHT)
    up = _up([value for _, value in points])
    _axes(panel, across, up)
    _text(panel, f"{title}, logarithmic" if up.is_logarithmic else title, LEFT, TOP - 10, "name", "start")
    places = [(f"{across(x):.1f}", f"{up(y):.1f}") for x, y in points]
    SubElement(panel, "polyline", {"class": "curve", "points": " ".join(f"{x},{y}" for x, y in places)})
    for x, y in places if len(places) <= MOST_DOTS else ():
        SubElement(panel, "circle", {"class": "dot", "cx": x, "cy": y, "r": "2.6"})


def _axes(panel: Element, across: Scale, up: Scale) -> None:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for tick in up.ticks():
        _line(panel, "grid", (LEFT, up(tick)), (right, up(tick)))
        _text(panel, f"{tick:g}", LEFT - 7, up(tick) + 4, None, "end")
    for tick in across.ticks():
        _line(panel, "axis", (across(tick), bottom), (across(tick), bottom + 4))
        _text(panel, _short(tick), across(tick), bottom + 17, None, "middle")
    _line(panel, "axis", (LEFT, bottom), (right, bottom))
    _text(panel, "tokens", (LEFT + right) / 2, bottom + 34, None, "middle")


def _up(values: Sequence[float]) -> Scale:
    """Leave room above and below."""
    low, high = min(values), max(values)
    if low > 0 and high / low >= LOGARITHMIC_FROM:
        return Scale(low / 1.15, high * 1.15, HEIGHT - BOTTOM, TOP, is_logarithmic=True)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 0.1
    return Scale(low - room, high + room, HEIGHT - BOTTOM, TOP)


def _round(step: float) -> float:
    """Give the next of 1, 2, 5, 10, … that is no smaller."""
    power = 10.0 ** floor(log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def _short(tokens: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:g}{letter}"
    return f"{tokens:g}"


def _line(parent: Element, kind: str, start: Point, end: Point) -> None:
    (x1, y1), (x2, y2) = ([f"{each:.1f}" for each in point] for point in (start, end))
    SubElement(parent, "line", {"class": kind, "x1": x1, "y1": y1, "x2": x2, "y2": y2})


def _text(parent: Element, text: str, x: float, y: float, kind: str | None, anchor: str) -> None:
    attributes = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor} | ({"class": kind} if kind else {})
    SubElement(parent, "text", attributes).text = text
