"""The first hour on the search page, in a real browser: it is quiet, open to everybody, and runs nothing foreign."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import DESK, NAMES, TELEPHONE, Browser, program
from benchmarks.serving.server import Asking, served
from eval.machine import Machine
from eval.report import Report, Row, SystemKey, TaskKey, save
from index import Collection, Document
from service.http.config import ServerConfig
from service.keys import Keyring, Role

TEXTS = {
    "de/urlaub": "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage.",
    "en/vacation": "New employees get 24 days of vacation in the first year.",
    "ja/休暇": "新入社員は初年度に二十四日の休暇を取得できます。",
    "ar/إجازة": "يحصل الموظفون الجدد على أربعة وعشرين يوما من الإجازة.",
}
PAGES = ("/?c=handbook&q=vacation", "/ui/collections", "/ui/quality", "/?ui=ar&c=handbook&q=x")
AXE = "axe.run().then(found => JSON.stringify(found.violations.map(v => [v.id, v.nodes[0].html])))"
SPEAK = """(() => {
    const chosen = document.querySelector('#interface');
    chosen.value = '%s';
    chosen.dispatchEvent(new Event('change', {bubbles: true}));
})()"""
PAYLOADS = [
    before + inner + after
    for before in ("", '">', "'>", "</p>", "</mark>", "</title>", "-->", "]]>", "{{", "\u2028")
    for after in ("", "<!--", "\u0000"[:0] + " ")
    for inner in (
        "<script>window.hit=1</script>", "<img src=x onerror=window.hit=1>", "<svg onload=window.hit=1>",
        "<a href=javascript:window.hit=1>x</a>", "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
        "<math><mtext></mtext><script>window.hit=1</script></math>", "<body onload=window.hit=1>",
        "<div hx-get=/x hx-trigger=load hx-on:click=window.hit=1>x</div>", "<input autofocus onfocus=window.hit=1>",
        "javascript:window.hit=1", "<style>@import'//evil'</style>", "<link rel=stylesheet href=//evil.example/x.css>",
    )
]  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    installed = program()
    if installed is None:
        pytest.skip(f"no browser is installed: none of {', '.join(NAMES)}")
    with Browser(installed, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    home = tmp_path_factory.mktemp("home")
    documents = [Document(key, text, {"lang": key[:2]}) for key, text in TEXTS.items()]
    with Collection.open("handbook", create=True, encoder="nano", home=home) as collection:
        collection.add(documents)
    with served(home, ServerConfig(port=0, evaluation=evaluation(home / "report")), model="nano") as asking:
        yield asking


def evaluation(folder: Path) -> Path:
    """A report of two tasks by two systems."""
    rows = [
        Row(TaskKey("xquad", "cross-lingual", "ar", to), SystemKey(system, "balanced"), 2, 3, {"ndcg_at_10": ndcg})
        for to, system, ndcg in (("de", "lfm2-colbert", 0.7), ("de", "bm25", 0.1), ("ja", "lfm2-colbert", 0.5))
    ]
    values = {(row.task, row.system): {"ndcg_at_10": {"q": row.figures["ndcg_at_10"]}} for row in rows}
    machine = Machine("a processor", 2, 24, ())
    save(Report("", "2026-11-26T08:00:00+00:00", "", machine, {}, 0, {}, tuple(rows), {}, {}, (), values, ()), folder)
    return folder


def search(browser: Browser, ask: Asking, query: str = "", **options: Any) -> None:
    browser.open(f"{ask.url}/?c=handbook&q={query}", width=options.pop("width", DESK), **options)
    browser.wait("document.querySelector('#q') !== null")
    if query:
        browser.wait("document.querySelectorAll('.hits > li').length > 0")


def quiet(browser: Browser, ask: Asking) -> None:
    """Nothing was said in the console, and nothing asked of anybody else."""
    assert [event for event in browser.named("Log.entryAdded") if event["entry"]["level"] == "error"] == []
    assert list(browser.named("Runtime.exceptionThrown")) == []
    asked = {event["request"]["url"] for event in browser.named("Network.requestWillBeSent")}
    assert [url for url in asked if not url.startswith((ask.url, "data:"))] == []


def test_the_first_hour(browser: Browser, ask: Asking, tmp_path: Path) -> None:
    """Ask in one language, see the answer in another, point at a word, open the document, come back."""
    search(browser, ask)
    browser.value("document.querySelector('#q').focus()")
    browser.type("Wie viele Urlaubstage?")
    browser.wait("document.querySelectorAll('.hits > li').length === 4")
    browser.wait("location.search.includes('Urlaubstage')")
    lit = """(() => {
        [...document.querySelectorAll('[data-word]')].find(each => each.textContent === 'Urlaubstage').focus();
        return [...document.querySelectorAll('.text .lit')].map(each => each.textContent).join(' ');
    })()"""
    assert "Urlaub" in browser.value(lit)
    browser.value("document.querySelector('#q').focus()")
    browser.press("ArrowDown")
    assert browser.value("document.activeElement.closest('li') === document.querySelector('.hits > li')")
    browser.press("Enter")
    browser.wait("document.querySelector('.document mark') !== null")
    assert browser.value("document.querySelector('.document').textContent") in TEXTS.values()
    quiet(browser, ask)


def test_a_collection_is_made_and_a_dropped_file_is_found(browser: Browser, ask: Asking) -> None:
    browser.open(f"{ask.url}/ui/collections", width=DESK)
    browser.wait("document.querySelector('#new') !== null")
    browser.value("document.querySelector('#new-name').focus()")
    browser.type("dropped")
    browser.press("Enter")
    browser.wait("[...document.querySelectorAll('.drop')].some(each => each.dataset.collection === 'dropped')")
    dropped = """(() => { const data = new DataTransfer();
        data.items.add(new File(['Der Papagei spricht viel.'], 'vögel/papagei.txt'));
        data.items.add(new File(['x'], 'photo.jpg'));
        const place = [...document.querySelectorAll('.drop')].find(each => each.dataset.collection === 'dropped');
        place.dispatchEvent(new DragEvent('drop', {bubbles: true, dataTransfer: data})); })()"""
    browser.value(dropped)
    browser.wait("document.querySelectorAll('.sent .done').length === 1")
    browser.wait("document.querySelector('.sent .failed')?.textContent.includes('unsupported_file')")
    browser.wait("document.querySelector('.job .done') !== null")
    assert ask.search("dropped", query="Papagei", k=1).json["hits"][0]["text"] == "Der Papagei spricht viel."
    quiet(browser, ask)


@pytest.mark.parametrize(
    "page", ["/?c=handbook&q=vacation", "/ui/collections", "/ui/quality", "/?ui=ar&c=handbook&q=x"]
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, ask: Asking, page: str, scheme: str) -> None:
    found = importlib.util.find_spec("axe_core_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("axe-core-python is not installed")
    browser.open(ask.url + page, width=DESK, scheme=scheme)
    browser.wait("document.querySelector('main h1, main h2') !== null")
    browser.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    browser.value((Path(found.submodule_search_locations[0]) / "axe.min.js").read_text("utf-8"))
    violations = browser.value(
        "axe.run().then(found => JSON.stringify(found.violations.map(v => [v.id, v.nodes[0].html])))"
    )
    assert json.loads(violations) == []


def test_no_text_field_runs_what_is_typed_or_stored(browser: Browser, ask: Asking) -> None:
    assert len(PAYLOADS) >= 300
    ask("POST", "/v1/collections", {"name": "evil"})
    for start in range(0, len(PAYLOADS), 100):
        documents = [
            {
                "id": f"{n} {payload}"[:200],
                "text": f"Hund {payload}",
                "metadata": {"title": payload, "kind": payload[:50], "url": payload},
            }
            for n, payload in enumerate(PAYLOADS[start : start + 100], start)
        ]
        assert ask.put("evil", *documents).json["failed"] == 0
    for path in ("/?c=evil&q=Hund", "/ui/collections", "/ui/quality"):
        browser.open(ask.url + path, width=DESK)
        browser.wait("document.querySelector('main h1, main h2') !== null")
        assert browser.value("window.hit") is None
    browser.open(f"{ask.url}/?c=evil", width=DESK)
    browser.wait("document.querySelector('#q') !== null")
    for payload in PAYLOADS[::12]:
        browser.value(f"document.querySelector('#q').value = {json.dumps(payload)}")
        browser.value("document.querySelector('#search').requestSubmit()")
    browser.wait("document.querySelectorAll('.hits > li').length > 0")
    assert browser.value("window.hit") is None
    for event in browser.named("Network.requestWillBeSent"):
        assert event["request"]["url"].startswith((ask.url, "data:"))


def test_everything_together_is_small(browser: Browser, ask: Asking) -> None:
    browser.call("Network.clearBrowserCache")
    search(browser, ask, "vacation")
    received = sum(event["encodedDataLength"] for event in browser.named("Network.loadingFinished"))
    assert 20_000 < received <= 150_000


@pytest.mark.parametrize("width", [TELEPHONE, DESK])
@pytest.mark.parametrize(
    "page", ["/?c=handbook&q=vacation", "/ui/collections", "/ui/quality", "/?ui=ar&c=handbook&q=x"]
)
def test_nothing_is_wider_than_the_screen(browser: Browser, ask: Asking, page: str, width: int) -> None:
    browser.open(ask.url + page, width=width)
    browser.wait("document.querySelector('main h1, main h2') !== null")
    assert browser.value("document.documentElement.scrollWidth") == width


def test_a_key_is_asked_for_and_kept_out_of_addresses(browser: Browser, tmp_path: Path) -> None:
    token = Keyring(tmp_path).create("reader", Role.READ)[1]
    with Collection.open("pets", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add([Document("a", "Der Hund schläft.")])
    with served(tmp_path) as ask:
        browser.open(f"{ask.url}/?c=pets&q=Hund", width=DESK)
        browser.wait("document.querySelector('#sign-in').hidden === false")
        browser.type(token)
        browser.press("Enter")
        browser.wait("document.querySelectorAll('.hits > li').length === 1")
        assert token not in browser.value("location.href + document.cookie + JSON.stringify(localStorage)")
        assert not any(token in event["request"]["url"] for event in browser.named("Network.requestWillBeSent"))


def test_the_page_speaks_arabic_from_right_to_left(browser: Browser, ask: Asking) -> None:
    search(browser, ask, "vacation")
    browser.value(SPEAK % "ar")
    browser.wait("document.documentElement.dir === 'rtl' && document.querySelectorAll('.hits > li').length > 0")
    browser.value(SPEAK % "en")
    browser.wait("document.documentElement.dir === 'ltr'")
