"""Which language does a search prefer, where every document is there in all of them?

All translations of a document answer a question alike, so a search without preference finds each language as often.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from eval.datasets.base import Task
from eval.progress import OnProgress, Progress
from eval.report import LanguageShare, TaskKey
from eval.served import Build, Served
from eval.significance import bootstrap_interval
from index.indexing import EncodingProgress
from index.types import Document, SearchResult
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.errors import NotParallelError

COUNTED = 10
"""Of the best documents of each query."""

Tell = Callable[[str, float], None]
"""Takes the step, and how much of it is done."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Documents of a set in all its languages.

    Attributes:
        dataset: its name.
        tasks: one a language, cut to the ids that all have.
        documents: all of them, under ``language/id``.
    """

    dataset: str
    tasks: tuple[Task, ...]
    documents: dict[str, Document]


@dataclass(frozen=True, slots=True)
class Pooled:
    """How pools are searched."""

    mode: str
    effort: str
    build: Build
    seed: int


def language_shares(
    tasks: Sequence[Task], encoder: Encoder, how: Pooled, folder: Path, on_progress: OnProgress
) -> Iterator[LanguageShare]:
    """Index a pool of each set that has several languages, and count the languages of what is found there.

    Args:
        tasks: documents and queries in the same language, ready to be indexed.
        encoder: to evaluate.
        how: pools are searched.
        folder: of all collections of evaluations.
        on_progress: called often.

    Raises:
        NotParallelError: a set has two languages or more, but no document or query in all of them.
    """
    pools = pooled(tasks)
    for number, pool in enumerate(pools, start=1):
        key = TaskKey(pool.dataset, "language bias", "all", "all")
        tell = partial(_tell, on_progress, key, number, len(pools))
        parts = [task.documents for task in pool.tasks]
        with Served(pool.documents, encoder, how.build, folder, parts=parts) as served:
            served.index(partial(_encoded, tell))
            yield from _shares(pool, served, how, tell)


def pooled(tasks: Sequence[Task]) -> list[Pool]:
    """Put the tasks of each set together whose documents have the same ids in several languages.

    Raises:
        NotParallelError: a set has two languages or more, but no document or query in all of them.
    """
    sets: dict[str, list[Task]] = {}
    for task in tasks:
        sets.setdefault(f"{task.name} {task.part}".strip(), []).append(task)
    return [_pool(name, own) for name, own in sets.items() if len(own) > 1]


def _shares(pool: Pool, served: Served, how: Pooled, tell: Tell) -> Iterator[LanguageShare]:
    """Ask each language's queries of the pool, and count the languages of what is found."""
    languages = [task.language for task in pool.tasks]
    for number, task in enumerate(pool.tasks):
        found = np.zeros((len(task.queries), len(languages)))
        for row, (query_id, query) in enumerate(task.queries.items()):
            own = {f"{language}/{query_id}" for language in languages} if task.skips_own else set()
            result = served.search(query, COUNTED + len(own), how.mode, how.effort)
            found[row] = _counted(result, own, languages)
            tell(f"queries in {task.language}", (number + (row + 1) / len(task.queries)) / len(languages))
        for column, language in enumerate(languages):
            interval = bootstrap_interval(found[:, column], seed=how.seed)
            yield LanguageShare(
                dataset=pool.dataset,
                setting=f"{how.mode} {how.effort}",
                query_language=task.language,
                document_language=language,
                queries=len(task.queries),
                share=round(float(found[:, column].mean()), 4),
                low=round(interval.low, 4),
                high=round(interval.high, 4),
                expected=round(1 / len(languages), 4),
            )


def _counted(result: SearchResult, own: Container[str], languages: Sequence[str]) -> list[float]:
    """Give each language's share of the best, without the query's own document; nothing found is nobody's."""
    best = [hit.document_id for hit in result.hits if hit.document_id not in own][:COUNTED]
    found = [document_id.partition("/")[0] for document_id in best]
    return [found.count(language) / max(len(found), 1) for language in languages]


def _pool(name: str, tasks: Sequence[Task]) -> Pool:
    ids = set.intersection(*(set(task.documents) for task in tasks))
    asked = set.intersection(*(set(task.queries) for task in tasks))
    if not ids or not asked:
        raise NotParallelError(
            f"{name}: no document or query has the same id in {', '.join(task.language for task in tasks)}",
            help="leave --language-bias out, or name languages that are parallel",
        )
    cut = [
        Task(
            name=task.name,
            language=task.language,
            query_language=task.query_language,
            split=task.split,
            documents={key: task.documents[key] for key in task.documents if key in ids},
            queries={key: text for key, text in task.queries.items() if key in asked},
            qrels={key: grades for key, grades in task.qrels.items() if key in asked},
            skips_own=task.skips_own,
        )
        for task in tasks
    ]
    documents = {
        f"{task.language}/{key}": Document(f"{task.language}/{key}", document.text)
        for task in cut
        for key, document in task.documents.items()
    }
    return Pool(name, tuple(cut), documents)


def _tell(on_progress: OnProgress, key: TaskKey, number: int, total: int, step: str, done: float) -> None:
    on_progress(Progress(key, number, total, step, done))


def _encoded(tell: Tell, state: EncodingProgress) -> None:
    tell("encode", state.characters / max(state.total_characters, 1))
