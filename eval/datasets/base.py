"""What an evaluation set is to the rest of `eval`: documents, questions, and which answers which."""

from collections.abc import Mapping
from dataclasses import dataclass

from index.types import Document


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
        qrels: query id → document id → grade; 0 or less is "not relevant".
        n_empty: documents without text, which no engine can find.
    """

    name: str
    language: str
    query_language: str
    split: str
    documents: Mapping[str, Document]
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]
    n_empty: int
