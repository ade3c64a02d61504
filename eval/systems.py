"""What is compared on a task: the collection as it is served, in each setting, and what it is measured against."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from eval.baselines import K1, B, bm25
from eval.datasets.base import Task
from eval.machine import code_fingerprint
from eval.measures import Run
from eval.oracle import best_of_each
from eval.report import SystemKey
from eval.served import Served
from eval.trec import falling
from index.calibration import NOTHING_RELEVANT
from index.hits import UNCALIBRATED
from index.indexing import OnProgress
from index.types import SearchResult

FOUND = 100
"""Documents taken of each query: recall is measured at 100."""
OURS, ORACLE, WORDS = "lfm2-colbert", "oracle", "bm25"

OnQuery = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a system found, and what finding it took.

    Attributes:
        run: query id → document id → score, at most `FOUND` each.
        passages: stretches of text that were ranked.
        figures: of the system, by their names in results.
        warnings: code of a search's warning → in how many searches.
    """

    run: Run
    passages: int
    figures: Mapping[str, float] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)


class System(Protocol):
    """Something that ranks the documents of a task."""

    @property
    def key(self) -> SystemKey:
        """Its name and setting, as in results."""

    @property
    def made_of(self) -> str:
        """Whatever its answers depend on beside the task's queries; the same text, the same answers."""

    def answer(self, task: Task, on_progress: OnProgress, on_query: OnQuery) -> Answers:
        """Rank; `on_progress` hears of encoding, `on_query` of each query that was asked."""


@dataclass(frozen=True, slots=True)
class ServedSystem:
    """A collection, asked as a person asks it."""

    served: Served
    name: str
    mode: str
    effort: str

    @property
    def key(self) -> SystemKey:
        """``lfm2-colbert semantic balanced``, …; words alone know no effort."""
        return SystemKey(self.name, self.mode if self.mode == "lexical" else f"{self.mode} {self.effort}")

    @property
    def made_of(self) -> str:
        """The collection and the setting."""
        return f"{self.served.key} {self.key}"

    def answer(self, task: Task, on_progress: OnProgress, on_query: OnQuery) -> Answers:
        """Ask each query by itself, and time it."""
        self.served.index(on_progress)
        asked = _Asked(task.skips_own)
        for query_id, query in task.queries.items():
            asked.take(query_id, self.served.search(query, FOUND + task.skips_own, self.mode, self.effort))
            on_query()
        return Answers(asked.run, len(self.served.passages), asked.figures() | self._costs(), asked.warnings)

    def _costs(self) -> dict[str, float]:
        cost = self.served.cost
        figures = {
            "truncated": self.served.truncated,
            "disk_bytes_per_token": round(self.served.bytes_per_token(), 1),
        }
        if not cost.texts:  # somebody took the kept vectors away, and the collection needs them no more
            return figures
        rate = len(self.served.documents) / cost.seconds
        return figures | {"encode_s": round(cost.seconds, 1), "encode_docs_per_s": round(rate, 1)}


@dataclass(frozen=True, slots=True)
class OracleSystem:
    """Every passage by MaxSim over the encoder's own vectors, of which only the rounding to float16 is lost.

    A long query is read in the windows of a served search.
    """

    served: Served

    @property
    def key(self) -> SystemKey:
        """``oracle``."""
        return SystemKey(ORACLE, "MaxSim over the encoder's vectors")

    @property
    def made_of(self) -> str:
        """The collection, and how queries are read."""
        return f"{self.served.key} {self.key}, best window"

    def answer(self, task: Task, on_progress: OnProgress, on_query: OnQuery) -> Answers:
        """Score everything."""
        self.served.index(on_progress)
        run: dict[str, dict[str, float]] = {}
        asked = self.served.encoder.asked(list(task.queries.values()))
        ids = [document_id for document_id, _ in self.served.passages]
        for part in best_of_each(asked, list(task.queries), self.served.vectors(), ids, FOUND + task.skips_own):
            run |= part
            for _ in part:
                on_query()
        return Answers(without_own(run, task), len(ids))


@dataclass(frozen=True, slots=True)
class WordSystem:
    """BM25 in the fixed recipe of `eval.baselines`."""

    corpus: str

    @property
    def key(self) -> SystemKey:
        """``bm25`` and its constants."""
        return SystemKey(WORDS, f"k1={K1} b={B}")

    @property
    def made_of(self) -> str:
        """The documents, and the code that ranks them."""
        return f"{self.corpus} {self.key} {code_fingerprint()}"

    def answer(self, task: Task, on_progress: OnProgress, on_query: OnQuery) -> Answers:
        """Rank whole documents by their words."""
        started = time.perf_counter()
        run = bm25(task, k=FOUND + task.skips_own)
        for _ in task.queries:
            on_query()
        seconds = time.perf_counter() - started
        return Answers(without_own(run, task), len(task.documents), {"seconds": round(seconds, 2)})


class _Asked:
    """What searches gave so far."""

    def __init__(self, skips_own: bool) -> None:
        self._skips_own = skips_own
        self.run: dict[str, dict[str, float]] = {}
        self.warnings: dict[str, int] = {}
        self._encode: list[float] = []
        self._search: list[float] = []
        self._n_denied = 0

    def take(self, query_id: str, result: SearchResult) -> None:
        """Take a ranking; scores of hits fall strictly, so that no sorting changes their order."""
        hits = [hit for hit in result.hits if not self._skips_own or hit.document_id != query_id][:FOUND]
        scores = falling(hit.score for hit in hits)
        self.run[query_id] = dict(zip((hit.document_id for hit in hits), scores, strict=True))
        self._encode.append(result.timings_ms.get("encode", 0.0))
        self._search.append(result.timings_ms["search"])
        codes = {notice.code for notice in result.warnings} - {UNCALIBRATED}
        self._n_denied += NOTHING_RELEVANT in codes
        for code in codes - {NOTHING_RELEVANT}:
            self.warnings[code] = self.warnings.get(code, 0) + 1

    def figures(self) -> dict[str, float]:
        """Give the median and the 95th percentile of both steps, and how often an answer was said to be none."""
        denied = round(self._n_denied / len(self.run), 4)
        return {"nothing_relevant": denied} | {
            f"{step}_ms_p{p}": round(float(np.percentile(spent, p)), 2)
            for step, spent in (("encode", self._encode), ("search", self._search))
            for p in (50, 95)
        }


def without_own(run: Mapping[str, Mapping[str, float]], task: Task) -> Run:
    """Leave out of each ranking the document that the query itself is, where the task wants it."""
    if not task.skips_own:
        return run
    return {
        query_id: dict([pair for pair in scores.items() if pair[0] != query_id][:FOUND])
        for query_id, scores in run.items()
    }
