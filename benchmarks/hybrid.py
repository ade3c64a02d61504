"""What do words add to meaning? nDCG@10 of each leg and of both, on two halves of the queries of the development sets.

`python -m benchmarks.hybrid SETS` writes ``results/hybrid.json``: the weight of the fusion was chosen by the rows whose
`part` is ``tuning``; those of ``reported`` say what it is worth. It ends with 1 if hybrid search does not hold what it
promises. Vectors of documents are kept in ``data/hybrid``.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import xxhash

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.evaluation_sets import Wanted, tasks
from benchmarks.quality import Verdict
from benchmarks.results_file import ROOT, measured, measured_commit, write
from benchmarks.systems import Ranking, lexical, row_of
from eval.datasets.base import Task
from eval.vectors import KeptVectors
from index import Collection
from lfm2_colbert.encoders.loading import load_encoder

SEED = 0
QUERIES = 400
FOUND = 10
LIBRARIES = ("bm25s", "faiss-cpu", "ir-measures", "apsw")
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "semantic": {"mode": "semantic"},
    "lexical": {"mode": "lexical"},
    "hybrid": {"mode": "hybrid"},
    "rrf": {"mode": "hybrid", "fusion": "rrf"},
}
MONOLINGUAL = (
    ("cranfield", "en"), ("flores-continuation", "en"), ("libreoffice-help", "en"), ("arcd", "ar"), ("mlqa", "ar"),
    ("mlqa", "de"), ("flores-continuation", "de"), ("libreoffice-help", "de"), ("mlqa", "es"),
    ("flores-continuation", "fr"), ("libreoffice-help", "fr"), ("jsquad", "ja"), ("flores-continuation", "ja"),
    ("flores-continuation", "ko"), ("libreoffice-help", "ko"), ("faquad", "pt"), ("mlqa", "zh"),
)  # fmt: skip
UNTRAINED = (("xquad", "el"), ("xquad", "ru"), ("xquad", "th"), ("xquad", "vi"))
"""Languages that the bundled encoder was hardly trained on: words have to carry the search."""
CROSSED = (
    ("belebele", "ar", "en"), ("belebele", "de", "en"), ("belebele", "es", "de"), ("belebele", "fr", "en"),
    ("belebele", "ja", "de"), ("belebele", "ko", "en"), ("belebele", "zh", "de"), ("flores-continuation", "de", "ja"),
    ("flores-continuation", "ja", "de"), ("flores-continuation", "ko", "en"),
)  # fmt: skip
"""Set, language of the documents, language of the questions."""
WANTED = (
    *(Wanted(name, each, each) for name, each in (*MONOLINGUAL, *UNTRAINED)),
    *(Wanted(*each) for each in CROSSED),
)
TOLERANCE = 1.0
"""Points of nDCG@10, of 100, that a language may lose."""


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(sets: Path, allow_dirty: bool) -> int:
    """Measure on the evaluation sets whose archives lie in SETS."""
    commit = measured_commit(allow_dirty=allow_dirty)
    rows: list[dict[str, Any]] = []
    for task in tasks(sets, ROOT / "data" / "eval", QUERIES, SEED, WANTED):
        rows += rows_of(task)
        _show(rows[-2 * (len(SETTINGS) + 1) :])
    command = command_line("benchmarks.hybrid")
    click.echo(write(measured("hybrid", rows, commit=commit, command=command, seed=SEED, libraries=LIBRARIES), ROOT))
    found = list(verdicts([row for row in rows if row["part"] == "reported"]))
    for verdict in found:
        click.echo(("holds: " if verdict.holds else "FAILS: ") + verdict.sentence)
    return 0 if all(verdict.holds for verdict in found) else 1


def rows_of(task: Task) -> list[dict[str, Any]]:
    """Measure a task: a row for each half of its queries and each system."""
    rankings = [*served(task), lexical(task)]
    rows = [
        row_of(half(task, part), ranking) | {"part": part} for part in ("tuning", "reported") for ranking in rankings
    ]
    return [{key: value for key, value in row.items() if key != "recall_at_100"} for row in rows]  # ten are asked for


def served(task: Task) -> list[Ranking]:
    """Index the documents and ask each query by all settings, as a person would."""
    model = load_encoder("nano")
    encoder = KeptVectors(model, ROOT / "data" / "hybrid" / f"{task.name}-{task.language}-{model.fingerprint[:16]}")
    with tempfile.TemporaryDirectory() as home:
        with Collection.open("task", create=True, encoder=encoder, home=home) as collection:
            passages = collection.add(task.documents.values()).passages
            return [
                Ranking("lfm2-colbert", setting, _run(collection, task, options), passages)
                for setting, options in SETTINGS.items()
            ]


def half(task: Task, part: str) -> Task:
    """Keep the queries of one half, told apart by the hashes of their ids."""
    kept = [key for key in task.queries if xxhash.xxh3_64_intdigest(key.encode()) % 2 == (part == "reported")]
    return replace(task, queries={i: task.queries[i] for i in kept}, qrels={i: task.qrels[i] for i in kept})


def verdicts(rows: Iterable[dict[str, Any]]) -> Iterator[Verdict]:
    """Judge by the means of tasks, and by those of each language."""
    rows, hardly = list(rows), {language for _, language in UNTRAINED}
    own = [row for row in rows if row["task"] == "monolingual" and row["document_language"] not in hardly]
    untrained = [row for row in rows if row["document_language"] in hardly]
    crossed = [row for row in rows if row["task"] != "monolingual"]
    both, semantic, words = (_mean(own, setting) for setting in ("hybrid", "semantic", "lexical"))
    yield Verdict(
        both >= max(semantic, words),
        f"hybrid {both:.2f} >= semantic {semantic:.2f} and lexical {words:.2f} on the mean",
    )
    yield from _by_group("language", own)
    yield from _by_group("language that the encoder hardly knows", untrained)
    yield from _by_group("language asked in another", crossed)
    losses = {language: _mean(group, "lexical") - _mean(group, "bm25") for language, group in _groups(own)}
    worst = min(losses, key=lambda language: losses[language])
    yield Verdict(
        losses[worst] >= -TOLERANCE, f"lexical - BM25 >= -{TOLERANCE} in each language; {worst} {losses[worst]:+.2f}"
    )


def _by_group(what: str, rows: list[dict[str, Any]]) -> Iterator[Verdict]:
    if not rows:
        return
    losses = {
        name: _mean(group, "hybrid") - max(_mean(group, "semantic"), _mean(group, "lexical"))
        for name, group in _groups(rows)
    }
    worst = min(losses, key=lambda name: losses[name])
    yield Verdict(
        losses[worst] >= -TOLERANCE, f"hybrid - better leg >= -{TOLERANCE} in each {what}; {worst} {losses[worst]:+.2f}"
    )


def _groups(rows: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    names = sorted({row["document_language"] for row in rows})
    return [(name, [row for row in rows if row["document_language"] == name]) for name in names]


def _mean(rows: Iterable[dict[str, Any]], setting: str) -> float:
    """Give nDCG@10 of 100."""
    return 100 * float(np.mean([row["ndcg_at_10"] for row in rows if setting in (row["setting"], row["system"])]))


def _run(collection: Collection, task: Task, options: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Rank by what orders hits: their places, since scores of equal hits are equal."""
    return {
        query_id: {
            hit.document_id: float(-hit.rank) for hit in collection.search(query, k=FOUND, highlight=False, **options)
        }
        for query_id, query in task.queries.items()
    }


def _show(rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        name = f"{row['dataset']} {row['query_language']}→{row['document_language']} {row['part']}"
        click.echo(f"{name:44} {row['system']:12} {row['setting']:14} nDCG@10 {row['ndcg_at_10']:.4f}")


if __name__ == "__main__":
    run(main)
