"""The search page as the server writes it: texts stay texts, nothing is foreign, every language is whole."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.serving.server import Asking, served
from index import Collection, Document
from index.types import Highlight, Hit, Match, Span
from service.keys import Keyring, Role
from service.ui.segments import segments_of, words_of
from service.ui.words import FILE, languages, words_for

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
ALLOWED_TAGS = frozenset(
    "html head meta title link script body a header nav div button select option form p label input main section"
    " article h1 h2 ol ul li span mark small details summary table tbody tr th td dl dt dd fieldset legend"
    " progress".split()
)


class Page(HTMLParser):
    """Tags, attributes and texts of a page."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def pets(tmp_path: Path) -> Iterator[Asking]:
    documents = [
        Document("de/hund", "Der Hund schläft unter dem großen Baum.", {"lang": "de", "kind": "dog", "title": "Hunde"}),
        Document("ja/猫", "猫は台所で牛乳を飲む。", {"lang": "ja", "kind": "cat", "url": "https://example.org/neko"}),
        Document("ar/كلب", "الكلب ينام تحت الشجرة.", {"lang": "ar", "kind": "dog", "source": "javascript:alert(1)"}),
        Document(EVIL, f"Der Hund {EVIL} bellt.", {"title": EVIL, EVIL: EVIL, "kind": EVIL}),
    ]
    with Collection.open("pets", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add(documents)
    with served(tmp_path) as ask:
        yield ask


def part(ask: Asking, path: str, **query: Any) -> Page:
    answer = ask("GET", f"{path}?{urlencode(query)}" if query else path)
    assert answer.status == 200, answer.body
    return Page(answer.body.decode())


@pytest.mark.parametrize("path", ["/", "/ui/collections", "/ui/quality", "/ui/document"])
def test_a_frame_is_the_same_for_everybody_and_forbids_what_is_foreign(pets: Asking, path: str) -> None:
    answer = pets("GET", path)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    page = Page(answer.body.decode())
    assert b"pets" not in answer.body
    loaded = [each.get("src") or each.get("href") for tag in ("script", "link") for each in page.all(tag)]
    assert all(place and place.startswith("/ui/static/") for place in loaded)
    for place in loaded:
        assert pets("GET", str(place)).status == 200
    assert all("style" not in attributes and "onclick" not in attributes for _, attributes in page.tags)


def test_a_frame_needs_no_key_and_its_content_does(tmp_path: Path) -> None:
    token = Keyring(tmp_path).create("reader", Role.READ, ["pets"])[1]
    for name in ("pets", "secrets"):
        with Collection.open(name, create=True, encoder="hashing", home=tmp_path) as collection:
            collection.add([Document("a", f"Der Hund der {name}.")])
    with served(tmp_path) as ask:
        assert ask("GET", "/").status == 200
        assert ask("GET", "/ui/parts/search").code == "unauthenticated"
        found = ask.by(token)("GET", "/ui/parts/search").body
        assert b"pets" in found
        assert b"secrets" not in found
        for path in ("hits?c=secrets&q=Hund", "search?c=secrets", "document?c=secrets&id=a"):
            assert ask.by(token)("GET", f"/ui/parts/{path}").code == "not_found"
        listed = ask.by(token)("GET", "/ui/parts/collections").body
        assert b"pets" in listed
        assert b"secrets" not in listed
        assert b'class="drop"' not in listed  # this key may only read


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/ui/parts/hits", {"c": "pets", "q": "Hund"}),
        ("/ui/parts/hits", {"c": "pets", "q": EVIL}),
        ("/ui/parts/search", {"c": "pets", "q": EVIL, "mode": EVIL}),
        ("/ui/parts/document", {"c": "pets", "id": EVIL, "p": 0}),
        ("/ui/parts/collections", {}),
        ("/ui/parts/quality", {}),
        ("/", {"q": EVIL, "c": EVIL, "ui": EVIL}),
    ],
)
def test_what_is_stored_or_asked_never_becomes_markup(pets: Asking, path: str, query: dict[str, Any]) -> None:
    page = part(pets, path, **query)
    for tag, attributes in page.tags:
        assert tag in ALLOWED_TAGS, tag
        assert not [name for name in attributes if name.startswith("on")]
        assert not str(attributes.get("href", "")).startswith("javascript:")
    if "hits" in path and query["q"] == "Hund":
        assert EVIL in "".join(page.texts)


def test_a_word_lights_up_what_it_found(pets: Asking) -> None:
    page = part(pets, "/ui/parts/hits", c="pets", q="Hund 猫")
    words = {each["data-word"] for each in page.all("button")}
    evidence = {
        number for each in (*page.all("mark"), *page.all("span")) for number in (each.get("data-words") or "").split()
    }
    assert evidence <= words
    assert "0" in evidence


def test_a_source_is_linked_only_where_it_is_a_page(pets: Asking) -> None:
    page = part(pets, "/ui/parts/hits", c="pets", q="Hund 猫 كلب")
    sources = [each for each in page.all("a") if each.get("class") == "source"]
    assert [each["href"] for each in sources] == ["https://example.org/neko"]
    assert sources[0]["rel"] == "noopener noreferrer"


