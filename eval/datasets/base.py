"""What an evaluation set is to the rest of `eval`: documents, questions, and which answers which."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from eval.report import TaskKey
from index.types import Document
from lfm2_colbert.errors import MalformedDocumentError, NotParallelError

Judgements = Mapping[str, Mapping[str, int]]
"""Query id → document id → grade; 0 or less is "not relevant"."""

EMPTY_DOCUMENTS, EMPTY_QUERIES, UNJUDGED = "empty documents", "empty queries", "queries without judgements"
UNANSWERABLE, UNMATCHED = "queries without a relevant document", "queries without a counterpart"
SHOWN_IDS = 5


@dataclass(frozen=True, slots=True)
class Task:
    """One evaluation set in one language of documents.

    Attributes:
        name: the set's name.
        language: language of the documents.
        query_language: language of the queries.
        split: which relevance judgements were taken.
        documents: by id; a title that is not empty is in their metadata.
        queries: text by query id; only those that are judged.
        qrels: of these queries.
        cleaned: cleaning rule → what it took away or found.
        part: of a set of several tasks, the short name of this one; else empty.
        revision: of the data: a commit of its repository, or ``local``.
        skips_own: whether the document with the query's own id is left out of what is found, as ArguAna wants it.
    """

    name: str
    language: str
    query_language: str
    split: str
    documents: Mapping[str, Document]
    queries: Mapping[str, str]
    qrels: Judgements
    cleaned: Mapping[str, int] = field(default_factory=dict)
    part: str = ""
    revision: str = "local"
    skips_own: bool = False

    @property
    def key(self) -> TaskKey:
        """Name the task as reports do."""
        kind = "monolingual" if self.query_language == self.language else "cross-lingual"
        return TaskKey(self.name, self.part or kind, self.query_language, self.language)


def cleaned(task: Task) -> Task:
    """Apply the rules that hold for every set, and count what they touch.

    Queries that are not judged or have no text are not asked; documents without text cannot be found by anybody and are
    left out. Judgements stay as they are: a query whose one answer is an empty document counts 0.

    Raises:
        MalformedDocumentError: a judgement names an id that does not exist, or no document or query is left.
    """
    place = "/".join(filter(None, (task.name, task.part, task.language)))
    _require_known(task.qrels, task.queries, f"{place}: queries")
    judged = [document_id for grades in task.qrels.values() for document_id in grades]
    _require_known(judged, task.documents, f"{place}: documents")
    documents = {key: each for key, each in task.documents.items() if has_text(each)}
    queries = {key: text for key, text in task.queries.items() if key in task.qrels and text.strip()}
    qrels = {key: grades for key, grades in task.qrels.items() if key in queries}
    for what, left in (("document", documents), ("judged query", qrels)):
        if not left:
            raise MalformedDocumentError(f"{place} has no {what} with text", help="there is nothing to measure")
    n_judged = sum(key in task.qrels for key in task.queries)
    counts = {
        EMPTY_DOCUMENTS: len(task.documents) - len(documents),
        EMPTY_QUERIES: n_judged - len(queries),
        UNJUDGED: len(task.queries) - n_judged,
        UNANSWERABLE: sum(max(grades.values()) <= 0 for grades in qrels.values()),
    }
    return replace(task, documents=documents, queries=queries, qrels=qrels, cleaned=_merged(task.cleaned, counts))


def crossed(task: Task, asked: Task) -> Task:
    """Ask the queries of another language, which has the same ids: those that both have.

    Raises:
        NotParallelError: no query is in both, or the two judge the same documents otherwise: their ids are equal by
            chance.
    """
    shared = [key for key in task.qrels if key in asked.queries]
    for key in shared:
        theirs = {
            document_id: grade for document_id, grade in asked.qrels[key].items() if document_id in task.documents
        }
        if theirs and theirs != task.qrels[key]:
            raise _not_parallel(task, asked, f"query '{key}' has other answers")
    if not shared:
        raise _not_parallel(task, asked, "no query is in both")
    queries, qrels = {key: asked.queries[key] for key in shared}, {key: task.qrels[key] for key in shared}
    counts = _merged(task.cleaned, {UNMATCHED: len(task.qrels) - len(shared)})
    return replace(task, queries=queries, qrels=qrels, query_language=asked.query_language, cleaned=counts)


def with_titles(task: Task) -> Task:
    """Put titles before texts, as BEIR does; a document has no metadata then."""
    documents = {
        key: Document(key, f"{each.metadata.get('title', '')} {each.text}".strip())
        for key, each in task.documents.items()
    }
    return replace(task, documents=documents)


def without_titles(task: Task) -> Task:
    """Keep ids and texts of the documents alone; one without text is left out, and counted."""
    documents = {key: Document(key, each.text) for key, each in task.documents.items() if each.text.strip()}
    counts = {EMPTY_DOCUMENTS: len(task.documents) - len(documents)}
    return replace(task, documents=documents, cleaned=_merged(task.cleaned, counts))


def sample(task: Task, n_queries: int, seed: int) -> Task:
    """Keep `n_queries` of the queries, drawn without replacement; all where there are no more."""
    names = sorted(task.queries)
    if len(names) <= n_queries:
        return task
    kept = sorted(np.random.default_rng(seed).choice(names, n_queries, replace=False).tolist())
    return replace(task, queries={i: task.queries[i] for i in kept}, qrels={i: task.qrels[i] for i in kept})


def has_text(document: Document) -> bool:
    """Say whether a document has a title or text."""
    return bool(document.text.strip() or str(document.metadata.get("title", "")).strip())


def _merged(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    found = dict(counts)
    for rule, count in more.items():
        if count:
            found[rule] = found.get(rule, 0) + count
    return found


def _require_known(named: Iterable[str], known: Collection[str], what: str) -> None:
    unknown = sorted({each for each in named if each not in known})
    if unknown:
        shown = ", ".join(unknown[:SHOWN_IDS]) + (", …" if len(unknown) > SHOWN_IDS else "")
        raise MalformedDocumentError(
            f"{what} named by the judgements but missing ({len(unknown)}): {shown}",
            help="take judgements and texts of the same version of the set",
        )


def _not_parallel(task: Task, asked: Task, why: str) -> NotParallelError:
    return NotParallelError(
        f"{task.name}: queries in {asked.query_language} cannot be asked of documents in {task.language}: {why}",
        help="choose languages whose ids are parallel",
    )
