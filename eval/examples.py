"""The queries that were answered worst, with what was found and what should have been."""

from collections.abc import Mapping, Sequence

import regex

from eval.datasets.base import Task
from eval.measures import FIGURES
from eval.report import Document, Example, SystemKey, Values
from eval.systems import OURS, WORDS, Answers

SHOWN, HITS, MISSED, CHARACTERS = 3, 10, 3, 300
NDCG = FIGURES["nDCG@10"]
BEGINNING = regex.compile(rf"\X{{0,{CHARACTERS}}}")


def worst(task: Task, found: Mapping[SystemKey, Answers], values: Mapping[SystemKey, Values]) -> list[Example]:
    """Show the worst queries of the first setting of ours, of equal ones those that words answered best."""
    ours = next(system for system in found if system.system == OURS)
    words = next((system for system in found if system.system == WORDS), None)
    own = values[ours][NDCG]
    theirs = values[words][NDCG] if words else dict.fromkeys(own, 0.0)
    order = sorted((query_id for query_id in own if own[query_id] < 1), key=lambda q: (own[q], -theirs[q], q))
    return [
        Example(
            task=task.key,
            system=ours,
            query_id=query_id,
            query=task.queries[query_id],
            ndcg_at_10=round(own[query_id], 4),
            baseline=words,
            baseline_ndcg_at_10=round(theirs[query_id], 4) if words else None,
            hits=_documents(task, query_id, _best(found[ours], query_id)),
            missed=_documents(task, query_id, _missed(task, query_id, _best(found[ours], query_id))),
        )
        for query_id in order[:SHOWN]
    ]


def _best(answers: Answers, query_id: str) -> list[str]:
    scores = answers.run.get(query_id, {})
    return sorted(scores, key=lambda document_id: (-scores[document_id], document_id))[:HITS]


def _missed(task: Task, query_id: str, best: Sequence[str]) -> list[str]:
    relevant = {document_id: grade for document_id, grade in task.qrels[query_id].items() if grade > 0}
    return sorted(relevant.keys() - set(best), key=lambda each: (-relevant[each], each))[:MISSED]


def _documents(task: Task, query_id: str, ids: Sequence[str]) -> tuple[Document, ...]:
    grades = task.qrels[query_id]
    return tuple(Document(each, beginning(task, each), grades.get(each)) for each in ids)


def beginning(task: Task, document_id: str) -> str:
    """Give the first characters of a document, whole ones as people see them; nothing where it had no text."""
    document = task.documents.get(document_id)
    found = BEGINNING.match(document.text) if document else None
    return found[0] if found else ""
