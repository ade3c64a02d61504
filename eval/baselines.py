"""What a model has to beat: BM25 in one fixed recipe, so that figures compare across sets, languages and years."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from eval.datasets.base import Task
from index.types import Document
from lfm2_colbert.registry import missing_extra

K1 = 0.9
B = 0.4
STEM_CHARACTERS = 6
WORD = re.compile(r"\w+")  # Python's own: it breaks Hindi and Thai at vowel signs, which is part of the recipe
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}ー"
RUN = regex.compile(rf"[{UNSPACED}]+|[^{UNSPACED}]+")
IS_UNSPACED = regex.compile(rf"[{UNSPACED}]")
LATIN = regex.compile(r"\p{Latin}")


def bm25(task: Task, *, k: int = 100) -> dict[str, dict[str, float]]:
    """Rank the documents of a task for each of its queries; a title that is not part of the text is searched with it.

    Returns:
        A run: query id → document id → score, at most `k` each; documents without a word of the query are left out.

    Raises:
        MissingExtraError: bm25s is not installed.
    """
    document_ids = sorted(task.documents)
    index = Bm25([tokens_of(searchable(task.documents[document_id])) for document_id in document_ids])
    run = {}
    for query_id, query in task.queries.items():
        scores = index.scores(tokens_of(query))
        best = np.argsort(-scores, kind="stable")[:k]  # stable: ties stay in the order of their ids
        run[query_id] = {document_ids[i]: float(scores[i]) for i in best if scores[i] > 0}
    return run


class Bm25:
    """Lucene's BM25 over tokenised documents: ``idf = ln(1 + (N - df + 0.5) / (df + 0.5))``, k1 0.9, b 0.4."""

    def __init__(self, documents: Sequence[Sequence[str]]) -> None:
        """Count the words of all documents.

        Raises:
            MissingExtraError: bm25s is not installed.
        """
        self.n_documents = len(documents)
        self._index = _indexed(documents) if any(documents) else None

    def scores(self, query: Iterable[str]) -> NDArray[np.float32]:
        """Score all documents ``(n_documents,)``; a word that stands twice in the query counts twice."""
        # bm25s fails on a query without any known word.
        words = [word for word in query if self._index is not None and word in self._index.vocab_dict]
        if self._index is None or not words:
            return np.zeros(self.n_documents, np.float32)
        return np.asarray(self._index.get_scores(words), np.float32)


def searchable(document: Document) -> str:
    """Join title and text."""
    return f"{document.metadata.get('title', '')} {document.text}".strip()


def tokens_of(text: str) -> list[str]:
    """Cut a text into index words.

    Lower case after NFKC; words of Latin script are cut to their first 6 characters, and runs of Han, kana, Hangul and
    Thai become pairs of characters.

    Example:
        >>> tokens_of("Urlaubsantrag für 有給休暇")
        ['urlaub', 'für', '有給', '給休', '休暇']
    """
    words = WORD.findall(unicodedata.normalize("NFKC", text).lower())
    return [token for word in words for run in RUN.findall(word) for token in _tokens_of_run(run)]


def _tokens_of_run(run: str) -> list[str]:
    if IS_UNSPACED.match(run):
        return [run[i : i + 2] for i in range(max(1, len(run) - 1))]
    return [run[:STEM_CHARACTERS] if LATIN.search(run) else run]


def _indexed(documents: Sequence[Sequence[str]]) -> Any:
    try:
        import bm25s
    except ModuleNotFoundError as error:
        raise missing_extra("the baseline bm25", error.name or "bm25s", "eval") from error
    index = bm25s.BM25(method="lucene", k1=K1, b=B)
    index.index([list(document) for document in documents], show_progress=False)
    return index
