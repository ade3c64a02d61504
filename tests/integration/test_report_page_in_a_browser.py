"""The page of an evaluation in a real browser: it is quiet, asks nothing of anybody, and fits a telephone."""

import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from eval.page import write_page
from eval.report import Report

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip
TELEPHONE, DESK = 390, 1280
READS, WRITES = 3, 4
"""Where the browser has its end of the pipe."""


class Browser:
    """A page in Chromium, spoken to over a pipe in its DevTools protocol; events are kept."""

    def __init__(self, program: str, profile: Path) -> None:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()

        def connect() -> None:
            first, second = os.dup(theirs_in), os.dup(theirs_out)  # neither may be overwritten by the other
            os.dup2(first, READS)
            os.dup2(second, WRITES)

        self._process = subprocess.Popen(
            [program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=connect, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._numbers, self._rest, self._session = itertools.count(1), b"", ""
        self.events: list[dict[str, Any]] = []
        (page,) = [each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        self._session = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, path: Path, *, width: int, scheme: str = "light") -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=844, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self, path: Path) -> None:
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    def named(self, *methods: str) -> Iterator[Mapping[str, Any]]:
        return (event["params"] for event in self.events if event["method"] in methods)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._in, 1 << 20)
            assert part, "the browser ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        read: dict[str, Any] = json.loads(message)
        return read


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser is installed: none of {', '.join(NAMES)}")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
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