def test_facets_narrow_the_hits(pets: Asking) -> None:
    page = part(pets, "/ui/parts/search", c="pets")
    boxes = {(each["name"], each["value"]) for each in page.all("input") if each.get("type") == "checkbox"}
    assert {("f.lang", "de"), ("f.lang", "ja"), ("f.lang", "ar"), ("f.kind", "dog"), ("f.kind", "cat")} <= boxes
    query = [("c", "pets"), ("q", "Hund"), ("f.lang", "de"), ("f.lang", "ja"), ("f.kind", "cat")]
    page = Page(pets("GET", f"/ui/parts/hits?{urlencode(query)}").body.decode())
    assert [each["lang"] for each in page.all("p") if each.get("class") == "text"] == ["ja"]


def test_the_address_of_the_page_follows_the_question(pets: Asking) -> None:
    answer = pets("GET", "/ui/parts/hits?c=pets&q=Hund+%26+Katze&mode=lexical")
    assert answer.headers["hx-replace-url"] == "/?c=pets&q=Hund+%26+Katze&mode=lexical"


def test_a_document_is_shown_whole_and_what_was_found_is_marked(pets: Asking) -> None:
    page = part(pets, "/ui/parts/document", c="pets", id="de/hund", p=0)
    assert "Der Hund schläft unter dem großen Baum." in page.texts
    assert [each["id"] for each in page.all("mark")] == ["p0"]
    assert pets("GET", "/ui/parts/document?c=pets&id=nothing").code == "not_found"


def test_every_language_has_every_word_and_its_places() -> None:
    texts = json.loads(FILE.read_text("utf-8"))
    assert set(texts) == {"en", "de", "fr", "es", "it", "pt", "ja", "ko", "zh", "ar", "sv", "no"} == set(languages())
    places = {name: set(re.findall(r"{(\w+)}", text)) for name, text in texts["en"].items()}
    for language, own in texts.items():
        assert {name: set(re.findall(r"{(\w+)}", text)) for name, text in own.items()} == places, language
        assert all(text.strip() for text in own.values())


@pytest.mark.parametrize(
    ("chosen", "accepted", "expected"),
    [
        (None, "", "en"), (None, "ja,en;q=0.5", "ja"), ("ar", "de", "ar"), ("xx", "de-AT,de;q=0.9", "de"),
        (None, "nb-NO", "no"), (EVIL, EVIL, "en"), (None, "tlh, sv;q=0.1", "sv"),
    ],
)  # fmt: skip
def test_the_interface_speaks_what_was_chosen_else_what_is_accepted(
    chosen: str | None, accepted: str, expected: str
) -> None:
    assert words_for(chosen, accepted).language == expected


def test_the_arabic_page_runs_to_the_left(pets: Asking) -> None:
    (html,) = Page(pets("GET", "/?ui=ar").body.decode()).all("html")
    assert (html["lang"], html["dir"]) == ("ar", "rtl")


@given(
    text=st.text(min_size=1, max_size=60),
    spans=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.floats(-1, 1)), max_size=8),
    offset=st.integers(0, 1000),
)
def test_segments_are_the_text_and_know_their_words(
    text: str, spans: list[tuple[int, int, float]], offset: int
) -> None:
    own = [(min(a, b, len(text)), min(max(a, b), len(text)), score) for a, b, score in spans]
    matches = tuple(
        Match(Span(n, n + 1), Span(offset + a, offset + b), score) for n, (a, b, score) in enumerate(own) if a < b
    )
    marks = tuple(Highlight(offset + a, offset + b, score) for a, b, score in own[:2] if a < b)
    hit = Hit(1, "d", 0, 0.5, 1.0, text, Span(offset, offset + len(text)), "de", {}, marks, matches)
    words = words_of("a" * 100, [hit])
    found = segments_of(hit, words)
    assert "".join(segment.text for segment in found) == text
    at = 0
    for segment in found:
        expected = {
            word.number
            for word in words
            for match in matches
            if word.span.start <= match.query.start < word.span.end
            and match.passage.start - offset <= at < match.passage.end - offset
        }
        assert set(segment.words) == expected
        assert segment.strong == any(mark.start - offset <= at < mark.end - offset for mark in marks)
        at += len(segment.text)


def test_files_are_read_as_the_command_reads_them(pets: Asking) -> None:
    def send(name: str, content: bytes, kind: str = "application/octet-stream") -> Any:
        place = f"/v1/collections/pets/files?{urlencode({'path': name, 'wait': 'searchable'})}"
        return pets("POST", place, content, {"content-type": kind})

    assert send("notes/a.md", "# Katzen\n\nDie Katze schläft.".encode()).json["items"][0]["id"] == "notes/a.md"
    page = "<html><head><title>Vogel</title></head><body><p>Der Papagei spricht viel.</p></body></html>"
    assert send("b.html", page.encode()).json["added"] == 1
    assert send("c.jsonl", b'{"id": "x", "text": "eins"}\n{"id": "y", "text": "zwei"}').json["added"] == 2
    for name, content, code in [("d.exe", b"MZ", "unsupported_file"), ("e.txt", b"\xff\xfe\x00", "invalid_encoding")]:
        (item,) = send(name, content).json["items"]
        assert item["error"]["code"] == code
    assert send("f.txt", b"x", "text/plain").code == "unsupported_media_type"
    assert pets.search("pets", query="Papagei", k=1, mode="lexical").json["hits"][0]["document_id"] == "b.html"
