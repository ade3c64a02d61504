"""Passages apart: those that are learned from and those whose questions measure it, whole documents on either side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lfm2_colbert.errors import TooFewDocumentsError
from lfm2_colbert.training.questions import Passage, plain

LEAST_DOCUMENTS = 60
HELD_OUT = 0.25
"""Share of the documents whose questions are not learned from."""
MOST_TRAINING, MOST_HELD_OUT = 4000, 1000
"""Passages that are asked for; more are left to be found, and counted."""

REPEATED, SHARED, UNDRAWN = "repeated", "shared", "undrawn"


@dataclass(frozen=True, slots=True)
class Division:
    """Two sides without a common document, question or text.

    Attributes:
        training: passages that are learned from.
        held_out: passages whose questions are asked before and after.
        left_out: what was left out, and how often: ``repeated`` questions, which more than one passage has; passages
            of training whose text is ``shared`` with a document that is held out; passages ``undrawn``, as there are
            more than are asked for.
    """

    training: tuple[Passage, ...]
    held_out: tuple[Passage, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def sides(self) -> tuple[tuple[Passage, ...], tuple[Passage, ...]]:
        """Training and held out."""
        return self.training, self.held_out


def divide(passages: Sequence[Passage], seed: int) -> Division:
    """Draw the documents that are held out, and of each side as many passages as are asked for.

    Args:
        passages: that may be asked for.
        seed: of both draws.

    Raises:
        TooFewDocumentsError: there are too few documents.
    """
    rng = np.random.default_rng(seed)
    documents = sorted({each.document_id for each in passages})
    require_enough(len(documents))
    chosen = {documents[place] for place in rng.permutation(len(documents))[: round(HELD_OUT * len(documents))]}
    held = [each for each in passages if each.document_id in chosen]
    texts = {plain(each.text) for each in held}
    others = [each for each in passages if each.document_id not in chosen]
    own = [each for each in others if plain(each.text) not in texts]
    training, held_out = _drawn(own, MOST_TRAINING, rng), _drawn(held, MOST_HELD_OUT, rng)
    undrawn = len(own) + len(held) - len(training) - len(held_out)
    return Division(training, held_out, {SHARED: len(others) - len(own), UNDRAWN: undrawn})


def distinct(division: Division) -> Division:
    """Leave out questions that more than one passage has, on whichever side: nobody knows which of them is meant.

    Raises:
        TooFewDocumentsError: too few documents keep a question.
    """
    times = Counter(plain(question.text) for side in division.sides for each in side for question in each.questions)
    training, held_out = (tuple(_kept(side, times)) for side in division.sides)
    require_enough(len({each.document_id for each in (*training, *held_out)}))
    repeated = sum(count for count in times.values() if count > 1)
    return Division(training, held_out, {**division.left_out, REPEATED: repeated})


def require_enough(n_documents: int) -> None:
    """Refuse what an encoder cannot be adapted to, nor measured on.

    Raises:
        TooFewDocumentsError: there are fewer than `LEAST_DOCUMENTS`.
    """
    if n_documents < LEAST_DOCUMENTS:
        raise TooFewDocumentsError(
            f"{n_documents} documents have a passage that something can be asked of; adapting needs {LEAST_DOCUMENTS}",
            help="add documents, or use the encoder as it is",
        )


def _kept(side: Sequence[Passage], times: Mapping[str, int]) -> list[Passage]:
    left = (
        replace(each, questions=tuple(own for own in each.questions if times[plain(own.text)] == 1)) for each in side
    )
    return [each for each in left if each.questions]


def _drawn(passages: Sequence[Passage], most: int, rng: np.random.Generator) -> tuple[Passage, ...]:
    places = sorted(rng.permutation(len(passages))[:most].tolist())
    return tuple(passages[place] for place in places)
