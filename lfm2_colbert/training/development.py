"""How well a model in training finds: nDCG@10 by exact MaxSim on sets that nothing is learned from.

`lfm2-colbert eval` measures what is served. This measures the model itself, in seconds, so that a curve can show it:
texts are cut at the encoder's budget, and nothing is quantised.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.compiler import set_stance

from lfm2_colbert.backbone import Masks
from lfm2_colbert.errors import NotFoundError
from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.training.archive import Arrays, read_archive, write_archive
from lfm2_colbert.training.losses import maxsim
from lfm2_colbert.training.precision import in_bfloat16

DEPTH = 10
TOKENS_PER_BATCH = {"cpu": 8192, "cuda": 262_144}
LARGEST_COMPARISON = {"cpu": 20_000_000, "cuda": 400_000_000}
"""Pairs of tokens that are compared at once, by the kind of device."""

Ids = NDArray[np.uint16]
Tokenize = Callable[[Sequence[str]], list[NDArray[np.int64]]]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Queries, documents and what is relevant.

    Attributes:
        name: of the set, with its languages.
        queries: ids of each, markers included.
        documents: the same.
        judged: ``(n, 3)`` int32: query, document, grade above 0.
    """

    name: str
    queries: list[Ids]
    documents: list[Ids]
    judged: NDArray[np.int32]


def read_judged(folder: Path, queries: Tokenize, documents: Tokenize) -> list[Judged]:
    """Read all sets below a folder, ``<set>/<language>/…`` in BEIR's files, each language of queries by itself.

    Raises:
        NotFoundError: there is none.
    """
    found = [
        _judged(home, asked, queries, documents)
        for home in sorted({path.parent for path in folder.glob("*/*/corpus.jsonl")})
        for asked in sorted(home.glob("queries*.jsonl"))
    ]
    if not found:
        raise NotFoundError(f"there is no <set>/<language>/corpus.jsonl in {folder}", help="unpack the sets there")
    return found


def save_judged(path: Path, tasks: Sequence[Judged]) -> None:
    """Write sets as one NumPy archive."""
    arrays: Arrays = {"names": np.array([task.name for task in tasks])}
    for number, task in enumerate(tasks):
        arrays[f"{number}.judged"] = task.judged
        for kind, texts in (("queries", task.queries), ("documents", task.documents)):
            arrays[f"{number}.{kind}"] = np.concatenate(texts)
            arrays[f"{number}.{kind}.ends"] = np.cumsum([len(text) for text in texts])
    write_archive(path, arrays)


def load_judged(path: Path) -> list[Judged]:
    """Read what `save_judged` wrote."""
    kept = read_archive(path)
    return [
        Judged(
            str(name),
            _split(kept, f"{number}.queries"),
            _split(kept, f"{number}.documents"),
            kept[f"{number}.judged"],
        )
        for number, name in enumerate(kept["names"])
    ]


def ndcg(model: ColBERTModel, tasks: Sequence[Judged]) -> dict[str, NDArray[np.float64]]:
    """Measure nDCG@10 of every query that has a relevant document, by set."""
    with set_stance("force_eager"):  # a few batches are not worth compiling for
        return {task.name: ndcg_at_10(scores_of(model, task), task.judged) for task in tasks}


def mean(measured: Mapping[str, NDArray[np.float64]]) -> float:
    """Give the mean over sets, each weighing the same."""
    return float(np.mean([own.mean() for own in measured.values()]))


def ndcg_at_10(scores: NDArray[np.float32], judged: NDArray[np.int32]) -> NDArray[np.float64]:
    """Give nDCG@10 with linear gains, as trec_eval has it, of the queries that are judged, ascending.

    Args:
        scores: ``(n_queries, n_documents)``; of equals, the earlier document is first.
        judged: ``(n, 3)``: query, document, grade.
    """
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    grades = np.zeros(scores.shape)
    grades[judged[:, 0], judged[:, 1]] = judged[:, 2]
    asked = np.unique(judged[:, 0])
    best = np.argsort(-scores[asked], axis=1, kind="stable")[:, :DEPTH]
    gained = np.take_along_axis(grades[asked], best, axis=1) @ discounts[: best.shape[1]]
    ideal = -np.sort(-grades[asked], axis=1)[:, :DEPTH] @ discounts[: best.shape[1]]
    result: NDArray[np.float64] = gained / ideal
    return result


