"""Real token vectors to measure engines on: passages of many evaluation sets in eight and more languages, real queries.

Encoded once by the bundled encoder into the ignored folder ``data/engine``; every engine is then given the same arrays.
Two parts of the queries have nothing in common: settings are chosen with the one, figures reported of the other.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.evaluation_sets import unpack
from eval.datasets.base import Task, sample, without_titles
from eval.datasets.folder import load
from index.chunking import chunk
from lfm2_colbert import MultiVectors, load_encoder
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import BUNDLED
from lfm2_colbert.encoders.onnx import MODEL_FILE, TOKENIZER_FILE, folder_tokenizer, read_encoder_config

SETS = (
    ("mlqa", "es"), ("mlqa", "en"), ("mlqa", "ar"), ("squad-it", "it"), ("jaquad", "ja"), ("germanquad", "de"),
    ("faquad", "pt"), ("arcd", "ar"), ("flores-continuation", "fr"), ("flores-continuation", "ko"), ("cmrc2018", "zh"),
)  # fmt: skip
"""Set and language. Some 22,000 passages, three million tokens: k-means of the PLAID family grows with tokens^1.5, and
this is what it clusters on one core in about half an hour."""
QUERIES_PER_SET = 40
PASSAGES_PER_ENCODING = 256


class Part(StrEnum):
    """Of the queries."""

    TUNING = "tuning"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True, eq=False)
class EngineSet:
    """What an engine is measured on.

    Attributes:
        passages: one item a passage, float16.
        documents: ``(n_passages,)`` int64, number of the document each passage belongs to, ascending.
        languages: of the documents.
        queries: one item a query, float32; of one part.
        qrels: for each query, document number → grade.
        queries_folder: where the queries lie.
        token_ids: ``(n_tokens,)`` uint32, what each vector of the passages stands for in the encoder's vocabulary.
    """

    passages: MultiVectors
    documents: NDArray[np.int64]
    languages: list[str]
    queries: MultiVectors
    qrels: list[dict[int, int]]
    queries_folder: Path
    token_ids: NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class EngineTexts:
    """Passages, the number of the document that each is of, and queries, in words."""

    passages: list[str]
    documents: list[int]
    queries: list[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """The queries of all sets, and the numbers of the documents that answer each."""

    texts: list[str]
    qrels: list[dict[int, int]]


def engine_set(archives: Path, destination: Path, part: Part = Part.REPORTED, seed: int = 0) -> EngineSet:
    """Load the set; where it is not there, or another model made it, make it (some minutes of encoding).

    Args:
        archives: holds the packed evaluation sets.
        destination: an ignored folder.
        part: of the queries.
        seed: draws the queries.
    """
    folder = destination / "engine"
    asked_folder = folder / part
    tasks = [_task(archives, destination, *wanted) for wanted in SETS]
    model = _model()
    _made_once(folder, [model, SETS], lambda: _make_passages(folder, tasks))
    recipe = [model, SETS, part, QUERIES_PER_SET, seed]
    _made_once(asked_folder, recipe, lambda: _make_queries(asked_folder, [part_of(each, part, seed) for each in tasks]))
    qrels = json.loads((asked_folder / "qrels.json").read_text(encoding="utf-8"))
    return EngineSet(
        MultiVectors(np.load(folder / "passages.npy", mmap_mode="r"), np.load(folder / "offsets.npy")),
        np.load(folder / "documents.npy"),
        json.loads((folder / "languages.json").read_text(encoding="utf-8")),
        MultiVectors(np.load(asked_folder / "queries.npy"), np.load(asked_folder / "query_offsets.npy")),
        [{int(number): grade for number, grade in own.items()} for own in qrels],
        asked_folder,
        np.load(folder / "token_ids.npy"),
    )


def engine_texts(archives: Path, destination: Path, seed: int = 0) -> EngineTexts:
    """Load the texts that `engine_set` encodes, those of the queries being the part that is reported."""
    tasks = [_task(archives, destination, *wanted) for wanted in SETS]
    texts = [document.text for task in tasks for document in task.documents.values()]
    numbers, cut = passages_of(texts, load_encoder("nano"))
    return EngineTexts(cut, numbers, _asked([part_of(each, Part.REPORTED, seed) for each in tasks]).texts)


def _model() -> str:
    """Name what decides the vectors; the encoder's fingerprint covers more, such as how an index codes them."""
    return hashlib.sha256((BUNDLED / MODEL_FILE).read_bytes() + (BUNDLED / TOKENIZER_FILE).read_bytes()).hexdigest()


