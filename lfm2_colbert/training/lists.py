"""Queries with candidates and their scores: the layout that teachers' scores are kept and published in.

<folder>/train.*       query_id, document_ids, scores
<folder>/queries.*     query_id, text
<folder>/documents.*   document_id, text

A file is known by its columns, so that PyLate's published sets are read unchanged, whatever their files are called.
"""

import ast
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.errors import DuplicateIdError, MalformedDocumentError, NotFoundError
from lfm2_colbert.registry import missing_extra

TRAIN, QUERIES, DOCUMENTS = "train", "queries", "documents"
TABLES = (DOCUMENTS, QUERIES, TRAIN)
"""In the order in which they are written: without the last, a folder holds no lists."""
SUFFIXES = (".jsonl", ".parquet")
TEXTS: Mapping[str, tuple[str, ...]] = {"query_id": ("text", "query"), "document_id": ("text", "document")}
"""Names that the text of an id goes by."""
QUERY_NAMES, POSITIVE_NAMES = ("query", "anchor"), ("positive",)
SMALLEST_DEVIATION = 1e-6
"""Scores of a list that differ by less are taken for equal."""

Scores = NDArray[np.float32]
Fields = Mapping[str, Any]
Place = tuple[str, Fields]


class Format(StrEnum):
    """How tables are written."""

    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Row:
    """A query's candidates, and a score for each, in the same order."""

    query_id: str
    document_ids: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lists:
    """Queries and documents by id, and the lists of candidates.

    Example:
        >>> lists = Lists({"q": "東京?"}, {"d": "東京は首都です。", "e": "Hund"}, (Row("q", ("d", "e"), (1.0, 0.0)),))
        >>> lists.rows[0].document_ids
        ('d', 'e')
    """

    queries: Mapping[str, str]
    documents: Mapping[str, str]
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        """Check each row against the texts.

        Raises:
            MalformedDocumentError: a row names an unknown id or one twice, has more or fewer scores than candidates, or
                one that is not finite.
        """
        for number, row in enumerate(self.rows, start=1):
            _check(number, row, self.queries, self.documents)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What is learned from a list: texts of a query and of some of its candidates, the best first, and their scores."""

    query: str
    documents: tuple[str, ...]
    scores: tuple[float, ...]


def drawn_candidates(lists: Lists, n: int, rng: np.random.Generator) -> list[Candidates]:
    """Take `n` of each list, its best and others by chance; lists with fewer, or with a blank query, are left out."""
    rows = (row for row in lists.rows if len(row.document_ids) >= n and lists.queries[row.query_id].strip())
    return [_drawn(lists, row, n, rng) for row in rows]


def standardised(scores: Scores) -> Scores:
    """Bring the scores of a list to mean 0 and standard deviation 1; 0 where all are equal."""
    centred = scores - scores.mean(dtype=np.float32)
    deviation = float(np.sqrt(np.mean(np.square(centred), dtype=np.float32)))
    return centred / np.float32(deviation) if deviation > SMALLEST_DEVIATION else np.zeros_like(scores)


def text_id(text: str) -> str:
    """Name a text by its content: 32 hexadecimal digits."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def read_lists(folder: Path) -> Lists:
    """Read the lists of a folder: parquet or JSON Lines, each table in one file or several.

    Files lie in the folder itself, or in folders below it that are named as a table (on the hub:
    ``train/train/0000.parquet``). Ids may be whole numbers; lists may be written as text, as in some published sets.

    Raises:
        NotFoundError: a table is missing.
        MalformedDocumentError: a row is broken, or names what is not there.
        DuplicateIdError: an id occurs twice among queries or among documents.
        MissingExtraError: there is parquet and pyarrow is not installed.
    """
    found: dict[str, list[Path]] = {name: [] for name in TABLES}
    for path in _files(folder):
        if table := _table(path):
            found[table].append(path)
    missing = [f"{name}.jsonl" for name in TABLES if not found[name]]
    if missing:
        raise NotFoundError(f"{folder} has no {', '.join(missing)}", help="docs/guides/training.md shows the layout")
    return Lists(
        _texts(_all_rows(found[QUERIES]), "query_id"),
        _texts(_all_rows(found[DOCUMENTS]), "document_id"),
        tuple(_row(place, fields) for place, fields in _all_rows(found[TRAIN])),
    )


