"""Files of an evaluation set: rows of JSON Lines or parquet, and judgements in BEIR's format."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from index.types import Document
from lfm2_colbert.errors import DuplicateIdError, MalformedDocumentError, NotFoundError
from lfm2_colbert.registry import missing_extra

HEADER = ["query-id", "corpus-id", "score"]

Row = Mapping[str, Any]


def json_lines(path: Path) -> Iterator[tuple[str, Row]]:
    """Give each row and the place that messages call it by.

    Raises:
        NotFoundError: there is no such file.
        MalformedDocumentError: a line is not a JSON object, or the file is not UTF-8.
    """
    for place, line in _lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise MalformedDocumentError(f"{place} is not JSON", help="one object a line") from error
        if not isinstance(row, dict):
            raise MalformedDocumentError(f"{place} is not a JSON object", help="one object a line")
        yield place, row


def parquet_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Give each row of a parquet file and the place that messages call it by.

    Raises:
        MalformedDocumentError: it is not a parquet file.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise missing_extra("reading parquet", error.name or "pyarrow", "eval") from error
    try:
        rows = parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise MalformedDocumentError(f"{path} is not a parquet file", help="fetch it again") from error
    return ((f"{path}:{number}", row) for number, row in enumerate(rows, start=1))


def documents_of(rows: Iterable[tuple[str, Row]]) -> dict[str, Document]:
    """Read documents: ``_id``, ``text``, and ``title``, which may be empty or absent."""
    documents = {}
    for key, row in _identified(rows):
        title = row.get("title") or ""
        documents[key] = Document(key, row["text"], {"title": title} if title else {})
    return documents


def queries_of(rows: Iterable[tuple[str, Row]]) -> dict[str, str]:
    """Read queries: ``_id`` and ``text``."""
    return {key: row["text"] for key, row in _identified(rows)}


def judgements_of(rows: Iterable[tuple[str, Row]]) -> dict[str, dict[str, int]]:
    """Read judgements: ``query-id``, ``corpus-id`` (an id, or a list of them) and ``score``, 1 where it is absent."""
    qrels: dict[str, dict[str, int]] = {}
    for place, row in rows:
        query_id, named, grade = row.get("query-id"), row.get("corpus-id"), row.get("score", 1)
        ids = named if isinstance(named, list) else [named]
        if not isinstance(query_id, str) or not all(isinstance(each, str) for each in ids):
            raise MalformedDocumentError(f"{place} is no judgement", help="query-id, corpus-id and score")
        qrels.setdefault(query_id, {}).update((str(each), _grade(place, grade)) for each in ids)
    return qrels


def tab_separated_judgements(path: Path) -> dict[str, dict[str, int]]:
    """Read BEIR's file of judgements.

    Raises:
        NotFoundError: there is no such file; the help names those that are beside it.
        MalformedDocumentError: a line is no judgement, or there is none.
    """
    lines = _lines(path)
    _, header = next(lines, ("", ""))
    if header.split("\t") != HEADER:
        raise MalformedDocumentError(f"{path} does not begin with its header", help="write: " + "<tab>".join(HEADER))
    qrels: dict[str, dict[str, int]] = {}
    for place, line in lines:
        columns = line.split("\t")
        if len(columns) != len(HEADER):
            raise MalformedDocumentError(f"{place} is no judgement", help="query id, document id, whole number")
        qrels.setdefault(columns[0], {})[columns[1]] = _grade(place, columns[2])
    if not qrels:
        raise MalformedDocumentError(
            f"{path} holds no judgement", help="without judgements there is nothing to measure"
        )
    return qrels


def _grade(place: str, value: Any) -> int:
    try:
        grade = int(value)
    except (TypeError, ValueError):
        grade = None
    if grade is None or grade != float(value):
        raise MalformedDocumentError(f"{place} is no judgement", help="query id, document id, whole number")
    return grade


def _identified(rows: Iterable[tuple[str, Row]]) -> Iterator[tuple[str, Row]]:
    """Give rows by their ids, which differ: ``_id``, or ``id`` as in some layouts; both id and ``text`` are text."""
    seen: set[str] = set()
    for place, row in rows:
        key = row.get("_id", row.get("id"))
        if not isinstance(key, str) or not isinstance(row.get("text"), str):
            raise MalformedDocumentError(f"{place} lacks '_id' or 'text'", help="both must be there, and be text")
        if key in seen:
            raise DuplicateIdError(f"{place} has the id '{key}' again", help="give each row its own id")
        seen.add(key)
        yield key, row


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Give each line that is not blank, with the place that messages call it by."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield f"{path}:{number}", line.rstrip("\r\n")
    except FileNotFoundError as error:
        beside = sorted(each.name for each in path.parent.glob(f"*{path.suffix}")) if path.parent.is_dir() else []
        there = f"there are: {', '.join(beside)}" if beside else "docs/guides/evaluating.md shows the layout"
        raise NotFoundError(f"there is no {path}", help=there) from error
    except UnicodeDecodeError as error:
        raise MalformedDocumentError(f"{path} is not UTF-8", help="convert it to UTF-8") from error
