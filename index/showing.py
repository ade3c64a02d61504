"""Shows what a search found: the stored words of a match, and why it matched.

A page may belong to an earlier state than the present one. Codes are copied by merges and never made twice alike from
other words, so a passage is what it was as long as its codes are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from index.asked import Asked
from index.calibration import SURE, Calibration
from index.coding import Coding
from index.explain import AskedTokens, Explained, PassageTokens, explain, highlight
from index.fusion import Mode
from index.hits import asked_tokens, make_hit, uncalibrated
from index.language import is_foreign
from index.lexical.matching import match_words
from index.pooling import spans_of_vectors
from index.queries import Window
from index.records import StoredPassage
from index.search import Scored
from index.segment import Segment
from index.snapshot import Part, Snapshot
from index.store import Store
from index.types import Hit, Notice
from lfm2_colbert.encoders.base import Encoder, Spans
from lfm2_colbert.errors import CorruptionError

NO_SPANS: Spans = np.empty((0, 2), np.int64)


@dataclass(frozen=True, slots=True)
class Found:
    """A match and what is stored of it; `rank` counts from 1 over all pages."""

    rank: int
    scored: Scored
    stored: StoredPassage


class Showing:
    """Reads and explains matches of a state."""

    def __init__(self, store: Store, coding: Coding, encoder: Callable[[], Encoder]) -> None:
        """Read from `store`; `encoder` is called where a match must be explained."""
        self._store, self._coding, self._encoder = store, coding, encoder

    def stored(self, scored: Scored, snapshot: Snapshot, present: Snapshot) -> StoredPassage | None:
        """Give what is stored of a match; None where it has changed since its state, or gone.

        Raises:
            CorruptionError: it has gone within its own state.
        """
        return self.all_stored([scored], snapshot, present)[0]

    def all_stored(
        self, matches: Sequence[Scored], snapshot: Snapshot, present: Snapshot
    ) -> list[StoredPassage | None]:
        """Give what `stored` does of each match."""
        places = [(each.document, each.ordinal) for each in matches]
        found = self._store.passages(places)
        pairs = zip(matches, places, strict=True)
        return [self._unchanged(each, found.get(place), snapshot, present) for each, place in pairs]

    def _unchanged(
        self, scored: Scored, stored: StoredPassage | None, snapshot: Snapshot, present: Snapshot
    ) -> StoredPassage | None:
        part = snapshot.parts[scored.part]
        if stored is not None and (stored.segment, stored.row) == (part.segment.info.number, scored.row):
            return stored
        if snapshot.txid == present.txid:
            raise CorruptionError(f"'{scored.document_id}' has lost passage {scored.ordinal}", help="index it again")
        return stored if stored is not None and _is_moved(part, scored.row, stored, present) else None

    def hits(self, found: Sequence[Found], asked: Asked, meaning: Calibration | None) -> list[Hit]:
        """Put the hits of a page together; scores are calibrated where their `meaning` is known and there is MaxSim."""
        explained = self._explained(found, asked) if asked.request.highlight else [Explained()] * len(found)
        hits = [
            make_hit(each.rank, each.scored, self.score(each.scored, asked, meaning), each.stored, why)
            for each, why in zip(found, explained, strict=True)
        ]
        if n := asked.request.options.neighbours:
            pairs = zip(hits, found, strict=True)
            hits = [replace(hit, around=self._store.around(e.scored.document, hit.passage, n)) for hit, e in pairs]
        return hits

    def score(self, scored: Scored, asked: Asked, meaning: Calibration | None) -> float:
        """Give the score of a match: calibrated where its `meaning` is known, else what orders matches."""
        if meaning is None or asked.request.mode == Mode.LEXICAL:
            return scored.score
        return meaning.score(scored.raw_score, len(asked.question.windows[scored.window].vectors))

    def _explained(self, found: Sequence[Found], asked: Asked) -> list[Explained]:
        if asked.request.mode == Mode.LEXICAL:
            return [_by_words(asked, each.stored) for each in found]
        explained: dict[int, Explained] = {}
        for number in {each.scored.window for each in found}:
            tokens = self._tokens(asked.question.windows[number])
            own = [each for each in found if each.scored.window == number]
            passages = self._passages(tokens, own, asked.snapshot)
            why = explain(tokens, passages, with_matches=asked.request.explain)
            explained |= {each.rank: reasons for each, reasons in zip(own, why, strict=True)}
        return [explained[each.rank] for each in found]

    def _passages(self, tokens: AskedTokens, found: Sequence[Found], snapshot: Snapshot) -> list[PassageTokens]:
        """Hold tokens against the passages of a page at once: a call for each costs more than its numbers."""
        segments = [snapshot.parts[each.scored.part].segment for each in found]
        pairs = list(zip(segments, found, strict=True))
        rows = [slice(*own.offsets[each.scored.row : each.scored.row + 2]) for own, each in pairs]
        codes = [{name: own.arrays[name][row] for name in own.arrays} for own, row in zip(segments, rows, strict=True)]
        joined = {name: np.concatenate([each[name] for each in codes]) for name in codes[0]}
        ends = np.cumsum([row.stop - row.start for row in rows])
        cosines = np.split(self._coding.required().products(tokens.vectors, joined), ends[:-1], axis=1)
        return [
            _passage(each.stored, near, self._spans(own, each))
            for (own, each), near in zip(pairs, cosines, strict=True)
        ]

    def _spans(self, segment: Segment, found: Found) -> Spans | None:
        """Give what each vector of a passage stands for; None if nobody knows."""
        row, text = found.scored.row, found.stored.text
        spans = segment.spans_of(row, text)
        if spans is not None:
            return spans
        pool = self._store.settings.pool
        return spans_of_vectors(self._encoder().document_spans(text), segment.places(row), pool)

    def _tokens(self, window: Window) -> AskedTokens:
        spans = self._encoder().query_spans(window.text) if window.spans is None else window.spans
        return asked_tokens(window, spans)


def _passage(stored: StoredPassage, cosines: NDArray[np.float32], spans: Spans | None) -> PassageTokens:
    """Put what is known of a passage's vectors together; nothing is, where nobody knows what they stand for."""
    if spans is None:
        cosines, spans = cosines[:, :0], NO_SPANS
    return PassageTokens(stored.text, stored.passage.start, cosines, spans)