def _made_once(folder: Path, recipe: list[Any], make: Callable[[], None]) -> None:
    made, wanted = folder / "recipe.json", json.dumps(recipe)
    if not made.exists() or made.read_text(encoding="utf-8") != wanted:
        made.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        make()
        made.write_text(wanted, encoding="utf-8")  # last: it says that the folder is whole


def _task(archives: Path, destination: Path, name: str, language: str) -> Task:
    return without_titles(load(unpack(archives, name, destination / "eval"), language))


def part_of(task: Task, part: Part, seed: int) -> Task:
    """Keep the queries of a part: first those to tune with are drawn, then those to report from the others."""
    tuning = sample(task, QUERIES_PER_SET, seed)
    if part is Part.TUNING:
        return tuning
    others = {key: text for key, text in task.queries.items() if key not in tuning.queries}
    return sample(replace(task, queries=others, qrels={key: task.qrels[key] for key in others}), QUERIES_PER_SET, seed)


def _make_passages(folder: Path, tasks: list[Task]) -> None:
    encoder = load_encoder("nano")
    texts = [document.text for task in tasks for document in task.documents.values()]
    numbers, cut = passages_of(texts, encoder)
    passages = MultiVectors.of(list(_encoded(cut, encoder)))
    np.save(folder / "passages.npy", passages.vectors)
    np.save(folder / "offsets.npy", passages.offsets)
    np.save(folder / "token_ids.npy", _token_ids(cut))
    np.save(folder / "documents.npy", np.array(numbers, np.int64))
    languages = [task.language for task in tasks for _ in task.documents]
    (folder / "languages.json").write_text(json.dumps(languages), encoding="utf-8")


def _make_queries(folder: Path, tasks: list[Task]) -> None:
    asked = _asked(tasks)
    queries = load_encoder("nano").encode_queries(asked.texts)
    np.save(folder / "queries.npy", queries.vectors)
    np.save(folder / "query_offsets.npy", queries.offsets)
    (folder / "qrels.json").write_text(json.dumps(asked.qrels), encoding="utf-8")


def _asked(tasks: list[Task]) -> Asked:
    """Number the documents of all tasks in one row, and say by number which answer each query."""
    texts: list[str] = []
    qrels: list[dict[int, int]] = []
    first = 0
    for task in tasks:
        numbers = {document_id: first + i for i, document_id in enumerate(task.documents)}
        texts += task.queries.values()
        qrels += [{numbers[key]: grade for key, grade in task.qrels[query].items()} for query in task.queries]
        first += len(numbers)
    return Asked(texts, qrels)


def passages_of(texts: list[str], encoder: Encoder) -> tuple[list[int], list[str]]:
    """Cut documents into passages as a collection does: the number of each passage's document, and its text."""
    cut = [(i, text[each.start : each.end]) for i, text in enumerate(texts) for each in chunk(text, encoder)]
    return [number for number, _ in cut], [text for _, text in cut]


def _encoded(texts: list[str], encoder: Encoder) -> Iterator[NDArray[np.float16]]:
    for start in range(0, len(texts), PASSAGES_PER_ENCODING):
        for vectors in encoder.encode_documents(texts[start : start + PASSAGES_PER_ENCODING]):
            yield vectors.astype(np.float16)


def _token_ids(texts: list[str]) -> NDArray[np.uint32]:
    tokenizer = folder_tokenizer(BUNDLED, read_encoder_config(BUNDLED))
    return np.concatenate([each.ids[each.kept] for each in tokenizer.documents(texts)]).astype(np.uint32)
