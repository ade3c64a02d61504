"""Which of all that match are shown: so many of a group, nothing twice, languages in turn.

A ranking is walked from the best down. Each rule depends on what comes before alone, so a page never changes an earlier
one; languages take turns within blocks of the ranking for the same reason.
"""

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import regex

from index.records import StoredPassage
from index.search import Scored
from index.types import DOCUMENT, PASSAGE, SearchOptions
from lfm2_colbert.errors import InvalidArgumentError

SHINGLE_CHARACTERS = 5
MAX_NEIGHBOURS = 10
NEAR_DUPLICATE = 0.9
"""Similarity from which people mean the same text: a copy with another date, number or footer."""
BALANCED_BLOCK = 200
"""Hits within which languages take turns."""
NO_WORD = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A match, and what is stored of it."""

    scored: Scored
    stored: StoredPassage


def require_options(options: SearchOptions) -> None:
    """Refuse options that mean nothing.

    Raises:
        InvalidArgumentError: one is out of range.
    """
    if options.per_group < 1:
        raise InvalidArgumentError(f"per_group must be 1 or more, not {options.per_group}", help="ask for some hits")
    if options.collapse is not None and not 0 < options.collapse <= 1:
        raise InvalidArgumentError(
            f"collapse is a similarity above 0 and up to 1, not {options.collapse}", help=f"take {NEAR_DUPLICATE}"
        )
    if not 0 <= options.neighbours <= MAX_NEIGHBOURS:
        raise InvalidArgumentError(
            f"neighbours must be 0 to {MAX_NEIGHBOURS}, not {options.neighbours}", help="`get` gives the whole document"
        )


def by_passage(options: SearchOptions) -> bool:
    """Whether several passages of a document may be shown."""
    return options.group_by == PASSAGE or (options.group_by == DOCUMENT and options.per_group > 1)


def needs_stored(options: SearchOptions) -> bool:
    """Whether more must be known of a match than its score to tell whether it is shown."""
    field = options.group_by not in (DOCUMENT, PASSAGE)
    return field or by_passage(options) or options.collapse is not None or options.lang_balance


class Choice:
    """Takes matches from the best down and keeps those to be shown.

    Attributes:
        kept: in the order they came.
        collapsed: ids of the documents left out as near-duplicates, in the order they came.
    """

    def __init__(self, options: SearchOptions) -> None:
        """Keep nothing yet."""
        self.kept: list[Candidate] = []
        self.collapsed: list[str] = []
        self._options = options
        self._groups: Counter[str] = Counter()
        self._texts = Texts(options.collapse) if options.collapse is not None else None

    def offer(self, candidate: Candidate) -> None:
        """Take the next match."""
        group = group_of(candidate, self._options.group_by)
        if self._groups[group] >= self._options.per_group and self._options.group_by != PASSAGE:
            return
        if self._texts is not None and not self._texts.add(candidate.stored.text):
            self.collapsed.append(candidate.scored.document_id)
            return
        self._groups[group] += 1
        self.kept.append(candidate)


def group_of(candidate: Candidate, group_by: str) -> str:
    """Name the group of a match: its document, or the value of a field as JSON."""
    metadata = candidate.stored.metadata
    if group_by in (DOCUMENT, PASSAGE) or group_by not in metadata:
        return f"document {candidate.scored.document}"
    return f"value {_canonical(metadata[group_by])}"


def in_turns(languages: Sequence[str]) -> list[int]:
    """Order places so that languages take turns, in each block of 200; within a language the order stays.

    In a turn, languages come in the order of their places.
    """
    order: list[int] = []
    for start in range(0, len(languages), BALANCED_BLOCK):
        turns: Counter[str] = Counter()
        keyed = []
        for place in range(start, min(start + BALANCED_BLOCK, len(languages))):
            keyed.append((turns[languages[place]], place))
            turns[languages[place]] += 1
        order += [place for _, place in sorted(keyed)]
    return order


class Texts:
    """Texts of which no two are nearly the same."""

    def __init__(self, similarity: float) -> None:
        """Tell texts of this Jaccard similarity or more apart from no other."""
        self._similarity = similarity
        self._sizes: list[int] = []
        self._holders: dict[str, list[int]] = {}

    def add(self, text: str) -> bool:
        """Take a text, unless one that was taken is nearly the same; say whether it was taken."""
        own = shingles(text)
        shared = Counter(place for shingle in own for place in self._holders.get(shingle, ()))
        if any(n >= self._similarity * (len(own) + self._sizes[place] - n) for place, n in shared.items()):
            return False
        for shingle in own:
            self._holders.setdefault(shingle, []).append(len(self._sizes))
        self._sizes.append(len(own))
        return True


def shingles(text: str) -> frozenset[str]:
    """Give the stretches of five characters of a text; case, width, punctuation and white space do not count.

    Characters and not words, so that it holds for scripts without spaces, too. A shorter text is its own stretch.
    """
    plain = NO_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()
    last = max(len(plain) - SHINGLE_CHARACTERS, 0)
    return frozenset(plain[start : start + SHINGLE_CHARACTERS] for start in range(last + 1))


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
