"""Charts as SVG elements.

Colours are classes (`page.css`): a page in the dark has others. What differs in colour differs in shape too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, cos, floor, log10, pi, sin, sqrt
from xml.etree.ElementTree import Element

from eval.markup import element
from eval.significance import Interval

WIDTH, HEIGHT = 360, 300
LEFT, RIGHT, TOP, BOTTOM = 42, 12, 12, 40
BAR_HEIGHT = 14
CELLS = 20
"""A chart of queries has so many steps a side."""
SMALLEST, LARGEST = 1.6, 15.0
"""Radii of circles: a single query is still seen, the most frequent cell covers few others."""
DECADES = 0.7
"""An axis that spans more powers of ten is logarithmic."""


Corners = tuple[tuple[float, float], ...]

CROSS: Corners = (
    (-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4),
    (0.4, 1.2), (-0.4, 1.2), (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4),
)  # fmt: skip
STAR: Corners = tuple(
    (radius * sin(place * pi / 5), -radius * cos(place * pi / 5)) for place, radius in enumerate((1.35, 0.6) * 5)
)
SHAPES: tuple[Corners, ...] = (
    ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    ((0, -1.2), (1.15, 0.9), (-1.15, 0.9)),
    ((0, 1.2), (1.15, -0.9), (-1.15, -0.9)),
    CROSS,
    STAR,
    ((-0.6, -1.3), (0.6, -1.3), (0.6, 1.3), (-0.6, 1.3)),
)
"""Square, diamond, two triangles, cross, star, upright; the first system, our own, is a circle."""
LOOKS = 1 + len(SHAPES)
"""So many systems are told apart."""


@dataclass(frozen=True, slots=True)
class Point:
    """A mark in a chart.

    Attributes:
        x: across.
        y: up.
        look: which system, from 0.
        name: shown where one points at it.
        strong: whether it is a mean, and not a single task.
    """

    x: float
    y: float
    look: int
    name: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to places.

    Attributes:
        low: value at `start`.
        high: value at `end`.
        start: place.
        end: place.
        logarithmic: whether equal steps are equal ratios.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Give the place of a value."""
        low, high, at = (log10(each) if self.logarithmic else each for each in (self.low, self.high, value))
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Choose round values within the scale."""
        if self.logarithmic:
            powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            steps = [step * 10.0**power for power in powers for step in (1, 2, 5)]
            return [step for step in steps if self.low <= step <= self.high]
        step = _round_step((self.high - self.low) / 5)
        return [place * step for place in range(ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9) + 1)]


def bar(value: float, interval: Interval | None, look: int) -> Element:
    """Draw a share of 1 as a bar as wide as its column, with its interval; the figure stands beside it."""
    middle = BAR_HEIGHT / 2
    fill = element("rect", class_="fill", x=0, y=1, width=_percent(value), height=BAR_HEIGHT - 2, rx=2)
    whisker = [
        element("line", x1=_percent(interval.low), x2=_percent(interval.high), y1=middle, y2=middle),
        *(
            element("line", x1=_percent(end), x2=_percent(end), y1=middle - 4, y2=middle + 4)
            for end in (interval.low, interval.high)
        ),
    ] if interval else []  # fmt: skip
    track = element("rect", class_="track", x=0, y=1, width="100%", height=BAR_HEIGHT - 2, rx=2)
    return element(
        "svg", track, fill, whisker,
        class_=f"bar s{look % LOOKS}", width="100%", height=BAR_HEIGHT, aria_hidden="true",
    )  # fmt: skip


def mark(look: int) -> Element:
    """Draw the mark of a system for a legend."""
    return element(
        "svg", _shape(look, 8, 8, 5.5), class_=f"mark s{look % LOOKS}", viewBox="0 0 16 16",
        width=16, height=16, aria_hidden="true",
    )  # fmt: skip


def scatter(points: Sequence[Point], *, x_label: str, y_label: str, says: str) -> Element:
    """Draw points; tasks faint, means strong and above them.

    Args:
        points: at least one; across, values above 0.
        x_label: under the axis.
        y_label: beside it.
        says: what the chart shows, for those who do not see it.
    """
    across = _across([point.x for point in points])
    up = _up([point.y for point in points])
    marks = [_marked(point, across, up) for point in sorted(points, key=lambda point: point.strong)]
    return _chart(_axes(across, up, x_label, y_label), marks, says)


def bubbles(pairs: Iterable[tuple[float, float]], *, x_label: str, y_label: str, says: str) -> Element:
    """Draw pairs of shares of 1 as circles whose area is their number; the diagonal is where both are equal."""
    across, up = (
        Scale(0, 100, LEFT + LARGEST, WIDTH - RIGHT - LARGEST),
        Scale(0, 100, HEIGHT - BOTTOM - LARGEST, TOP + LARGEST),
    )
    counts: dict[tuple[int, int], int] = {}
    for x, y in pairs:
        cell = round(x * CELLS), round(y * CELLS)
        counts[cell] = counts.get(cell, 0) + 1
    largest = max(counts.values(), default=1)
    diagonal = element("line", class_="diagonal", x1=across(0), y1=up(0), x2=across(100), y2=up(100))
    circles = [
        element(
            "circle", element("title", f"{count:,}: {100 * x / CELLS:.0f} and {100 * y / CELLS:.0f}"),
            class_="better" if y > x else "worse" if y < x else "equal",
            cx=across(100 * x / CELLS), cy=up(100 * y / CELLS), r=_radius(count, largest),
        )
        for (x, y), count in sorted(counts.items(), key=lambda item: -item[1])
    ]  # fmt: skip
    return _chart(_axes(across, up, x_label, y_label), [diagonal, *circles], says)


def _radius(count: int, largest: int) -> float:
    """Give a circle whose area is as its number."""
    return max(SMALLEST, LARGEST * sqrt(count / largest))


def _chart(axes: Iterable[Element], marks: Iterable[Element], says: str) -> Element:
    return element("svg", axes, marks, class_="chart", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=says)


def _axes(across: Scale, up: Scale, x_label: str, y_label: str) -> list[Element]:
    bottom, right, middle = HEIGHT - BOTTOM, WIDTH - RIGHT, (HEIGHT - BOTTOM + TOP) / 2
    drawn = [element("line", class_="axis", x1=LEFT, y1=bottom, x2=right, y2=bottom)]
    for tick in across.ticks():
        drawn.append(element("line", class_="grid", x1=across(tick), y1=TOP, x2=across(tick), y2=bottom))
        drawn.append(element("text", f"{tick:g}", x=across(tick), y=bottom + 15, text_anchor="middle"))
    for tick in up.ticks():
        drawn.append(element("line", class_="grid", x1=LEFT, y1=up(tick), x2=right, y2=up(tick)))
        drawn.append(element("text", f"{tick:g}", x=LEFT - 6, y=up(tick) + 4, text_anchor="end"))
    drawn.append(element("text", x_label, class_="name", x=(LEFT + right) / 2, y=HEIGHT - 6, text_anchor="middle"))
    turned = f"translate(11 {middle:g}) rotate(-90)"
    return [*drawn, element("text", y_label, class_="name", transform=turned, text_anchor="middle")]


def _across(values: Sequence[float]) -> Scale:
    low, high = min(values), max(values)
    if log10(high / low) > DECADES:
        return Scale(low / 1.3, high * 1.3, LEFT, WIDTH - RIGHT, logarithmic=True)
    return Scale(0, high * 1.1, LEFT, WIDTH - RIGHT)


def _up(values: Sequence[float]) -> Scale:
    """Leave room above and below; an axis of differences that small would show noise spans five points at least."""
    low, high = min(values), max(values)
    room = max(0.08 * (high - low), (5 - (high - low)) / 2)
    return Scale(max(0.0, low - room), min(100.0, high + room), HEIGHT - BOTTOM, TOP)


def _marked(point: Point, across: Scale, up: Scale) -> Element:
    shape = _shape(point.look, across(point.x), up(point.y), 6.5 if point.strong else 3)
    kind = "strong" if point.strong else "faint"
    return element("g", element("title", point.name), shape, class_=f"{kind} s{point.look % LOOKS}")


def _shape(look: int, x: float, y: float, size: float) -> Element:
    """Draw a mark of about the same area in the shape of a system."""
    if look % LOOKS == 0:
        return element("circle", cx=x, cy=y, r=size)
    corners = SHAPES[look % LOOKS - 1]
    scaled = " ".join(f"{x + size * across:.2f},{y + size * down:.2f}" for across, down in corners)
    return element("polygon", points=scaled)


def _percent(share: float) -> str:
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


def _round_step(step: float) -> float:
    """Give the next of 1, 2, 5 or 10 times a power of ten."""
    power = 10.0 ** floor(log10(step))
    return next(each * power for each in (1, 2, 5, 10) if each * power >= step * (1 - 1e-9))
