"""Questions in files, and runs in the format of TREC, which every evaluation tool reads."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lfm2_colbert.errors import InvalidArgumentError

if TYPE_CHECKING:
    from index import SearchResult

TAG = "lfm2-colbert"
WHITE_SPACE = re.compile(r"\s")


class Query(NamedTuple):
    """A question and the id it has in judgements."""

    query_id: str
    text: str


def read_queries(path: Path) -> list[Query]:
    """Read questions: JSON Lines with `_id` and `text`, or lines of an id, a tabulator and the text.

    Raises:
        InvalidArgumentError: it cannot be read, a line is neither, an id comes twice, or there is no line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"{path} cannot be read as UTF-8: {error}", help="give a text file") from error
    queries = [_query(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    seen: set[str] = set()
    for query in queries:
        if query.query_id in seen:
            raise InvalidArgumentError(f"{path}: the id '{query.query_id}' comes twice", help="give each its own")
        seen.add(query.query_id)
    if not queries:
        raise InvalidArgumentError(f"{path} has no questions", help="write one on each line")
    return queries


def _query(path: Path, number: int, line: str) -> Query:
    query = _of_json(line) if line.lstrip().startswith("{") else _of_columns(line)
    if query is None or not query.query_id or WHITE_SPACE.search(query.query_id) or not query.text.strip():
        raise InvalidArgumentError(
            f"{path}, line {number}: this is no question with an id",
            help='write {"_id": "1", "text": "…"}, or the id, a tabulator and the text; ids have no white space',
        )
    return query


def _of_json(line: str) -> Query | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    query_id, text = row.get("_id"), row.get("text")
    is_id = isinstance(query_id, str) or type(query_id) is int
    return Query(str(query_id), text) if is_id and isinstance(text, str) else None


def _of_columns(line: str) -> Query | None:
    query_id, tabulator, text = line.rstrip("\r").partition("\t")
    return Query(query_id, text) if tabulator else None


def trec_lines(query_id: str, result: "SearchResult") -> Iterator[str]:
    """Give the lines of a run (`eval.trec`): each document once, by its first hit."""
    from eval.trec import run_lines

    best: dict[str, float] = {}
    for hit in result.hits:
        best.setdefault(hit.document_id, hit.score)
    return run_lines(query_id, best, best.values(), TAG)


def write_run(path: Path, answers: Iterable[tuple[Query, "SearchResult"]]) -> int:
    """Write a run beside `path` and then in its place; count its questions."""
    unfinished, n_queries = path.with_name(f".{path.name}.part"), 0
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            for query, result in answers:
                file.writelines(trec_lines(query.query_id, result))
                n_queries += 1
        unfinished.replace(path)
    except OSError as error:
        raise InvalidArgumentError(f"{path} cannot be written: {error.strerror}", help="give another path") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return n_queries
