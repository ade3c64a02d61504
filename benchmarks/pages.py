"""`python -m benchmarks.pages` looks at the search page: pictures for `docs/figures`, how soon it answers, its size.

The collection is the examples' (371 documents in eleven languages). A question is typed whole, and the clock runs from
then until the first hit is painted: so the pause that the page waits for more letters is in the figure.
"""

import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.browser import DESK, TELEPHONE, Browser, program
from benchmarks.command import allow_dirty, command_line, run
from benchmarks.results_file import ROOT, measured, measured_commit, write
from benchmarks.serving.server import Asking, serving_process
from index import Collection
from lfm2_colbert.errors import NotFoundError

FIGURES = ROOT / "docs" / "figures"
NAME = "examples"
QUESTION = "Wie viele Quadratkilometer umfasst das Amazonasbecken?"
QUESTIONS = ("Wie groß ist der Amazonas?", "plague in Paris", "東京の人口", "ما هي عاصمة", "¿Quién ganó el Super Bowl?")
PICTURES = {
    "page-light": (DESK, "light", "en"),
    "page-dark": (DESK, "dark", "en"),
    "page-arabic": (DESK, "light", "ar"),
    "page-japanese": (DESK, "light", "ja"),
    "page-telephone": (TELEPHONE, "light", "de"),
}
"""Name → width, scheme, language of the interface."""
POINT = "[...document.querySelectorAll('[data-word]')].find(each => each.textContent.includes('Amazon')).focus()"
PAINTED = """new Promise(done => {
    const query = document.querySelector('#q'), hits = document.querySelector('#hits');
    new MutationObserver((_, watch) => {
        if (hits.querySelector('li')) { watch.disconnect(); requestAnimationFrame(() => setTimeout(() =>
            done(performance.now() - begun), 0)); }
    }).observe(hits, {childList: true});
    query.value = QUESTION;
    const begun = performance.now();
    query.dispatchEvent(new Event('input', {bubbles: true}));
})"""


@click.command()
@allow_dirty
def main(allow_dirty: bool) -> None:
    """Look, and keep what was seen."""
    installed = program()
    if installed is None:
        raise NotFoundError("no Chromium is installed", help="apt install chromium")
    commit = measured_commit(allow_dirty=allow_dirty)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        with Collection.open(NAME, create=True, encoder="nano", home=home) as collection:
            collection.add_files(ROOT / "examples" / "documents")
            collection.optimize()
        with serving_process(home, "--quiet", model="nano") as (_, ask), Browser(installed, Path(folder)) as browser:
            rows = [first_hit(browser, ask), transferred(browser, ask)]
            for name, seen in PICTURES.items():
                picture(browser, ask, name, *seen)
    results = measured("page", rows, commit=commit, command=command_line("benchmarks.pages"), seed=0)
    click.echo(rows)
    click.echo(write(results, ROOT))


def first_hit(browser: Browser, ask: Asking) -> dict[str, Any]:
    """Measure from the last letter to the first hit on the screen."""
    times = []
    for question in QUESTIONS:
        browser.open(f"{ask.url}/?c={NAME}", width=DESK)
        browser.wait("document.querySelector('#q') !== null")
        times.append(browser.value(PAINTED.replace("QUESTION", repr(question))))
    load = round(os.getloadavg()[0], 2)
    return {"test": "first hit", "median_ms": round(statistics.median(times), 1), "runs": len(times), "load": load}


def transferred(browser: Browser, ask: Asking) -> dict[str, Any]:
    """Count the bytes of a first visit with a question, and the places that were asked."""
    browser.call("Network.clearBrowserCache")
    _ask(browser, ask, "en")
    received = sum(event["encodedDataLength"] for event in browser.named("Network.loadingFinished"))
    asked = {event["request"]["url"] for event in browser.named("Network.requestWillBeSent")}
    foreign = sum(not url.startswith((ask.url, "data:")) for url in asked)
    return {"test": "transferred", "bytes": received, "requests": len(asked), "to_others": foreign}


def picture(browser: Browser, ask: Asking, name: str, width: int, scheme: str, language: str) -> None:
    """Take a picture of an answer."""
    _ask(browser, ask, language, width, scheme)
    browser.wait("document.querySelector('.answer') !== null")
    browser.value(POINT)
    browser.screenshot(FIGURES / f"{name}.png", whole=False)


def _ask(browser: Browser, ask: Asking, language: str, width: int = DESK, scheme: str = "light") -> None:
    browser.open(f"{ask.url}/?c={NAME}&ui={language}&q={QUESTION}", width=width, scheme=scheme)
    browser.wait("document.querySelectorAll('.hits > li').length > 0")


if __name__ == "__main__":
    run(main)
