"""The picture of a curve: what stands where, and that nothing stands outside."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("torch")

from lfm2_colbert.training.chart import HEIGHT, WIDTH, Scale, write_chart
from lfm2_colbert.training.loop import Told

pytestmark = pytest.mark.torch

SVG = "{http://www.w3.org/2000/svg}"


def line(step: int, **values: float | None) -> Told:
    return Told(**{"step": step, "tokens": step * 1000, "tokens_in_all": 40_000, "tokens_per_s": 1.0, **values})  # type: ignore[arg-type]


def curve() -> list[Told]:
    """Twenty lines: a ranking loss from the fifth on, a contrastive one that falls a hundredfold, nDCG now and then."""
    return [
        line(
            2 * n,
            loss=2 - n / 20,
            token=0.5,
            ranking=0.0 if n < 5 else 1 / n,
            contrastive=10 ** (1 - n / 10),
            ndcg=0.02 * n if n % 10 == 0 else None,
        )
        for n in range(1, 21)
    ]


def drawn(path: Path, lines: list[Told]) -> dict[str, ElementTree.Element]:
    """Panels by their titles."""
    write_chart(path, "<nano> & co", lines)
    root = ElementTree.parse(path).getroot()
    assert root.find(f"{SVG}title").text.startswith("<nano> & co")  # type: ignore[union-attr]
    assert "prefers-color-scheme: dark" in root.find(f"{SVG}style").text  # type: ignore[operator, union-attr]
    return {panel.find(f"{SVG}text[@class='name']").text or "": panel for panel in root.findall(f"{SVG}g")}  # type: ignore[union-attr]


def places(panel: ElementTree.Element) -> np.ndarray:
    points = panel.find(f"{SVG}polyline").get("points")  # type: ignore[union-attr]
    return np.array([[float(each) for each in point.split(",")] for point in points.split()])  # type: ignore[union-attr]


def axis(panel: ElementTree.Element, anchor: str) -> list[tuple[float, float, str]]:
    found = [each for each in panel.findall(f"{SVG}text") if each.get("text-anchor") == anchor]
    return [(float(each.get("x", "")), float(each.get("y", "")), each.text or "") for each in found]


def test_every_loss_that_there_was_has_a_panel(tmp_path: Path) -> None:
    assert list(drawn(tmp_path / "curve.svg", curve())) == [
        "weighed sum of losses",
        "token loss",
        "ranking loss",
        "contrastive loss, logarithmic",
        "nDCG@10 on the development sets",
    ]
    assert list(drawn(tmp_path / "curve.svg", [line(3, loss=1.0, lists=0.5)])) == [
        "weighed sum of losses",
        "loss of lists",
    ]


def test_values_stand_where_the_axes_say(tmp_path: Path) -> None:
    panels = drawn(tmp_path / "curve.svg", curve())
    for title, values in (
        ("weighed sum of losses", [2 - n / 20 for n in range(1, 21)]),
        ("contrastive loss, logarithmic", [1 - n / 10 for n in range(1, 21)]),  # logarithms
    ):
        panel = panels[title]
        ticks = [(y - 4, float(text)) for _, y, text in axis(panel, "end")]
        at = np.array([np.log10(value) if "log" in title else value for _, value in ticks])
        slope, offset = np.polyfit(at, [y for y, _ in ticks], 1)
        assert slope < 0
        np.testing.assert_allclose(places(panel)[:, 1], slope * np.array(values) + offset, atol=0.2)
        assert len(ticks) >= 3
    tokens = [(x, float(text.removesuffix("k")) * 1000) for x, _, text in axis(panel, "middle") if text != "tokens"]
    slope, offset = np.polyfit([value for _, value in tokens], [x for x, _ in tokens], 1)
    np.testing.assert_allclose(places(panel)[:, 0], slope * np.arange(2000, 41_000, 2000) + offset, atol=0.2)


def test_what_no_step_had_is_not_drawn(tmp_path: Path) -> None:
    panels = drawn(tmp_path / "curve.svg", curve())
    assert len(places(panels["ranking loss"])) == 16
    assert len(places(panels["nDCG@10 on the development sets"])) == 2
    assert len(panels["nDCG@10 on the development sets"].findall(f"{SVG}circle")) == 2


@pytest.mark.parametrize("lines", [curve(), [line(1, loss=0.7)], [line(1, loss=0.7, ndcg=0.0)]], ids=str)
def test_nothing_stands_outside_its_panel(tmp_path: Path, lines: list[Told]) -> None:
    for panel in drawn(tmp_path / "curve.svg", lines).values():
        found = places(panel)
        assert (found >= 0).all()
        assert (found[:, 0] <= WIDTH).all()
        assert (found[:, 1] <= HEIGHT).all()
        for x, y, text in axis(panel, "end"):
            assert x - 7.5 * len(text) > 0  # digits are no wider
            assert 0 < y < HEIGHT
        for x, _, text in axis(panel, "middle"):
            assert x + 4 * len(text) < WIDTH
    x, y = map(float, re.findall(r"[\d.]+", ElementTree.parse(tmp_path / "curve.svg").getroot().get("viewBox", ""))[2:])
    assert (x, y > HEIGHT) == (2 * WIDTH, True)


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.9), (0, 16e6), (3.0, 3.0001), (-1.0, 4.0)])
def test_ticks_are_round_and_lie_on_the_scale(low: float, high: float) -> None:
    ticks = Scale(low, high, 0, 100).ticks()
    assert 3 <= len(ticks) <= 8
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
    step = ticks[1] - ticks[0]
    np.testing.assert_allclose(np.diff(ticks), step, rtol=1e-6)
    assert f"{step:.0e}"[0] in "125"
