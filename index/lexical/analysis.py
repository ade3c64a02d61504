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
LATIN_STEM, OTHER_STEM = 6, 5
"""A word counts by its first characters: the cheapest stemmer that serves twenty languages."""

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー々〆ﾞﾟ"
"""Scripts whose words no space divides; and Hangul, whose particles none divides from their words."""
SPACED = rf"[[\p{{L}}\p{{M}}\p{{N}}_\u00AD]--[{UNSPACED}]]"
TOKEN = regex.compile(rf"(?P<run>[{UNSPACED}]+)|{SPACED}+(?:[.@/:+'’,-]{SPACED}+)*", regex.V1)
PIECE = regex.compile(r"[\p{L}\p{M}\p{N}]+", regex.V1)
WORD = regex.compile(rf"{SPACED}+", regex.V1)
HUMP = regex.compile(r"(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})")
IDENTIFIER = regex.compile(r"[\p{N}_@]|\p{Ll}\p{Lu}|\p{L}\.\p{L}")
GROUPED = regex.compile(r"\p{Nd}{1,3}(?:[.,’']\p{Nd}{3})+")
HAN = regex.compile(r"\p{Han}")
# Alphabets without spaces: two of their characters say less than a syllable.
FINE = regex.compile(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
LATIN = regex.compile(r"\p{Latin}")
LETTERS_ALONE = regex.compile(r"[\p{L}\p{M}]+")
# Marks that no other Latin script has: without them Vietnamese words are not told apart.
VIETNAMESE = regex.compile("[\u0309\u0323\u031b]|[\u0302\u0306][\u0300\u0301\u0303]")
ACCENTED = regex.compile(r"([\p{Latin}\p{Greek}])\p{M}+")
ARABIC = regex.compile(r"\p{Arabic}")
ARABIC_MARKS = regex.compile(r"[\u0610-\u061A\u0640\u064B-\u065F\u0670\u06D6-\u06ED]")
# Article and conjunctions that Arabic writes onto a word, and endings of gender, number and possession ("light10" of
# Larkey et al., 2007, a little lighter): two letters at least remain, or three.
ARABIC_PREFIX = regex.compile(r"^(?:[وبكف]?ال|لل)(?=..)|^و(?=...)")
ARABIC_SUFFIX = regex.compile(r"(?<=...)(?:ها|ان|ات|ون|ين|يه|ه|ي)$")
LETTERS = str.maketrans(
    {"ı": "i", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ё": "е"}
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
        ['urlaub', 'fur', '有', '有給', '給', '給休', '休', '休暇', '暇']
        >>> terms_of("snake_case v2.13.0")
        ['snake_case', 'snake', 'case', 'v2.13.0', 'v2', '13', '0']
    """
    terms: list[str] = []
    for found in TOKEN.finditer(text):
        stretch = found.group()
        terms += [term for _, term in _grams(_composed(stretch))] if found["run"] else _terms_of_compound(stretch)
    return terms


def query_terms(text: str) -> list[str]:
    """Cut a query into the terms that are looked up: of those of a text the ones that say most.

    Of an alphabet without spaces these are runs of three characters, and shorter ones where no three stand together.
    """
    terms = terms_of(text)
    return [term for term in terms if len(term) != 2 or not FINE.match(term) or not _is_within(term, terms)]


def tokens_of(text: str) -> Iterator[Token]:
    """Walk a text with the places of its terms, to show which of them a query matched."""
    for found in TOKEN.finditer(text):
        start, stretch = found.start(), found.group()
        if not found["run"]:
            yield Token(start, found.end(), _terms_of_compound(stretch))
            continue
        composed = _composed(stretch)
        if len(composed) != len(stretch):
            yield Token(start, found.end(), tuple(term for _, term in _grams(composed)))
            continue
        for place, term in _grams(composed):
            yield Token(start + place, start + place + len(term), (term,))


def _is_within(term: str, terms: Iterable[str]) -> bool:
    return any(len(each) == 3 and term in each for each in terms)


def _grams(run: str) -> Iterator[tuple[int, str]]:
    """Give overlapping stretches of a run, with their places: pairs, of an alphabet also threes, Han alone as well.

    A character that stands alone is its own term.
    """
    if len(run) == 1:
        yield 0, run
        return
    for place, character in enumerate(run):
        if HAN.match(character):
            yield place, character
        if len(run) - place >= 2:
            yield place, run[place : place + 2]
        if len(run) - place >= 3 and FINE.match(character):
            yield place, run[place : place + 3]


@lru_cache(maxsize=65_536)
def _terms_of_compound(text: str) -> tuple[str, ...]:
    """Give what is written without a space: an identifier whole, then its words, then the parts of these."""
    text = text.replace("\u00ad", "")
    words = WORD.findall(text)
    whole = [text] if len(words) > 1 and IDENTIFIER.search(text) else []
    joined = [regex.sub(r"\P{Nd}", "", text)] if GROUPED.fullmatch(text) else []
    return tuple(term for each in (*whole, *joined) for term in (_folded(each),) if term) + tuple(
        term for word in words for term in _terms_of_word(word)
    )


def _terms_of_word(word: str) -> Iterable[str]:
    pieces = [part for piece in PIECE.findall(word) for part in HUMP.split(piece)]
    if len(pieces) > 1:
        yield _stem(_folded(word))
    yield from (stem for piece in pieces if (stem := _stem(_folded(piece))))


def _stem(word: str) -> str:
    """Cut a word of letters; what holds anything else is told apart by its end."""
    if not LETTERS_ALONE.fullmatch(word):
        return word
    if ARABIC.match(word):
        word = ARABIC_SUFFIX.sub("", ARABIC_PREFIX.sub("", word))
    return word[: LATIN_STEM if LATIN.match(word) else OTHER_STEM]


def _folded(word: str) -> str:
    """Bring a word into the one form of all its spellings."""
    if word.isascii():
        return word.lower()
    folded = unicodedata.normalize("NFKD", word.casefold())
    if not VIETNAMESE.search(folded):
        folded = ACCENTED.sub(r"\1", folded)
    if ARABIC.search(folded):
        folded = ARABIC_MARKS.sub("", folded)
    return unicodedata.normalize("NFC", _western_digits(folded)).casefold().translate(LETTERS)


def _western_digits(word: str) -> str:
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in word)


def _composed(text: str) -> str:
    return text if unicodedata.is_normalized("NFKC", text) else unicodedata.normalize("NFKC", text)
