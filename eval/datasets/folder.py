"""Evaluation sets that lie on this machine in BEIR's layout.

<folder>/<language>/corpus.jsonl            {"_id", "title", "text"}
<folder>/<language>/queries[.LANGUAGE].jsonl {"_id", "text"}
<folder>/<language>/qrels/<split>.tsv       header, then query id, document id, grade
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from eval.datasets.base import Task
from index.types import Document
from lfm2_colbert.errors import DuplicateIdError, MalformedDocumentError, NotFoundError

HEADER = ["query-id", "corpus-id", "score"]
SHOWN_IDS = 5


def languages(folder: Path) -> list[str]:
    """List the languages that a set has, sorted."""
    return sorted(path.parent.name for path in folder.glob("*/corpus.jsonl"))


def load(folder: Path, language: str, *, query_language: str | None = None, split: str = "test") -> Task:
    """Load one language of a set, with the queries that its judgements name.

    Args:
        folder: the set; its name is the task's.
        language: the folder of the documents.
        query_language: takes ``queries.LANGUAGE.jsonl``; by default ``queries.jsonl``, said to be in `language`.
        split: the file of judgements.

    Raises:
        NotFoundError: a file is missing.
        MalformedDocumentError: a row is broken, or a judgement names an id that does not exist.
        DuplicateIdError: an id occurs twice.
    """
    home = folder / language
    queries_file = home / (f"queries.{query_language}.jsonl" if query_language else "queries.jsonl")
    documents = {row["_id"]: _document(row) for row in _rows(home / "corpus.jsonl")}
    queries = {row["_id"]: row["text"] for row in _rows(queries_file)}
    qrels = _qrels(home / "qrels" / f"{split}.tsv")
    _require_known(qrels, queries, f"{folder.name}/{language}: queries")
    judged = [document_id for grades in qrels.values() for document_id in grades]
    _require_known(judged, documents, f"{folder.name}/{language}: documents")
    return Task(
        name=folder.name,
        language=language,
        query_language=query_language or language,
        split=split,
        documents=documents,
        queries={query_id: queries[query_id] for query_id in qrels},
        qrels=qrels,
        n_empty=sum(not document.text.strip() for document in documents.values()),
    )


def _document(row: dict[str, Any]) -> Document:
    title = row.get("title") or ""
    return Document(row["_id"], row["text"], {"title": title} if title else {})


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Give rows whose ``_id`` and ``text`` are text and whose ids differ."""
    seen: set[str] = set()
    for place, line in _lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise MalformedDocumentError(f"{place} is not JSON", help="one object a line") from error
        if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("_id", "text")):
            raise MalformedDocumentError(f"{place} lacks '_id' or 'text'", help="both must be there, and be text")
        if row["_id"] in seen:
            raise DuplicateIdError(f"{place} has the id '{row['_id']}' again", help="give each row its own id")
        seen.add(row["_id"])
        yield row


def _qrels(path: Path) -> dict[str, dict[str, int]]:
    lines = _lines(path)
    _, header = next(lines, ("", ""))
    if header.split("\t") != HEADER:
        raise MalformedDocumentError(f"{path} does not begin with its header", help="write: " + "<tab>".join(HEADER))
    qrels: dict[str, dict[str, int]] = {}
    for place, line in lines:
        try:
            query_id, document_id, grade = line.split("\t")
            qrels.setdefault(query_id, {})[document_id] = int(grade)
        except ValueError as error:
            raise MalformedDocumentError(
                f"{place} is no judgement", help="query id, document id, whole number"
            ) from error
    if not qrels:
        raise MalformedDocumentError(
            f"{path} holds no judgement", help="without judgements there is nothing to measure"
        )
    return qrels


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Give each line that is not blank, with the place that messages call it by."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield f"{path}:{number}", line.rstrip("\r\n")
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no {path}", help="see eval/datasets/folder.py for the layout") from error
    except UnicodeDecodeError as error:
        raise MalformedDocumentError(f"{path} is not UTF-8", help="convert it to UTF-8") from error


def _require_known(named: Iterable[str], known: Iterable[str], what: str) -> None:
    unknown = sorted(set(named) - set(known))
    if unknown:
        shown = ", ".join(unknown[:SHOWN_IDS]) + (", …" if len(unknown) > SHOWN_IDS else "")
        raise MalformedDocumentError(
            f"{what} named by the judgements but missing ({len(unknown)}): {shown}",
            help="take judgements and texts of the same version of the set",
        )
