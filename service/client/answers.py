"""From JSON to the dataclasses that a local collection gives (`service.shapes` is the way there)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from index.records import Summary
from index.types import FacetValue, Failure, Notice, Ranked, SearchResult
from service.engine.jobs import Job, JobState
from service.rag.answer import Answer, AnswerSentence, Citation
from service.results import highlights_of, hit_of, result_of

if TYPE_CHECKING:
    from lfm2_colbert.multivectors import MultiVectors


@dataclass(frozen=True, slots=True)
class RemoteDocument:
    """A document as a server stores it; `pending`: not searchable yet; `text` is "" where it was not asked for."""

    id: str
    text: str
    metadata: Mapping[str, Any]
    pending: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of documents.

    Attributes:
        added: new ones.
        changed: ones that were there, with another text or other metadata.
        unchanged: ones that were there as they are.
        failed: ones that were not stored, and why; `path` is their id.
        jobs: that make them searchable, in the order in which they were begun; none where nothing was to be done.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: tuple[Failure, ...] = ()
    jobs: tuple[str, ...] = ()

    def __add__(self, other: "Stored") -> "Stored":
        """Count both together."""
        return Stored(
            self.added + other.added,
            self.changed + other.changed,
            self.unchanged + other.unchanged,
            self.failed + other.failed,
            tuple(dict.fromkeys(self.jobs + other.jobs)),
        )

    def __len__(self) -> int:
        """Count the documents that are stored now."""
        return self.added + self.changed + self.unchanged


def results_of(value: Any) -> list[SearchResult]:
    """Read the answers to many queries."""
    return list(map(result_of, value["results"]))


def answer_of(value: Any) -> Answer:
    """Read an answer to a question."""
    return Answer(
        question=value["question"],
        query=value["query"],
        collection=value["collection"],
        answer=value["answer"],
        sentences=tuple(map(_sentence, value["sentences"])),
        sources=tuple(map(hit_of, value["sources"])),
        warnings=tuple(Notice(each["code"], each["message"]) for each in value["warnings"]),
        model=value["model"],
        timings_ms=dict(value["timings_ms"]),
    )


def facets_of(value: Any) -> list[FacetValue]:
    """Read the values of a field."""
    return [FacetValue(each["value"], each["documents"]) for each in value["values"]]


def summaries_of(value: Any) -> list[Summary]:
    """Read a list of collections."""
    return [
        Summary(each["collection"], each["documents"], each["bytes"], each["encoder"]) for each in value["collections"]
    ]


def document_of(value: Any) -> RemoteDocument:
    """Read a document."""
    return RemoteDocument(value["document_id"], value.get("text") or "", value["metadata"], value["pending"])


def stored_of(value: Any, ids: Sequence[str]) -> Stored:
    """Read what became of documents that were sent a line each, with these ids."""
    jobs = (str(value["job"]),) if value["job"] else ()
    return Stored(value["added"], value["changed"], value["unchanged"], _failures(value["items"], ids), jobs)


def ranked_of(value: Any) -> list[Ranked]:
    """Read texts in their order."""
    return [
        Ranked(each["index"], each["score"], each["raw_score"], highlights_of(each["highlights"]))
        for each in value["results"]
    ]


def job_of(value: Any) -> Job:
    """Read how far a job has come."""
    return Job(
        id=value["job"],
        kind=value["kind"],
        collection=value["collection"],
        state=JobState(value["state"]),
        progress=value["progress"],
        result=value["result"],
        error=value["error"],
        started=value["started"],
        ended=value["ended"],
    )


def vectors_of(value: Any) -> "MultiVectors":
    """Read token vectors of texts."""
    import numpy as np

    from lfm2_colbert.multivectors import MultiVectors

    dim = value["dim"]
    items = [np.array(each["vectors"], np.float32).reshape(-1, dim) for each in value["data"]]
    return MultiVectors.of(items, dim=dim)


def _failures(items: Any, ids: Sequence[str]) -> tuple[Failure, ...]:
    failed = [item for item in items if item["status"] == "failed"]
    return tuple(Failure(ids[item["line"] - 1], item["error"]["code"], item["error"]["message"]) for item in failed)


def _sentence(value: Any) -> AnswerSentence:
    return AnswerSentence(
        text=value["text"],
        start=value["start"],
        end=value["end"],
        supported=value["supported"],
        score=value["score"],
        citations=tuple(Citation(**each) for each in value["citations"]),
        missing_numbers=tuple(value["missing_numbers"]),
    )