def read_triplets(path: Path) -> Lists:
    """Read rows of a query, its positive and its negative(s) as lists with the scores 1 and 0.

    Columns are ``query`` (or ``anchor``), ``positive``, and ``negative``, ``negative_1`` and so on; each negative is a
    text or a list of texts. Rows with the same query and positive become one list.

    Raises:
        NotFoundError: there is no such file.
        MalformedDocumentError: a row is no triplet.
    """
    queries: dict[str, str] = {}
    documents: dict[str, str] = {}
    negatives: dict[tuple[str, str], dict[str, None]] = {}
    for place, fields in _rows(path):
        query, positive = (_text(place, fields, names) for names in (QUERY_NAMES, POSITIVE_NAMES))
        pair = text_id(query), text_id(positive)
        queries[pair[0]], documents[pair[1]] = query, positive
        own = negatives.setdefault(pair, {})
        for text in _negatives(place, fields):
            documents[text_id(text)] = text
            own[text_id(text)] = None
    return Lists(
        queries, documents, tuple(labelled(q, (p,), [n for n in own if n != p]) for (q, p), own in negatives.items())
    )


def labelled(query_id: str, positives: Sequence[str], negatives: Sequence[str]) -> Row:
    """Make a list of which it is only known what answers: positives score 1, negatives 0."""
    return Row(query_id, (*positives, *negatives), (1.0,) * len(positives) + (0.0,) * len(negatives))


