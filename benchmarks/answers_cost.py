"""What does an answer that quotes cost beside the search it rests on? CPU time of both, on the same questions.

`python -m benchmarks.answers_cost DATA` indexes 20,000 passages of the sets in DATA and asks questions of them, each
once for its answer and once for the search alone, in turns, with one thread; it prints the ratio of the medians. A
question is encoded in both: nothing is remembered between them.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from benchmarks.command import run
from benchmarks.evaluation_sets import unpack
from benchmarks.results_file import ROOT
from eval.datasets.folder import load
from index import Collection, Document, SearchOptions
from lfm2_colbert import load_encoder
from service.rag.answering import PASSAGES, PER_DOCUMENT, Answerer, Asking
from service.rag.generators.extractive import Extractive
from service.rag.knowledge import Opened

SETS = (("squad-it", "it"), ("jaquad", "ja"), ("cmrc2018", "zh"), ("mlqa", "de"), ("mlqa", "en"), ("mlqa", "es"))
MOST = 3.0
"""Times the CPU time of its search that an answer may take."""


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--passages", default=20_000, show_default=True)
@click.option("--questions", default=200, show_default=True)
@click.option("--home", type=click.Path(path_type=Path), help="Keep the collection here, and take it from here.")
def main(data: Path, passages: int, questions: int, home: Path | None) -> int:
    """Print milliseconds of CPU time, and the ratio; exit with 1 where it is above 3."""
    documents, asked = _texts(data, passages, questions)
    with tempfile.TemporaryDirectory() as folder:
        opened = Collection.open("cost", create=True, encoder=load_encoder("nano", threads=1), home=home or folder)
        with opened as collection:
            if not collection.ids():
                collection.add(documents)
                collection.optimize()
            search, answer = measure(collection, asked)
            counted = collection.counts().passages
    ratio = answer / search
    click.echo(f"{counted:,} passages · CPU ms: search {search:.1f}, answer {answer:.1f} · ratio {ratio:.2f}")
    return int(ratio > MOST)


def measure(collection: Collection, asked: Sequence[str]) -> tuple[float, float]:
    """Give the median CPU milliseconds of a search, and of an answer with the search in it."""
    answerer, knowledge = Answerer(Extractive()), Opened(collection)
    options = SearchOptions(per_group=PER_DOCUMENT)

    def search(question: str) -> None:
        collection.search(question, k=PASSAGES, highlight=False, options=options)

    def answer(question: str) -> None:
        asyncio.run(answerer.answer(knowledge, Asking(question)))

    for question in asked[:5]:
        search(question)
        answer(question)
    timed = [(_cpu(search, question), _cpu(answer, question)) for question in asked]
    return statistics.median(each[0] for each in timed), statistics.median(each[1] for each in timed)


def _cpu(ask: Callable[[str], None], question: str) -> float:
    started = time.process_time()
    ask(question)
    return (time.process_time() - started) * 1000


def _texts(data: Path, passages: int, questions: int) -> tuple[list[Document], list[str]]:
    documents: list[Document] = []
    asked: list[str] = []
    for name, language in SETS:
        task = load(unpack(data, name, ROOT / "data" / "eval"), language)
        documents += [Document(f"{name}-{language}-{key}", each.text) for key, each in task.documents.items()]
        asked += list(task.queries.values())[: -(-questions // len(SETS))]
    return documents[:passages], asked[:questions]


if __name__ == "__main__":
    run(main)
