"""Files of TREC, which every evaluation tool reads.

    run      qid Q0 docid rank score tag
    qrels    qid 0 docid rel

White space in an id is written as in a URL (``%20``), since it parts the columns.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from eval.measures import Qrels, Run, ranked
from eval.writing import replace_file
from lfm2_colbert.errors import MalformedDocumentError, NotFoundError

WHITE_SPACE = re.compile(r"\s")
RUN_COLUMNS, QRELS_COLUMNS = 6, 4


def falling(scores: Iterable[float]) -> Iterator[float]:
    """Make scores fall strictly, as float32 too: tools hold them in that, and order equal ones as they like.

    Args:
        scores: finite, best first.

    Example:
        >>> [f"{score:.9g}" for score in falling([2.0, 2.0, 1.0])]
        ['2', '1.99999988', '1']
    """
    last = np.float32(np.inf)
    for score in scores:
        last = min(np.float32(score), np.nextafter(last, np.float32(-np.inf)))
        yield float(last)


def run_lines(query_id: str, document_ids: Iterable[str], scores: Iterable[float], tag: str) -> Iterator[str]:
    """Give the lines of a query's ranking, best first; nine digits keep a float32 apart from its neighbours."""
    for rank, (document_id, score) in enumerate(zip(document_ids, falling(scores), strict=True), start=1):
        yield f"{column(query_id)} Q0 {column(document_id)} {rank} {score:.9g} {column(tag)}\n"


def write_run(path: Path, run: Run, tag: str) -> None:
    """Write a run; ties stand in the order of the document ids."""
    lines: list[str] = []
    for query_id, scores in run.items():
        order = ranked(scores)
        lines += run_lines(query_id, order, [scores[each] for each in order], tag)
    replace_file(path, "".join(lines))


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Write judgements."""
    lines = (
        f"{column(query_id)} 0 {column(document_id)} {grade}\n"
        for query_id, grades in qrels.items()
        for document_id, grade in grades.items()
    )
    replace_file(path, "".join(lines))


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Read a run.

    Raises:
        NotFoundError: there is no such file.
        MalformedDocumentError: a line is none of a run.
    """
    run: dict[str, dict[str, float]] = {}
    for place, columns in _rows(path, RUN_COLUMNS):
        run.setdefault(columns[0], {})[columns[2]] = _number(place, columns[4])
    return run


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read judgements.

    Raises:
        NotFoundError: there is no such file.
        MalformedDocumentError: a line is no judgement.
    """
    qrels: dict[str, dict[str, int]] = {}
    for place, columns in _rows(path, QRELS_COLUMNS):
        qrels.setdefault(columns[0], {})[columns[2]] = int(_number(place, columns[3]))
    return qrels


def column(text: str) -> str:
    """Write an id as one column."""
    return WHITE_SPACE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode()), text)


def _rows(path: Path, n_columns: int) -> Iterator[tuple[str, list[str]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no {path}", help="name a file in TREC's format") from error
    for number, line in enumerate(lines, start=1):
        columns = line.split()
        if len(columns) != n_columns:
            raise MalformedDocumentError(f"{path}:{number} has {len(columns)} columns", help=f"there are {n_columns}")
        yield f"{path}:{number}", columns


def _number(place: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise MalformedDocumentError(f"{place}: '{text}' is no number", help="write a number") from error


def file_name(*parts: str) -> str:
    """Make a name of a file that says what is in it, of letters, digits, '.', '_' and '-'."""
    return re.sub(r"[^\w.-]+", "_", "-".join(parts), flags=re.ASCII)
