"""What does it cost to ask a word index? Our postings beside SQLite's FTS5, on the same terms and queries.

`python -m benchmarks.lexical DATA` writes ``results/lexical.json``: for passages of the sets in DATA, and these with
half a million of the training texts that lie unpacked in ``data/train`` and ``data/parallel``. A query is cut into
terms and scored, and the 200 best passages are chosen; texts are not read.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import click
import numpy as np

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.engine_vectors import EngineTexts, engine_texts
from benchmarks.growth_vectors import added_texts
from benchmarks.results_file import ROOT, measured, measured_commit, write
from index.durable import Folder
from index.fusion import WORD_POOL
from index.lexical.analysis import query_terms, terms_of
from index.lexical.bm25 import score_terms
from index.lexical.postings import SegmentWords, hash_of, words_of, write_words

SEED = 0
PASSAGES_PER_SEGMENT = 65_536
"""About what a merged segment holds."""
LIBRARIES = ("apsw",)

Search = Callable[[str], int]
"""Asks a query and counts the passages found."""


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--without-growth", is_flag=True, help="Measure the smaller size alone.")
@allow_dirty
def main(data: Path, without_growth: bool, allow_dirty: bool) -> None:
    """Measure with one thread."""
    commit = measured_commit(allow_dirty=allow_dirty)
    texts = engine_texts(data / "eval", ROOT / "data", SEED)
    rows = rows_of(texts)
    if not without_growth:
        rows += rows_of(grown(texts, added_texts(ROOT / "data")))
    results = measured(
        "lexical", rows, commit=commit, command=command_line("benchmarks.lexical"), seed=SEED, libraries=LIBRARIES
    )
    click.echo(write(results, ROOT))


def grown(texts: EngineTexts, added: Sequence[str]) -> EngineTexts:
    """Add passages, each a document of its own."""
    first = texts.documents[-1] + 1
    return EngineTexts([*texts.passages, *added], [*texts.documents, *range(first, first + len(added))], texts.queries)


def rows_of(texts: EngineTexts) -> list[dict[str, Any]]:
    """Build each index in an ignored folder and ask it all queries."""
    folder = ROOT / "data" / "lexical"
    return [own_row(texts, folder), full_text_row(texts, folder)]


def own_row(texts: EngineTexts, folder: Path) -> dict[str, Any]:
    """Measure postings as a collection keeps them, in a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.process_time()
    parts = [_segment(texts, folder, start) for start in range(0, len(texts.passages), PASSAGES_PER_SEGMENT)]
    build = time.process_time() - started
    live = [np.ones(len(part.postings.lengths), np.bool_) for part in parts]

    def search(query: str) -> int:
        return len(score_terms(query_terms(query), parts).best(live, WORD_POOL))

    n_bytes = sum(part.info.file.n_bytes for part in parts)
    return _row("lfm2-colbert", "lexical", texts, search, n_bytes, build)


def full_text_row(texts: EngineTexts, folder: Path) -> dict[str, Any]:
    """Measure SQLite's FTS5 with the same terms, joined by OR; its k1 is 1.2 and its b 0.75."""
    path = folder / "fts5.db"
    database = apsw.Connection(str(path))
    database.execute("CREATE VIRTUAL TABLE passages USING fts5(terms, content='', detail=none, tokenize='ascii')")
    started = time.process_time()
    with database:
        lines = ((row + 1, _words(terms_of(text), " ")) for row, text in enumerate(texts.passages))
        database.executemany("INSERT INTO passages (rowid, terms) VALUES (?, ?)", lines)
    database.execute("INSERT INTO passages (passages) VALUES ('optimize')")
    build = time.process_time() - started
    asked = "SELECT rowid FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?"

    def search(query: str) -> int:
        words = _words(query_terms(query), " OR ")
        return len(list(database.execute(asked, (words, WORD_POOL)))) if words else 0

    row = _row("sqlite-fts5", "detail=none", texts, search, path.stat().st_size, build)
    database.close()
    return row


def _segment(texts: EngineTexts, folder: Path, start: int) -> SegmentWords:
    own = slice(start, start + PASSAGES_PER_SEGMENT)
    found = words_of(texts.passages[own], texts.documents[own])
    return SegmentWords.open(folder, write_words(Folder(folder), start, found))


def _words(terms: Sequence[str], between: str) -> str:
    """Write terms as words that no tokenizer cuts."""
    return between.join(f"t{hash_of(term):x}" for term in terms)


def _row(
    system: str, setting: str, texts: EngineTexts, search: Search, n_bytes: int, build_cpu_s: float
) -> dict[str, Any]:
    search(texts.queries[0])
    milliseconds = []
    for query in texts.queries:
        started = time.process_time()
        search(query)
        milliseconds.append((time.process_time() - started) * 1000)
    row = {
        "system": system,
        "setting": setting,
        "passages": len(texts.passages),
        "threads": 1,
        "queries": len(texts.queries),
        "cpu_ms_per_query": round(float(np.mean(milliseconds)), 2),
        "cpu_ms_p95": round(float(np.percentile(milliseconds, 95)), 2),
        "build_cpu_s": round(build_cpu_s, 1),
        "disk_mb": round(n_bytes / 1e6, 1),
    }
    click.echo(row)
    return row


if __name__ == "__main__":
    run(main)
