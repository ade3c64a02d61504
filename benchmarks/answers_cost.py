"""What does an answer that quotes cost beside the search it rests on? CPU time of both, on the same questions.

`python -m benchmarks.answers_cost ARCHIVES` asks questions of the 23,412 passages that `benchmarks.serving.speed`
serves, each once for its answer and once for the search alone, in turns, with one thread, and writes the medians and
their ratio to ``results/answers.json``. A question is encoded in both: nothing is remembered between them.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.engine_vectors import engine_texts
from benchmarks.results_file import measured, measured_commit, write
from benchmarks.serving.speed import NAME, home_of
from index import Collection, SearchOptions
from lfm2_colbert import load_encoder
from service.rag.answering import PASSAGES, PER_DOCUMENT, Answerer, Asking
from service.rag.generators.extractive import Extractive
from service.rag.knowledge import Opened

WARMING = 5
MOST = 3.0
"""Times the CPU time of its search that an answer may take."""


@click.command()
@click.argument("archives", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", default="data", type=click.Path(path_type=Path), help="An ignored folder.")
@click.option("--questions", default=200, show_default=True)
@allow_dirty
def main(archives: Path, data: Path, questions: int, allow_dirty: bool) -> int:
    """Measure, and keep the row; exit with 1 where the ratio is above 3."""
    commit, texts = measured_commit(allow_dirty=allow_dirty), engine_texts(archives, data)
    home = home_of(data, texts)
    asked = [texts.queries[len(texts.queries) * n // questions] for n in range(questions)]
    with Collection.open(NAME, encoder=load_encoder("nano", threads=1), home=home) as collection:
        row = row_of(collection, asked)
    command = command_line("benchmarks.answers_cost")
    click.echo(row)
    click.echo(write(measured("answers", [row], commit=commit, command=command, seed=0)))
    return int(row["ratio"] > MOST)


def row_of(collection: Collection, asked: Sequence[str]) -> dict[str, Any]:
    """Give the figures, with the load that they were measured under."""
    search, answer = measure(collection, asked)
    return {
        "generator": "extractive",
        "passages": collection.counts().passages,
        "questions": len(asked),
        "search_cpu_ms": round(search, 2),
        "answer_cpu_ms": round(answer, 2),
        "ratio": round(answer / search, 2),
        "load": round(os.getloadavg()[0], 2),
    }


def measure(collection: Collection, asked: Sequence[str]) -> tuple[float, float]:
    """Give the median CPU milliseconds of a search, and of an answer with the search in it."""
    answerer, knowledge = Answerer(Extractive()), Opened(collection)
    options = SearchOptions(per_group=PER_DOCUMENT)

    def search(question: str) -> None:
        collection.search(question, k=PASSAGES, highlight=False, options=options)

    def answer(question: str) -> None:
        asyncio.run(answerer.answer(knowledge, Asking(question)))

    for question in asked[:WARMING]:
        search(question)
        answer(question)
    timed = [(_cpu(search, question), _cpu(answer, question)) for question in asked]
    return statistics.median(each[0] for each in timed), statistics.median(each[1] for each in timed)


def _cpu(ask: Callable[[str], None], question: str) -> float:
    started = time.process_time()
    ask(question)
    return (time.process_time() - started) * 1000


if __name__ == "__main__":
    run(main)