def _by_words(asked: Asked, stored: StoredPassage) -> Explained:
    start = stored.passage.start
    matches = match_words(asked.question.text, stored.text, start)
    return Explained(matches if asked.request.explain else (), highlight(matches, stored.text, start))


def meaning_of(score: float, stored: StoredPassage, asked: Asked, meaning: Calibration) -> Calibration | None:
    """Give what scores of an answer mean, by the score of its best match; None if the curve tells nothing.

    It was measured within languages. A question in another language than its best match reaches less, and would be told
    that nothing is relevant.
    """
    foreign = score < SURE and is_foreign(asked.question.text, stored.passage.language)
    return None if foreign else meaning


def score_notices(hits: Sequence[Hit], mode: Mode, meaning: Calibration | None) -> list[Notice]:
    """Say what scores mean, and whether the best says that there is nothing relevant."""
    if meaning is None or mode == Mode.LEXICAL:
        return [uncalibrated(mode)]
    best = max((hit.score for hit in hits), default=1.0)
    return [meaning.nothing_relevant(best)] if best < meaning.threshold else []


def _is_moved(part: Part, row: int, stored: StoredPassage, present: Snapshot) -> bool:
    """Whether a stored passage has the codes of a row of an earlier state."""
    for other in present.parts:
        if other.segment.info.number == stored.segment:
            before = slice(*part.segment.offsets[row : row + 2])
            now = slice(*other.segment.offsets[stored.row : stored.row + 2])
            pairs = [(array[before], other.segment.arrays[name][now]) for name, array in part.segment.arrays.items()]
            return all(np.array_equal(old, new) for old, new in pairs)
    return False