def scores_of(model: ColBERTModel, task: Judged) -> NDArray[np.float32]:
    """Score all documents for all queries by mean-MaxSim, ``(n_queries, n_documents)``."""
    device = next(model.parameters()).device
    return compared(*(encoded(model, texts, device) for texts in (task.queries, task.documents)))


def compared(asked: tuple[Tensor, Tensor], answering: tuple[Tensor, Tensor]) -> NDArray[np.float32]:
    """Score all documents for all queries by mean-MaxSim; both are vectors ``(n, T, dim)`` and where a token stands."""
    (queries, query_mask), (documents, document_mask) = asked, answering
    per_document = queries.shape[0] * queries.shape[1] * documents.shape[1]
    size = max(LARGEST_COMPARISON[queries.device.type] // per_document, 1)
    with torch.inference_mode():
        parts = [
            maxsim(queries, query_mask, documents[start : start + size], document_mask[start : start + size])
            for start in range(0, len(documents), size)
        ]
    scores: NDArray[np.float32] = torch.cat(parts, dim=1).cpu().numpy()
    return scores


@torch.inference_mode()
def encoded(model: ColBERTModel, texts: Sequence[Ids], device: torch.device) -> tuple[Tensor, Tensor]:
    """Encode texts: ``(n, T, dim)`` and where a token stands, ``(n, T)``."""
    lengths = np.array([len(text) for text in texts])
    longest = int(lengths.max())
    vectors = torch.zeros(len(texts), longest, model.projection.out_features, device=device)
    for batch in _batches(lengths, TOKENS_PER_BATCH[device.type]):
        width = int(lengths[batch].max())
        ids = np.zeros((len(batch), width), np.int64)
        for row, text in enumerate(batch.tolist()):
            ids[row, : lengths[text]] = texts[text]
        present = torch.from_numpy(np.arange(width) < lengths[batch][:, None]).to(device)
        with in_bfloat16(device):
            found = model(torch.from_numpy(ids).to(device), Masks(present, present))
        vectors[torch.from_numpy(batch).to(device), :width] = found
    return vectors, torch.from_numpy(np.arange(longest) < lengths[:, None]).to(device)


def _batches(lengths: NDArray[np.int64], n_tokens: int) -> Iterator[NDArray[np.int64]]:
    """Group texts of like lengths, longest first."""
    order = np.argsort(-lengths, kind="stable")
    first = 0
    while first < len(order):
        size = max(n_tokens // int(lengths[order[first]]), 1)
        yield order[first : first + size]
        first += size


def _judged(home: Path, asked: Path, queries: Tokenize, documents: Tokenize) -> Judged:
    texts = {row["_id"]: f"{row.get('title', '')} {row['text']}".strip() for row in _rows(home / "corpus.jsonl")}
    questions = {row["_id"]: row["text"] for row in _rows(asked)}
    numbers = tuple({key: number for number, key in enumerate(keys)} for keys in (questions, texts))
    judged = []
    for line in (home / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if query in questions and int(grade) > 0:
            judged.append((numbers[0][query], numbers[1][document], int(grade)))
    own, theirs = (
        [ids.astype(np.uint16) for ids in tokenize(list(of.values()))]
        for tokenize, of in ((queries, questions), (documents, texts))
    )
    language = asked.name.removeprefix("queries").removesuffix(".jsonl").strip(".") or home.name
    return Judged(f"{home.parent.name} {language}-{home.name}", own, theirs, np.array(judged, np.int32))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _split(kept: Arrays, name: str) -> list[Ids]:
    return np.split(kept[name].astype(np.uint16), kept[f"{name}.ends"][:-1])
