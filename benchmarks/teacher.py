"""What does the teacher find on the development sets? ``results/teacher.json``.

`python -m benchmarks.teacher SETS TEACHER START` lets TEACHER, a folder of BERT, read the queries and whole texts that
`benchmarks.quality` asks for, as ids of START's vocabulary, cut at its budget: what its student reads. It scores by the
cosine of the means over tokens, and by MaxSim of token states without their mean. Two hours of one core, or less with a
GPU; with names of sets only these are measured.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.evaluation_sets import unpack
from benchmarks.quality import CROSSED, OWN, SEED, is_across, options_of, tasks
from benchmarks.quality_tables import WAYS_OF_TEACHER as WAYS
from benchmarks.results_file import RESULTS, ROOT, measured, measured_commit, read, write
from eval.datasets.base import Task
from eval.oracle import all_scores
from eval.run import LIBRARIES, prepared
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.training.checkpoints import read_start, tokenizers_of
from lfm2_colbert.training.corpus import DOCUMENT, QUERY
from lfm2_colbert.training.development import TOKENS_PER_BATCH, Tokenize, ndcg_at_10
from lfm2_colbert.training.start import Start
from lfm2_colbert.training.teacher import MARKERS, Teacher
from lfm2_colbert.training.teachers import load_teacher

PATH = click.Path(exists=True, file_okay=False, path_type=Path)
DENSE, STATES = WAYS
PREFIXES = ("query: ", "passage: ")
SAMPLED = 2000
"""Documents that the mean of all states is taken of."""

States = NDArray[np.float16]
Ids = NDArray[np.int64]


@click.command()
@click.argument("sets", type=PATH)
@click.argument("teacher")
@click.argument("start")
@click.argument("names", nargs=-1, type=click.Choice([*OWN, *CROSSED]))
@allow_dirty
def main(sets: Path, teacher: str, start: str, names: tuple[str, ...], allow_dirty: bool) -> None:
    """Measure TEACHER on the sets whose archives lie in SETS."""
    commit = measured_commit(allow_dirty=allow_dirty)
    own = read_start(start, None, np.random.default_rng(SEED))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reader = Reader(own, load_teacher(teacher, own, PREFIXES, device))
    for name in names or (*OWN, *CROSSED):
        found = [row | {"commit": commit} for row in rows_of(unpack(sets, name, ROOT / "data" / "eval"), reader)]
        # Read again each time: a process beside this one may have measured another set.
        kept = read("teacher").rows if (ROOT / RESULTS / "teacher.json").exists() else ()
        rows = (*(row for row in kept if row["dataset"] != name), *found)
        results = measured(
            "teacher", rows, commit=commit, command=command_line("benchmarks.teacher"), seed=SEED, libraries=LIBRARIES
        )
        means = (np.mean([row["ndcg_at_10"] for row in found if row["way"] == way]) for way in WAYS)
        figures = ", ".join(f"{way} {mean:.3f}" for way, mean in zip(WAYS, means, strict=True))
        click.echo(f"{name}: {figures}; {write(results).relative_to(ROOT)}")


class Reader:
    """Texts to a teacher's token states, ``(n_tokens, size)``; each text of a set is read once."""

    def __init__(self, start: Start, teacher: Teacher) -> None:
        self._teacher, self._tokenize = teacher, tokenizers_of(start)
        self._read: dict[tuple[int, str], States] = {}

    def read(self, role: int, texts: Iterable[str]) -> None:
        """Read what was not read before."""
        new = [text for text in dict.fromkeys(texts) if (role, text) not in self._read]
        tokenize: Tokenize = self._tokenize[role]
        ids = tokenize(new)
        for places in of_one_length(ids, TOKENS_PER_BATCH[self._teacher.device.type]):
            states = self._teacher.states(np.stack([ids[place] for place in places]).astype(np.uint16), role)
            for place, own in zip(places, states.cpu().numpy().astype(np.float16), strict=True):
                self._read[role, new[place]] = own

    def states(self, role: int, texts: Iterable[str]) -> list[States]:
        """Give the states of texts that were read; of one without a token, none."""
        nothing = np.empty((0, self._teacher.size), np.float16)
        return [self._read.get((role, text), nothing) for text in texts]

    def forget(self) -> None:
        """Let go of a set."""
        self._read.clear()


def rows_of(folder: Path, reader: Reader) -> Iterator[dict[str, Any]]:
    """Give a row for each task of a set and way to score."""
    every = [prepared(task, options_of(folder.name, is_across=is_across(task))) for task in tasks(folder)]
    reader.forget()
    reader.read(QUERY, (text for task in every for text in task.queries.values()))
    reader.read(DOCUMENT, (document.text for task in every for document in task.documents.values()))
    sampled = np.random.default_rng(SEED).permutation(sum(len(task.documents) for task in every))[:SAMPLED]
    texts = [document.text for task in every for document in task.documents.values()]
    mean = np.concatenate(reader.states(DOCUMENT, (texts[place] for place in sampled))).mean(axis=0, dtype=np.float64)
    for task in every:
        queries = reader.states(QUERY, task.queries.values())
        documents = reader.states(DOCUMENT, [document.text for document in task.documents.values()])
        grades = judged(task)
        yield _row(task, DENSE, ndcg_at_10(dense(queries) @ dense(documents).T, grades))
        sides = (centred(own, mean.astype(np.float32)) for own in (queries, documents))
        yield _row(task, STATES, ndcg_at_10(all_scores(*sides), grades))


def of_one_length(ids: Sequence[Ids], n_tokens: int) -> Iterator[list[int]]:
    """Group texts of one length, those of markers alone left out."""
    lengths = np.array([len(own) for own in ids])
    for length in np.unique(lengths[lengths > MARKERS]).tolist():
        places = np.flatnonzero(lengths == length).tolist()
        size = max(n_tokens // length, 1)
        yield from (places[start : start + size] for start in range(0, len(places), size))


def dense(texts: Sequence[States]) -> NDArray[np.float32]:
    """Give the mean over the states of each text, ``(n, size)`` of unit norm; 0 of a text without any."""
    means = np.stack([own.mean(axis=0, dtype=np.float32) if len(own) else np.zeros(own.shape[1]) for own in texts])
    unit: NDArray[np.float32] = (means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)).astype(
        np.float32
    )
    return unit


def centred(texts: Sequence[States], mean: NDArray[np.float32]) -> MultiVectors:
    """Give states without their mean, of unit norm; 0 for a text without any."""
    found = []
    for own in texts:
        away = own.astype(np.float32) - mean if len(own) else np.zeros((1, len(mean)), np.float32)
        found.append(away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9))
    return MultiVectors.of(found)


def judged(task: Task) -> NDArray[np.int32]:
    """Give ``(n, 3)``: places of query and document, and the grade."""
    queries, documents = ({key: place for place, key in enumerate(own)} for own in (task.queries, task.documents))
    grades = [
        (queries[query], documents[document], int(grade))
        for query, own in task.qrels.items()
        for document, grade in own.items()
        if query in queries and document in documents and grade > 0
    ]
    return np.array(grades, np.int32)


def _row(task: Task, way: str, ndcg: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "dataset": task.name, "query_language": task.query_language, "document_language": task.language,
        "way": way, "queries": len(ndcg), "ndcg_at_10": round(float(ndcg.mean()), 6),
    }  # fmt: skip


if __name__ == "__main__":
    run(main)
