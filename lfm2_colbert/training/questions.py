"""Questions that texts ask themselves: a heading, a title or a first sentence asks for the passage it stands before.

What asks is taken out of the passage, or its own words would find it (the inverse cloze task; Lee et al., ACL 2019).
Scripts differ in how much a character says and in how a sentence ends; nothing else depends on the language.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import regex

SHORTEST_QUESTION, SHORTEST_SENTENCE, SHORTEST_ANSWER = 8, 20, 60
"""Least `weight` of a heading, of a sentence that asks, and of what is left to answer."""
LONGEST_HEADING, LONGEST_SENTENCE = 120, 300
"""Greatest weight; what is longer is a paragraph."""
WEIGHTS = {r"[\p{Han}\p{Hiragana}\p{Katakana}]": 2, r"\p{Hangul}": 1, r"[\p{L}\p{N}]": 1}
"""Added for each character of a script, so that a kana or an ideograph counts three, a Hangul syllable two."""
COUNTED = [(regex.compile(pattern), weight) for pattern, weight in WEIGHTS.items()]

FENCE = regex.compile(r" {0,3}(`{3,}|~{3,})")
HEADING = regex.compile(r" {0,3}#{1,6}[ \t]+(\S.*?)(?:[ \t]+#+)?[ \t]*$")
UNDERLINE = regex.compile(r" {0,3}(?:={2,}|-{2,})[ \t]*$")
ITEM = regex.compile(r"\s*(?:[-*+•>|]|\d+[.)])\s")
CLOSING = r"\)\]\"'»”’」』）】〕》〉］"
SENTENCE_END = regex.compile(rf"[.!?…؟।](?=[{CLOSING}]*\s+[^\s\p{{Ll}}])[{CLOSING}]*|[。！？｡．۔॥။។][{CLOSING}]*")
ENDS_A_SENTENCE = regex.compile(rf"[.!?…؟।。！？｡．۔॥။។:：;；,،、][{CLOSING}]*$")
SPACE_ENDS_SENTENCES = regex.compile(r"[\p{Thai}\p{Lao}]")
"""Scripts that set a space where others end a sentence."""
SPACE = regex.compile(r"\s+")


class Kind(StrEnum):
    """What asks."""

    HEADING = "heading"
    TITLE = "title"
    SENTENCE = "sentence"
    WRITTEN = "written"


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and what it was made of."""

    text: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document, with what may ask for it.

    Attributes:
        document_id: of the document.
        ordinal: place among the passages of its document, from 0.
        language: ISO 639-1, or ``und``.
        text: without what asks.
        questions: that it answers; it may have none.
        title: of the document, that its reader found outside of the text or in it; empty: none.
    """

    document_id: str
    ordinal: int
    language: str
    text: str
    questions: tuple[Question, ...] = ()
    title: str = ""

    @property
    def id(self) -> str:
        """Name it among the passages of all documents."""
        return f"{self.document_id}#{self.ordinal}"


def asked(passage: Passage) -> Passage:
    r"""Give a passage the questions that it holds, and take these out of its text.

    Headings are Markdown's, and the first line of a document that is none of its sentences. The title asks for a
    document's first passage. Where there is neither, the first sentence asks for the rest. What leaves too little to
    answer stays as it is, without a question.

    Example:
        >>> body = "Neue Mitarbeiter haben im ersten Jahr Anspruch auf vierundzwanzig freie Arbeitstage."
        >>> found = asked(Passage("a.md", 0, "de", f"# Urlaub im ersten Jahr\n\n{body}"))
        >>> found.questions[0].text, found.text == body
        ('Urlaub im ersten Jahr', True)
    """
    headings, rest = _without_headings(passage.text, is_first=passage.ordinal == 0)
    questions = [Question(text, Kind.HEADING) for text in headings]
    if passage.ordinal == 0 and passage.title:
        questions.append(Question(_line(passage.title), Kind.TITLE))
        rest = _without_beginning(rest, passage.title)
    questions = [each for each in _distinct(questions) if SHORTEST_QUESTION <= weight(each.text) <= LONGEST_HEADING]
    if not questions:
        sentence, rest = first_sentence(rest)
        questions = [Question(_line(sentence), Kind.SENTENCE)] if sentence else []
    if not questions or weight(rest) < SHORTEST_ANSWER:
        return passage
    return replace(passage, text=rest.strip(), questions=tuple(questions))


def can_answer(passage: Passage) -> bool:
    """Say whether a passage is long enough that something can be asked of it."""
    return weight(passage.text) >= SHORTEST_ANSWER


def weight(text: str) -> int:
    """Count letters and digits, those of dense scripts several times; marks, signs and emoji say nothing by themselves.

    Example:
        >>> weight("Urlaub 24"), weight("有給休暇"), weight("휴가"), weight("🎉 – 🎉")
        (8, 12, 4, 0)
    """
    return sum(added * len(pattern.findall(text)) for pattern, added in COUNTED)


def first_sentence(text: str) -> tuple[str, str]:
    """Split a text after its first sentence that says enough; ``("", text)`` where no such sentence ends.

    Example:
        >>> first_sentence("東京は日本の首都です。人口は多い。")
        ('東京は日本の首都です。', '人口は多い。')
    """
    ends = SPACE if SPACE_ENDS_SENTENCES.search(text) and not SENTENCE_END.search(text) else SENTENCE_END
    for end in ends.finditer(text):
        sentence = text[: end.end()].strip()
        if weight(sentence) > LONGEST_SENTENCE:
            break
        if weight(sentence) >= SHORTEST_SENTENCE:
            return sentence, text[end.end() :].strip()
    return "", text


def plain(text: str) -> str:
    """Write a text so that two that read alike are equal: NFKC, case folded, white space as one space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _without_headings(text: str, *, is_first: bool) -> tuple[list[str], str]:
    """Give the headings of a text, outside of code, and the text without them."""
    lines = text.split("\n")
    places = dict(_headings(lines))
    first = lines[0].strip()
    if is_first and 0 not in places and _is_title(first, lines[1:]):
        places[0] = first
    underlines = {place + 1 for place in places if UNDERLINE.match(lines[place + 1] if place + 1 < len(lines) else "")}
    kept = [line for place, line in enumerate(lines) if place not in places and place not in underlines]
    return [_line(places[place]) for place in sorted(places)], "\n".join(kept).strip()


def _headings(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Give the place of each Markdown heading, and what it says."""
    fence = ""
    for place, line in enumerate(lines):
        mark = FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            fence = mark[1]
        elif heading := HEADING.match(line):
            yield place, str(heading[1])
        elif place + 1 < len(lines) and line.strip() and UNDERLINE.match(lines[place + 1]):
            yield place, line


def _is_title(line: str, following: Sequence[str]) -> bool:
    """Say whether a document's first line stands above a text and is no part of it."""
    is_line = bool(line) and not ENDS_A_SENTENCE.search(line) and not ITEM.match(line) and not FENCE.match(line)
    return is_line and weight(line) <= LONGEST_HEADING and any(each.strip() for each in following)


def _without_beginning(text: str, title: str) -> str:
    """Take a title away that a text begins with as a line."""
    first, _, rest = text.partition("\n")
    return rest.strip() if rest and plain(first) == plain(title) else text


def _distinct(questions: Sequence[Question]) -> list[Question]:
    found: dict[str, Question] = {}
    for each in questions:
        found.setdefault(plain(each.text), each)
    return list(found.values())


def _line(text: str) -> str:
    return " ".join(text.split())
