"""From text to the terms that the word index knows: words in every script, identifiers whole and by parts.

Nothing in a text is an operator: whatever is not a letter, mark, digit or underscore only separates words.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import regex

ANALYSIS = 1
"""Raised with every change to the terms of a text: postings of another analysis are made anew."""
STEM_CHARACTERS = 6
"""A word of Latin script counts by its beginning: the cheapest stemmer that serves twenty languages."""

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー々〆ﾞﾟ"
"""Scripts whose words no space divides; and Hangul, whose particles none divides from their words."""
SPACED = rf"[[\p{{L}}\p{{M}}\p{{N}}_\u00AD]--[{UNSPACED}]]"
TOKEN = regex.compile(rf"(?P<run>[{UNSPACED}]+)|{SPACED}+(?:[.@/:+'’,-]{SPACED}+)*", regex.V1)
PIECE = regex.compile(r"[\p{L}\p{M}\p{N}]+", regex.V1)
WORD = regex.compile(rf"{SPACED}+", regex.V1)
HUMP = regex.compile(r"(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})")
IDENTIFIER = regex.compile(r"[\p{N}_@]|\p{Ll}\p{Lu}|\p{L}\.\p{L}")
GROUPED = regex.compile(r"\p{Nd}{1,3}(?:[.,’']\p{Nd}{3})+")
LATIN = regex.compile(r"\p{Latin}")
ACCENTED = regex.compile(r"([\p{Latin}\p{Greek}])\p{M}+")
ARABIC = regex.compile(r"\p{Arabic}")
ARABIC_MARKS = regex.compile(r"[\u0610-\u061A\u0640\u064B-\u065F\u0670\u06D6-\u06ED]")
LETTERS = str.maketrans(
    {"\u00ad": None, "ı": "i", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ё": "е"}
    | {"آ": "ا", "أ": "ا", "إ": "ا", "ٱ": "ا", "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه"}
)


@dataclass(frozen=True, slots=True)
class Token:
    """A stretch ``start:end`` of a text, in code points, and the terms it stands for."""

    start: int
    end: int
    terms: tuple[str, ...]


def terms_of(text: str) -> list[str]:
    """Cut a text into terms, in its order; a word that stands there twice comes twice.

    Example:
        >>> terms_of("Urlaubsantrag für 有給休暇")
        ['urlaub', 'fur', '有給', '給休', '休暇']
        >>> terms_of("snake_case v2.13.0")
        ['snake_case', 'snake', 'case', 'v2.13.0', 'v2', '13', '0']
    """
    terms: list[str] = []
    for found in TOKEN.finditer(text):
        stretch = found.group()
        terms += _pairs(_composed(stretch)) if found["run"] else _terms_of_compound(stretch)
    return terms


def tokens_of(text: str) -> Iterator[Token]:
    """Walk a text with the places of its terms, to show which of them a query matched."""
    for found in TOKEN.finditer(text):
        start, stretch = found.start(), found.group()
        if not found["run"]:
            yield Token(start, found.end(), _terms_of_compound(stretch))
            continue
        composed = _composed(stretch)
        if len(composed) != len(stretch):
            yield Token(start, found.end(), tuple(_pairs(composed)))
            continue
        for place, pair in enumerate(_pairs(composed), start):
            yield Token(place, place + len(pair), (pair,))


def _pairs(run: str) -> list[str]:
    """Give each two neighbours; a character that stands alone is its own term."""
    return [run[i : i + 2] for i in range(max(1, len(run) - 1))]


@lru_cache(maxsize=65_536)
def _terms_of_compound(text: str) -> tuple[str, ...]:
    """Give what is written without a space: an identifier whole, then its words, then the parts of these."""
    words = WORD.findall(text)
    whole = [text] if len(words) > 1 and IDENTIFIER.search(text) else []
    joined = [regex.sub(r"\P{Nd}", "", text)] if GROUPED.fullmatch(text) else []
    return tuple(term for each in (*whole, *joined) for term in (_folded(each),) if term) + tuple(
        term for word in words for term in _terms_of_word(word)
    )


def _terms_of_word(word: str) -> Iterable[str]:
    pieces = [part for piece in PIECE.findall(word) for part in HUMP.split(piece)]
    if len(pieces) > 1:
        yield _folded(word)
    yield from (stem for piece in pieces if (stem := _stem(_folded(piece))))


def _stem(word: str) -> str:
    """Cut a word of letters; what holds a digit is told apart by its end."""
    return word[:STEM_CHARACTERS] if LATIN.search(word) and word.isalpha() else word


def _folded(word: str) -> str:
    """Bring a word into the one form of all its spellings."""
    if word.isascii():
        return word.lower()
    folded = ACCENTED.sub(r"\1", unicodedata.normalize("NFKD", word.casefold()))
    if ARABIC.search(folded):
        folded = ARABIC_MARKS.sub("", folded)
    return unicodedata.normalize("NFC", _western_digits(folded)).casefold().translate(LETTERS)


def _western_digits(word: str) -> str:
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in word)


def _composed(text: str) -> str:
    return text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)
