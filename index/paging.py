"""Deep paging: a ranking that is searched as deep as somebody looks, and the cursor that says where a page ended.

A cursor names the question, the state it was asked in and a place. The ranking of a state is made in the same steps by
whoever asks: of the first page, then of four times as many, and so on, what a deeper step finds coming after what is
there. So no page repeats or passes over a hit of an earlier one, also where a fast search finds more when it looks
deeper; with the effort ``exact`` all pages together are one deep search.
"""

import base64
import binascii
import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Generic, TypeVar

import xxhash

from index.grouping import BALANCED_BLOCK, Candidate, Choice, in_turns, needs_stored
from index.records import StoredPassage
from index.search import Scored
from index.types import Notice, SearchOptions
from lfm2_colbert.errors import CursorExpiredError, InvalidArgumentError

DEEPEST = 10_000
"""Places of a ranking that pages reach, and matches that are looked at to fill them."""
STEP = 4
HELD_RANKINGS = 8
WAY_OUT = "ask for the first page again"

Read = Callable[[Scored], StoredPassage | None]
Held = TypeVar("Held")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended.

    Attributes:
        txid: the state it was asked in.
        digest: of question and options.
        head: hits of the first page, from which the ranking grows.
        offset: places already shown.
    """

    txid: int
    digest: str
    head: int
    offset: int

    def written(self) -> str:
        """Give it as people pass it on: letters, digits, "-" and "_"."""
        return base64.urlsafe_b64encode(json.dumps(list(asdict(self).values())).encode()).decode().rstrip("=")


def read_cursor(written: str, digest: str) -> Cursor:
    """Read a cursor that belongs to a question.

    Raises:
        InvalidArgumentError: it is none, or another question's.
    """
    try:
        values = json.loads(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))
        cursor = Cursor(*values)
        whole = all(type(value) is int and value >= 0 for value in (cursor.txid, cursor.offset))
        if not whole or type(cursor.head) is not int or not 1 <= cursor.head <= DEEPEST:
            raise ValueError("a place is no natural number")
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise InvalidArgumentError("this is no cursor of a search", help=WAY_OUT) from error
    if cursor.digest != digest:
        raise InvalidArgumentError(
            "the cursor belongs to another question, or to other options", help="ask as for the first page"
        )
    return cursor


def digest_of(parts: Iterable[str]) -> str:
    """Give a short name to what a question is made of."""
    return xxhash.xxh3_64_hexdigest(json.dumps(list(parts)).encode("utf-8", "surrogatepass"))


def require_reachable(offset: int, k: int) -> None:
    """Refuse pages beyond the deepest place.

    Raises:
        InvalidArgumentError: the page ends beyond 10,000.
    """
    if offset + k > DEEPEST:
        raise InvalidArgumentError(
            f"pages reach {DEEPEST:,} hits deep, not {offset + k:,}", help="ask more narrowly, or with a filter"
        )


def expired() -> CursorExpiredError:
    """Say that the state of a cursor is gone."""
    return CursorExpiredError("the collection has changed since this cursor was given", help=WAY_OUT)


@dataclass(slots=True)
class Ranking:
    """All that match, from the best down, found as deep as somebody looks.

    Attributes:
        search: gives so many of the best; fewer where there are no more.
        head: how many the first step asks for.
        by_passage: whether passages of one document are told apart.
        found: what was found so far.
        depth: how many the last step asked for.
        complete: whether there are no more.
    """

    search: Callable[[int], list[Scored]]
    head: int
    by_passage: bool = False
    found: list[Scored] = field(default_factory=list)
    depth: int = 0
    complete: bool = False

    def at(self, place: int) -> Scored | None:
        """Give what is at a place, from 0; None behind the end, or where nobody looks any more."""
        while len(self.found) <= place and not self.complete and self.depth < DEEPEST:
            self._deepen()
        return self.found[place] if place < len(self.found) else None

    def _deepen(self) -> None:
        self.depth = min(max(self.head, self.depth * STEP), DEEPEST)
        deeper = self.search(self.depth)
        known = {self._key(each) for each in self.found}
        self.found += [each for each in deeper if self._key(each) not in known]
        self.complete = len(deeper) < self.depth

    def _key(self, scored: Scored) -> tuple[int, int]:
        return scored.document, scored.ordinal if self.by_passage else 0


class Listing:
    """What is shown of a ranking, page by page: the ranking itself, or what options leave of it.

    Attributes:
        ranking: what is walked.
        gone: ids of documents that were passed over since they had changed or gone.
    """

    def __init__(self, ranking: Ranking, options: SearchOptions) -> None:
        """Show nothing yet."""
        self.ranking, self._options = ranking, options
        self._choice = Choice(options)
        self._walked = 0
        self.gone: set[str] = set()

    def notices(self) -> list[Notice]:
        """Say what was left out on the way to the pages that were shown."""
        collapsed, gone = len(self._choice.collapsed), len(self.gone)
        found = []
        if collapsed:
            found.append(Notice("duplicates_collapsed", f"{collapsed} near-duplicates of better hits are left out"))
        if gone:
            found.append(Notice("changed_since", f"{gone} hits changed or went since the first page, and are left out"))
        return found

    def page(self, offset: int, k: int, read: Read) -> list[Scored]:
        """Give the places from `offset` on, `k` or as many as there are.

        Args:
            offset: places before the page.
            k: places of the page.
            read: gives what is stored of a match, None where that is gone.
        """
        if not needs_stored(self._options):
            places = (self.ranking.at(place) for place in range(offset, offset + k))
            return [scored for scored in places if scored is not None]
        if not self._options.lang_balance:
            return [each.scored for each in self._kept(offset + k, read)[offset : offset + k]]
        kept = self._kept(-(-(offset + k) // BALANCED_BLOCK) * BALANCED_BLOCK, read)
        order = in_turns([each.stored.passage.language for each in kept])
        return [kept[place].scored for place in order[offset : offset + k]]

    def _kept(self, n: int, read: Read) -> list[Candidate]:
        """Walk the ranking until `n` are kept, or to its end."""
        while len(self._choice.kept) < n:
            scored = self.ranking.at(self._walked)
            if scored is None:
                break
            self._walked += 1
            stored = read(scored)
            if stored is None:
                self.gone.add(scored.document_id)
            else:
                self._choice.offer(Candidate(scored, stored))
        return self._choice.kept


class HeldRankings(Generic[Held]):
    """The rankings asked for last, with the states they belong to."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._held: OrderedDict[tuple[int, str, int], Held] = OrderedDict()

    def hold(self, cursor: Cursor, held: Held) -> None:
        """Keep a ranking; the one that was not asked for longest goes."""
        key = (cursor.txid, cursor.digest, cursor.head)
        self._held[key] = held
        self._held.move_to_end(key)
        if len(self._held) > HELD_RANKINGS:
            self._held.popitem(last=False)

    def further(self, cursor: Cursor, n_shown: int, k: int, held: Held) -> str | None:
        """Keep a ranking that may have another page, and give that page's cursor; None behind the last."""
        offset = cursor.offset + k
        if n_shown < k or offset >= DEEPEST:
            return None
        self.hold(cursor, held)
        return replace(cursor, offset=offset).written()

    def of(self, cursor: Cursor) -> Held | None:
        """Give the ranking that a cursor goes on in, if it is held."""
        return self._held.get((cursor.txid, cursor.digest, cursor.head))
