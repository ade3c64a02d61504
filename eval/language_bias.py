"""Which language does a search prefer, where every document is there in all of them?

All translations of a document answer a question alike, so a search without preference finds each language as often.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eval.datasets.base import Task
from eval.report import LanguageShare
from eval.served import Served
from eval.significance import bootstrap_interval
from index.types import Document, SearchResult
from lfm2_colbert.errors import NotParallelError

COUNTED = 10
"""Of the best documents of each query."""

OnAsked = Callable[[str, float], None]


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


def pooled(tasks: Sequence[Task]) -> list[Pool]:
    """Put the tasks of each set together whose documents have the same ids in several languages.

    Raises:
        NotParallelError: a set has two languages or more, but no document or query in all of them.
    """
    sets: dict[str, list[Task]] = {}
    for task in tasks:
        sets.setdefault(f"{task.name} {task.part}".strip(), []).append(task)
    return [_pool(name, own) for name, own in sets.items() if len(own) > 1]


def shares_of(
    pool: Pool, served: Served, mode: str, effort: str, seed: int, on_asked: OnAsked
) -> Iterator[LanguageShare]:
    """Ask each language's queries of the pool, and count the languages of what is found."""
    languages = [task.language for task in pool.tasks]
    for number, task in enumerate(pool.tasks):
        found = np.zeros((len(task.queries), len(languages)))
        for row, query in enumerate(task.queries.values()):
            found[row] = _counted(served.search(query, COUNTED, mode, effort), languages)
            on_asked(f"queries in {task.language}", (number + (row + 1) / len(task.queries)) / len(languages))
        for column, language in enumerate(languages):
            interval = bootstrap_interval(found[:, column], seed=seed)
            yield LanguageShare(
                dataset=pool.dataset,
                setting=f"{mode} {effort}",
                query_language=task.language,
                document_language=language,
                queries=len(task.queries),
                share=round(float(found[:, column].mean()), 4),
                low=round(interval.low, 4),
                high=round(interval.high, 4),
                expected=round(1 / len(languages), 4),
            )


def _counted(result: SearchResult, languages: Sequence[str]) -> list[float]:
    """Give each language's share of the hits; nothing found is nobody's."""
    own = [hit.document_id.partition("/")[0] for hit in result.hits]
    return [own.count(language) / max(len(own), 1) for language in languages]


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
        )
        for task in tasks
    ]
    documents = {
        f"{task.language}/{key}": Document(f"{task.language}/{key}", document.text)
        for task in cut
        for key, document in task.documents.items()
    }
    return Pool(name, tuple(cut), documents)