def write_lists(folder: Path, lists: Lists, form: Format = Format.JSONL) -> None:
    """Write lists, in the place of those that were there; a kill leaves no folder that mixes the two.

    Raises:
        MissingExtraError: parquet was asked for and pyarrow is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[dict[str, Any]]] = {
        DOCUMENTS: [{"document_id": key, "text": text} for key, text in lists.documents.items()],
        QUERIES: [{"query_id": key, "text": text} for key, text in lists.queries.items()],
        TRAIN: [
            {"query_id": row.query_id, "document_ids": list(row.document_ids), "scores": list(row.scores)}
            for row in lists.rows
        ],
    }
    unfinished = {name: folder / f".{name}.part" for name in TABLES}
    for name, path in unfinished.items():
        _WRITERS[form](path, rows[name])
    for name in reversed(TABLES):
        for suffix in SUFFIXES:
            (folder / f"{name}{suffix}").unlink(missing_ok=True)
    for name, path in unfinished.items():
        path.replace(folder / f"{name}.{form}")


def _drawn(lists: Lists, row: Row, n: int, rng: np.random.Generator) -> Candidates:
    best = int(np.argmax(row.scores))
    others = [place for place in range(len(row.scores)) if place != best]
    places = [best, *sorted(rng.permutation(others)[: n - 1].tolist())]
    texts = tuple(lists.documents[row.document_ids[place]] for place in places)
    return Candidates(lists.queries[row.query_id], texts, tuple(row.scores[place] for place in places))


def _check(number: int, row: Row, queries: Mapping[str, str], documents: Mapping[str, str]) -> None:
    if row.query_id not in queries:
        raise MalformedDocumentError(f"list {number} asks the unknown query '{row.query_id}'", help="add it to queries")
    unknown = [each for each in row.document_ids if each not in documents]
    if unknown:
        raise MalformedDocumentError(
            f"list {number} holds the unknown document '{unknown[0]}'", help="add it to documents"
        )
    if len(set(row.document_ids)) < len(row.document_ids):
        raise MalformedDocumentError(f"list {number} holds a document twice", help="take it out")
    if len(row.scores) != len(row.document_ids) or not row.scores:
        raise MalformedDocumentError(
            f"list {number} has {len(row.document_ids)} documents and {len(row.scores)} scores",
            help="give each its score",
        )
    if not all(map(math.isfinite, row.scores)):
        raise MalformedDocumentError(f"list {number} has a score that is not finite", help="score it again")


def _files(folder: Path) -> list[Path]:
    below = (each for name in TABLES for each in (folder / name).rglob("*"))
    return sorted(path for path in (*folder.glob("*"), *below) if path.suffix in SUFFIXES and path.is_file())


def _table(path: Path) -> str | None:
    """Say which table a file is part of, by its columns."""
    columns = _columns(path)
    if {"query_id", "document_ids", "scores"} <= columns:
        return TRAIN
    if "query_id" in columns and columns & set(TEXTS["query_id"]):
        return QUERIES
    return DOCUMENTS if "document_id" in columns and columns & set(TEXTS["document_id"]) else None


def _columns(path: Path) -> set[str]:
    if path.suffix == ".parquet":
        return set(_parquet(path).schema_arrow.names)
    _, first = next(_json_lines(path), ("", {}))
    return set(first)


def _all_rows(paths: Iterable[Path]) -> Iterator[Place]:
    for path in paths:
        yield from _rows(path)


def _rows(path: Path) -> Iterator[Place]:
    """Give each row and the place that messages call it by."""
    if path.suffix != ".parquet":
        yield from _json_lines(path)
        return
    number = 0
    for batch in _parquet(path).iter_batches():
        for fields in batch.to_pylist():
            number += 1
            yield f"{path}:{number}", fields


def _json_lines(path: Path) -> Iterator[Place]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{path}:{number}", _object(f"{path}:{number}", line)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no {path}", help="name a file of JSON Lines or parquet") from error
    except UnicodeDecodeError as error:
        raise MalformedDocumentError(f"{path} is not UTF-8", help="convert it to UTF-8") from error


def _object(place: str, line: str) -> Fields:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise MalformedDocumentError(f"{place} is not JSON", help="one object a line") from error
    if not isinstance(fields, dict):
        raise MalformedDocumentError(f"{place} is not a JSON object", help="one object a line")
    return fields


def _parquet(path: Path) -> Any:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise missing_extra("reading parquet", error.name or "pyarrow", "train") from error
    try:
        return parquet.ParquetFile(path)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no {path}", help="name a file of JSON Lines or parquet") from error
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise MalformedDocumentError(f"{path} is not a parquet file", help="fetch it again") from error


def _texts(rows: Iterable[Place], id_name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, fields in rows:
        key = _id(place, fields.get(id_name))
        if key in found:
            raise DuplicateIdError(f"{place} has the id '{key}' again", help="give each row its own id")
        found[key] = _text(place, fields, TEXTS[id_name])
    return found


def _row(place: str, fields: Fields) -> Row:
    named, scores = (_sequence(place, fields.get(name)) for name in ("document_ids", "scores"))
    if not all(isinstance(score, int | float) for score in scores):
        raise MalformedDocumentError(f"{place} has a score that is no number", help="write numbers")
    ids = tuple(_id(place, each) for each in named)
    return Row(_id(place, fields.get("query_id")), ids, tuple(float(score) for score in scores))


def _id(place: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise MalformedDocumentError(f"{place} has an id that is neither text nor a whole number", help="write text")
    return str(value)


def _text(place: str, fields: Fields, names: Sequence[str]) -> str:
    for name in names:
        if isinstance(fields.get(name), str):
            return str(fields[name])
    raise MalformedDocumentError(f"{place} lacks the text '{names[0]}'", help=f"it is called {' or '.join(names)}")


def _sequence(place: str, value: object) -> list[Any]:
    """Take a list as it is, or as text: some published sets hold Python's way of writing one."""
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)
        except (SyntaxError, ValueError) as error:
            raise MalformedDocumentError(f"{place} has no list", help="document_ids and scores are lists") from error
    if not isinstance(value, list):
        raise MalformedDocumentError(f"{place} has no list", help="document_ids and scores are lists")
    return value


def _negatives(place: str, fields: Fields) -> list[str]:
    texts: list[Any] = []
    for name in sorted(each for each in fields if each.startswith("negative")):
        texts += fields[name] if isinstance(fields[name], list) else [fields[name]]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise MalformedDocumentError(
            f"{place} lacks the text 'negative'", help="query, positive and negative are texts"
        )
    return texts


def _write_json_lines(path: Path, rows: Sequence[Fields]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_parquet(path: Path, rows: Sequence[Fields]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise missing_extra("writing parquet", error.name or "pyarrow", "train") from error
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)


_WRITERS = {Format.JSONL: _write_json_lines, Format.PARQUET: _write_parquet}
