"""Shows what a search found: the stored words of a match, and why it matched.

A page may belong to an earlier state than the present one. Codes are copied by merges and never made twice alike from
other words, so a passage is what it was as long as its codes are.
"""

from collections.abc import Callable

import numpy as np

from index.calibration import Calibration
from index.coding import Coding
from index.fusion import Mode
from index.hits import PassageVectors, explain_hit, make_hit
from index.lexical.matching import match_words
from index.queries import Question
from index.records import StoredPassage
from index.request import Request
from index.search import Scored
from index.snapshot import Part, Snapshot
from index.store import Store
from index.types import Hit, Match
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.errors import CorruptionError


class Showing:
    """Reads and explains matches of a state.

    Attributes:
        present: the state that the store is read in.
        calibration: what scores mean; None where that was not measured.
    """

    def __init__(self, store: Store, coding: Coding, encoder: Callable[[], Encoder]) -> None:
        """Read from `store`; `encoder` is called where a match must be explained."""
        self._store, self._coding, self._encoder = store, coding, encoder

    def stored(self, scored: Scored, snapshot: Snapshot, present: Snapshot) -> StoredPassage | None:
        """Give what is stored of a match; None where it has changed since its state, or gone.

        Raises:
            CorruptionError: it has gone within its own state.
        """
        stored = self._store.passage(scored.document, scored.ordinal)
        part = snapshot.parts[scored.part]
        place = (part.segment.info.number, scored.row)
        if stored is not None and (stored.segment, stored.row) == place:
            return stored
        if snapshot.txid == present.txid:
            raise CorruptionError(f"'{scored.document_id}' has lost passage {scored.ordinal}", help="index it again")
        return stored if stored is not None and _is_moved(part, scored.row, stored, present) else None

    def hit(
        self,
        rank: int,
        scored: Scored,
        stored: StoredPassage,
        snapshot: Snapshot,
        question: Question,
        request: Request,
        calibration: Calibration | None,
    ) -> Hit:
        """Put a hit together."""
        score = scored.score
        if calibration and request.mode != Mode.LEXICAL:
            score = calibration.score(scored.raw_score, len(question.windows[scored.window].vectors))
        matches = self._matches(scored, stored, snapshot, question, request) if request.highlight else ()
        return make_hit(rank, scored, score, stored, matches)

    def _matches(
        self, scored: Scored, stored: StoredPassage, snapshot: Snapshot, question: Question, request: Request
    ) -> tuple[Match, ...]:
        if request.mode == Mode.LEXICAL:
            return match_words(question.text, stored.text)
        segment = snapshot.parts[scored.part].segment
        own = slice(*segment.offsets[scored.row : scored.row + 2])
        vectors = self._coding.required().decode({name: array[own] for name, array in segment.arrays.items()})
        passage = PassageVectors(vectors, segment.places(scored.row), self._store.settings.pool)
        return explain_hit(question.windows[scored.window], self._encoder(), stored.text, passage)


def _is_moved(part: Part, row: int, stored: StoredPassage, present: Snapshot) -> bool:
    """Whether a stored passage has the codes of a row of an earlier state."""
    for other in present.parts:
        if other.segment.info.number == stored.segment:
            before = slice(*part.segment.offsets[row : row + 2])
            now = slice(*other.segment.offsets[stored.row : stored.row + 2])
            pairs = [(array[before], other.segment.arrays[name][now]) for name, array in part.segment.arrays.items()]
            return all(np.array_equal(old, new) for old, new in pairs)
    return False
