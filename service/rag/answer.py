"""What an answer is: its sentences, what each rests on, and the passages that it was made of."""

from collections.abc import Mapping
from dataclasses import dataclass

from index.types import Hit, Notice


@dataclass(frozen=True, slots=True)
class Citation:
    """What a sentence rests on.

    Attributes:
        document_id: of a passage that was retrieved.
        passage: its ordinal in the document.
        start: first code point in the document's text, on a grapheme boundary.
        end: one past the last.
        text: what stands there.
    """

    document_id: str
    passage: int
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    """A sentence of an answer, as it was judged.

    Attributes:
        text: the sentence.
        start: first code point in the answer.
        end: one past the last.
        supported: whether passages say so, as far as this can be told without a judge.
        score: 0..1, how near its words come to those it cites: 0 as the average word of all passages, 1 the same.
        citations: what it rests on; of a sentence whose numbers alone are wrong, what it seems to rest on.
        missing_numbers: numbers in it that stand in nothing it cites.
    """

    text: str
    start: int
    end: int
    supported: bool
    score: float
    citations: tuple[Citation, ...] = ()
    missing_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question.

    Attributes:
        question: as it was asked.
        query: as it was searched for; another where earlier questions were taken into it.
        collection: that was asked.
        answer: the text; "" where nothing relevant was found.
        sentences: of the text, in its order.
        sources: passages that it was made of, best first.
        warnings: what was noticed on the way.
        model: of the generator.
        timings_ms: wall time of each step.
    """

    question: str
    query: str
    collection: str
    answer: str
    sentences: tuple[AnswerSentence, ...]
    sources: tuple[Hit, ...]
    warnings: tuple[Notice, ...]
    model: str
    timings_ms: Mapping[str, float]
