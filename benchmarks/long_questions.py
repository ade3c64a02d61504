"""Where should a long question be cut? ``results/long_questions.json``.

`python -m benchmarks.long_questions SETS` asks XQuAD's questions behind sentences of FLORES-continuation that have
nothing to do with them, and FLORES-continuation's excerpts, whose sentences belong together, for their English
translations. Exact MaxSim of the best window, over the bundled encoder's own vectors.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.evaluation_sets import unpack
from benchmarks.markdown import markdown
from benchmarks.results_file import ROOT, Results, measured, measured_commit, write
from eval.datasets.folder import load_crossed
from eval.measures import measure
from eval.oracle import best_documents, windowed_scores
from index.queries import split, stretches
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import load_encoder
from lfm2_colbert.multivectors import MultiVectors

SEED = 0
QUESTIONS = 150
TOLD = (0, 1, 2, 4)
"""Sentences before a question."""
LANGUAGES = ("ar", "de", "en", "zh")
EXCERPTS = ("de", "ja")
APART = 7
"""Excerpts between those that two questions begin with."""
CUTS: dict[str, Callable[[str, Encoder], list[tuple[int, int]]]] = {"anywhere": stretches, "between sentences": split}
NDCG = "nDCG@10"


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@allow_dirty
def main(sets: Path, allow_dirty: bool) -> None:
    """Measure both ways of cutting on the archives in SETS."""
    commit = measured_commit(allow_dirty=allow_dirty)
    xquad, flores = (unpack(sets, name, ROOT / "data" / "eval") for name in ("xquad", "flores-continuation"))
    encoder = load_encoder("nano")
    rows = [*told_rows(xquad, flores, encoder), *excerpt_rows(flores, encoder)]
    for row in rows:
        click.echo(row)
    command = command_line("benchmarks.long_questions")
    write(measured("long_questions", rows, commit=commit, command=command, seed=SEED))


def told_rows(xquad: Path, flores: Path, encoder: Encoder) -> Iterator[dict[str, Any]]:
    """Ask questions behind sentences of something else."""
    for language in LANGUAGES:
        task = load_crossed(xquad, language, language)
        others = list(_texts(flores, language).values())
        passages = encoder.encode_documents([document.text for document in task.documents.values()])
        queries = dict(list(task.queries.items())[:QUESTIONS])
        for n in TOLD:
            asked = {
                key: " ".join([*others[place * APART :][:n], query])
                for place, (key, query) in enumerate(queries.items())
            }
            yield from _rows(f"{language}, {n} told before", asked, passages, list(task.documents), task.qrels, encoder)


def excerpt_rows(flores: Path, encoder: Encoder) -> Iterator[dict[str, Any]]:
    """Ask long excerpts for their translations."""
    wanted = _texts(flores, "en")
    passages = encoder.encode_documents(list(wanted.values()))
    for language in EXCERPTS:
        texts = {key: text for key, text in _texts(flores, language).items() if key in wanted}
        long = [key for key, text in texts.items() if len(split(text, encoder)) > 1][:QUESTIONS]
        asked, qrels = {key: texts[key] for key in long}, {key: {key: 1} for key in long}
        yield from _rows(f"{language}, an excerpt for its translation", asked, passages, list(wanted), qrels, encoder)


def _rows(
    what: str,
    asked: dict[str, str],
    passages: MultiVectors,
    ids: Sequence[str],
    qrels: Mapping[str, Mapping[str, int]],
    encoder: Encoder,
) -> Iterator[dict[str, Any]]:
    own = {key: qrels[key] for key in asked}
    for cut, windows_of in CUTS.items():
        pieces = [[text[start:stop] for start, stop in windows_of(text, encoder)] for text in asked.values()]
        queries = [encoder.encode_queries(each) for each in pieces]
        run = best_documents(windowed_scores(queries, passages), list(asked), ids, 10)
        ndcg = measure(own, run).mean[NDCG]
        yield {
            "asked": what, "cut": cut, "queries": len(asked), "ndcg_at_10": round(ndcg, 4),
            "windows": round(float(np.mean([len(each) for each in pieces])), 2),
        }  # fmt: skip


def _texts(flores: Path, language: str) -> dict[str, str]:
    lines = (flores / language / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["_id"]: row["text"] for row in map(json.loads, lines)}


def table(results: Results) -> str:
    """One line a kind of question: what is found, and in how many windows it is read."""
    rows = {(row["asked"], row["cut"]): row for row in results.rows}
    lines = []
    for what in dict.fromkeys(row["asked"] for row in results.rows):
        own = [rows[what, cut] for cut in CUTS]
        figures = [f"{100 * row['ndcg_at_10']:.1f}" for row in own] + [f"{row['windows']:.1f}" for row in own]
        lines.append([what, *figures])
    return markdown(["asked", *CUTS, *(f"windows, {cut}" for cut in CUTS)], lines)


if __name__ == "__main__":
    run(main)
