"""Whether passages say what a sentence says: MaxSim of its words against theirs, and its numbers against theirs.

A word counts by how much nearer it comes to what is cited than to the average word of all that was found.

No judge is asked. What this sees is whether each word of a sentence has one close to it in the spans it cites, in
whatever language; what it does not see is a word turned into its opposite (`benchmarks/citations.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.chunking import chunk
from index.evidence import encoded_evidence
from index.language import is_foreign
from index.types import Notice
from lfm2_colbert.encoders.base import Encoder
from service.rag.answer import AnswerSentence, Citation
from service.rag.grounds import Ground, visible
from service.rag.numbers import missing

THRESHOLD = 0.49
"""Chosen on one half of the pairs of `benchmarks/citations.py`, with the bundled encoder (docs/guides/answers.md)."""
FOREIGN_THRESHOLD = 0.31
"""Of a sentence in another language than the passage it cites, where the same content comes less near."""
MEASURED = frozenset({"nano-1"})
"""Encoders that the threshold was chosen with; each has its own level of MaxSim."""
LEAST_ROOM = 0.05
"""Between the average word and the same word, where all are nearly alike."""
MOST_CITATIONS = 3
LEAST_GAIN = 0.1
"""Of the score, by a further citation: each passage has some word that comes a little nearer."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a sentence rests on.

    Attributes:
        score: 0..1, how near its words come to those that are cited, on average.
        citations: the spans, the one that says most first.
        missing_numbers: numbers of the sentence that stand in none of them.
        threshold: from which score on the sentence is supported.
    """

    score: float
    citations: tuple[Citation, ...]
    missing_numbers: tuple[str, ...]
    threshold: float = THRESHOLD

    @property
    def near(self) -> bool:
        """Whether its words are there."""
        return self.score >= self.threshold

    @property
    def supported(self) -> bool:
        """Whether its words and its numbers are there."""
        return self.near and not self.missing_numbers


def unmeasured(encoder: Encoder, sentences: Sequence[AnswerSentence]) -> list[Notice]:
    """Say that nobody measured what scores mean with an encoder, where sentences were judged by it."""
    quoted = all(sentence.score == 1 for sentence in sentences)
    if quoted or encoder.name in MEASURED:
        return []
    message = f"how sure 'supported' is was measured with {', '.join(sorted(MEASURED))}, not with this encoder"
    return [Notice("support_unmeasured", message)]


def judge(sentence: str, grounds: Sequence[Ground], encoder: Encoder) -> Verdict:
    """Hold a sentence against passages.

    Args:
        sentence: of an answer.
        grounds: what was retrieved.
        encoder: of the collection.
    """
    asked = sentence_vectors(sentence, encoder)
    if not len(asked) or not grounds:
        return Verdict(0.0, (), ())
    places = [(ground, place) for ground in grounds for place in range(len(ground.sentences))]
    score, chosen = _covering(_near(asked, grounds))
    citations = tuple(ground.citation(place) for ground, place in (places[i] for i in chosen))
    lacking = missing(sentence, "\n".join(each.text for each in citations))
    return Verdict(score, citations, tuple(lacking), _threshold(sentence, score, places[chosen[0]][0]))


def _threshold(sentence: str, score: float, cited: Ground) -> float:
    """Give the threshold that holds between the languages of both, which are looked at only where it matters."""
    if FOREIGN_THRESHOLD <= score < THRESHOLD and is_foreign(sentence, cited.hit.language):
        return FOREIGN_THRESHOLD
    return THRESHOLD


def sentence_vectors(sentence: str, encoder: Encoder) -> NDArray[np.float32]:
    """Encode a sentence as passages are, so that the same words have the same vectors; those of its words alone."""
    parts: list[NDArray[np.float32]] = [np.empty((0, encoder.dim), np.float32)]
    for passage in chunk(sentence, encoder, overlap=0):
        text = sentence[passage.start : passage.end]
        evidence = encoded_evidence(text, encoder)
        parts.append(evidence.vectors[visible(evidence, text)])
    return np.concatenate(parts)


def _near(asked: NDArray[np.float32], grounds: Sequence[Ground]) -> NDArray[np.float32]:
    """Say how near each word comes to any word of each sentence: 0 as the average word, 1 the same word.

    Raw similarities have another level in each language and with each encoder: in some, any two words are alike.
    """
    best = np.concatenate([ground.best(asked) for ground in grounds], axis=1)  # (n_vectors, n_sentences)
    words = np.concatenate([ground.words[0] for ground in grounds])
    usual = asked @ words.mean(axis=0) if len(words) else np.zeros(len(asked), np.float32)
    near: NDArray[np.float32] = (best - usual[:, None]) / np.maximum(1 - usual, LEAST_ROOM)[:, None]
    return near


def _covering(best: NDArray[np.float32]) -> tuple[float, list[int]]:
    """Choose the sentence that says most, then those that say what is left; give MaxSim per vector, and them."""
    means = best.mean(axis=0)
    chosen = [int(means.argmax())]
    covered = best[:, chosen[0]]
    while len(chosen) < MOST_CITATIONS:
        with_each = np.maximum(best, covered[:, None]).mean(axis=0)
        further = int(with_each.argmax())
        if with_each[further] < covered.mean() + LEAST_GAIN:
            break
        chosen.append(further)
        covered = np.maximum(covered, best[:, further])
    return float(min(max(covered.mean(), 0.0), 1.0)), chosen
