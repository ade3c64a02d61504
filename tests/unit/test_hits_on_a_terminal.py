"""What a hit looks like: marked words, snippets that begin and end well, nothing a terminal would obey."""

import io
from dataclasses import replace

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from index.types import Highlight, Hit, Match, SearchResult, Span
from service.cli.hits import SNIPPET_CODE_POINTS, marked, print_hits, snippet

START = 1000
"""Where the passage begins in its document: offsets of hits count from the document's start."""


def a_hit(text: str, *words: str) -> Hit:
    places = [(text.index(word), len(word)) for word in words]
    return Hit(
        rank=1, document_id="d", passage=0, score=0.5, raw_score=5.0, text=text, span=Span(START, START + len(text)),
        language="de", metadata={}, highlights=tuple(Highlight(START + at, START + at + n, 0.9) for at, n in places),
    )  # fmt: skip


def printed(hit: Hit, *, terminal: bool = False, whole: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, color_system="standard" if terminal else None, width=80)
    print_hits(console, SearchResult("die Frage", (hit,)), whole=whole)
    return stream.getvalue()


def test_matched_words_stand_in_brackets_or_in_colour() -> None:
    hit = a_hit("Der Hund schläft unter dem Baum.", "Hund", "Baum")
    assert "Der [Hund] schläft unter dem [Baum]." in printed(hit)
    assert "\x1b[1;32mHund\x1b[0m" in printed(hit, terminal=True)


def test_long_passage_is_shown_where_most_words_matched() -> None:
    text = "Anfang ohne Treffer. " * 30 + "Hier steht die gesuchte Stelle mit Hund und Katze. " + "Ende. " * 60
    hit = a_hit(text, "Anfang", "Hund", "Katze")
    shown = printed(hit)
    assert "[Hund] und [Katze]" in shown
    assert "… " in shown
    assert len(shown) < SNIPPET_CODE_POINTS + 120


def test_hit_without_highlights_shows_its_beginning() -> None:
    hit = a_hit("Wort " * 200)
    assert snippet(hit)[0] == START


@given(
    text=st.text(st.sampled_from("ab \n本語e\u0301👨\u200d👩กำ"), min_size=400, max_size=900), at=st.integers(0, 399)
)
def test_snippet_ends_between_graphemes_and_within_the_passage(text: str, at: int) -> None:
    hit = replace(a_hit(text), highlights=(Highlight(START + at, START + at + 1, 0.9),))
    start, end = snippet(hit)
    boundaries = {0, *(match.end() for match in regex.finditer(r"\X", text))}
    assert START <= start < end <= START + len(text)
    assert end - START in boundaries
    assert start - START in boundaries


def test_explanation_shows_the_passage_whole_and_each_query_word() -> None:
    text = "Der Hund " * 100
    hit = replace(a_hit(text, "Hund"), matches=(Match(Span(4, 9), Span(START + 4, START + 8), 0.75),))
    shown = printed(hit, whole=True)
    assert "MaxSim 5.00 · Frage → Hund 0.75" in shown
    assert "…" not in shown


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x07", "\x9b1m", "\u202e", "\r"])
def test_control_characters_are_not_passed_on(evil: str) -> None:
    hit = replace(a_hit(f"vor {evil} nach"), document_id=f"d{evil}")
    assert evil not in printed(hit)


def test_words_outside_the_stretch_are_left_out() -> None:
    hit = a_hit("eins zwei drei", "eins", "drei")
    assert marked(hit, START + 5, START + 9, brackets=True).plain == "… zwei …"
