"""The page of an evaluation in a real browser: it is quiet, asks nothing of anybody, and fits a telephone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.browser import DESK, NAMES, TELEPHONE, Browser, program
from eval.page import write_page
from eval.report import Report


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    installed = program()
    if installed is None:
        pytest.skip(f"no browser is installed: none of {', '.join(NAMES)}")
    with Browser(installed, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def path(evaluation: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(evaluation, tmp_path_factory.mktemp("report"))


@pytest.mark.parametrize("width", [TELEPHONE, DESK])
def test_the_page_is_quiet_and_asks_nothing_of_anybody(browser: Browser, path: Path, width: int) -> None:
    browser.open(path, width=width)
    assert browser.value("document.querySelector('h1').innerText") == "nano on xquad and nanobeir"
    assert not list(browser.named("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"))
    asked = {event["request"]["url"] for event in browser.named("Network.requestWillBeSent")}
    assert asked <= {path.resolve().as_uri(), "data:,"}


@pytest.mark.parametrize("width", [TELEPHONE, DESK])
def test_nothing_is_wider_than_the_screen(browser: Browser, path: Path, width: int) -> None:
    browser.open(path, width=width)
    browser.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value("window.innerWidth") == width


def test_arabic_runs_to_the_left_and_german_to_the_right(browser: Browser, path: Path) -> None:
    browser.open(path, width=TELEPHONE)
    of_queries = "[...document.querySelectorAll('.query')].map(each => getComputedStyle(each).direction)"
    assert browser.value(of_queries) == ["rtl", "ltr"]
    begins = "document.querySelectorAll('.passage')[1]"  # IBM, then Arabic
    assert browser.value(f"getComputedStyle({begins}).direction") == "rtl"


def test_the_page_is_dark_where_the_system_is(browser: Browser, path: Path, tmp_path: Path) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        browser.open(path, width=TELEPHONE, scheme=scheme)
        browser.screenshot(tmp_path / f"{scheme}.png")
        grounds.append(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(251, 250, 247)", "rgb(20, 23, 27)"]
    assert (tmp_path / "light.png").read_bytes() != (tmp_path / "dark.png").read_bytes()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_on_their_ground(browser: Browser, path: Path, scheme: str) -> None:
    browser.open(path, width=DESK, scheme=scheme)
    assert browser.value(f"({CONTRASTS})(document)") == []


CONTRASTS = """document => {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  const drawn = colours => {
    pen.clearRect(0, 0, 1, 1);
    for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const linear = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = colour => colour.map(linear).reduce((sum, each, i) => sum + each * [0.2126, 0.7152, 0.0722][i], 0);
  const grounds = node => node ? [...grounds(node.parentElement), getComputedStyle(node).backgroundColor] : [];
  return [...document.querySelectorAll('body *')]
    .filter(node => node.getClientRects().length && !node.closest('.skip'))
    .filter(node => [...node.childNodes].some(each => each.nodeType === 3 && each.data.trim()))
    .map(node => {
      const style = getComputedStyle(node);
      const ink = node instanceof SVGElement ? style.fill : style.color;
      const [a, b] = [drawn(grounds(node)), drawn([...grounds(node), ink])].map(luminance);
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.tagName, node.className, node.textContent];
    })
    .filter(([contrast]) => contrast < 4.5);
}"""
"""What WCAG 2.2 asks of small texts (AA, 1.4.3): a contrast of 4.5; gives the texts that have less."""
