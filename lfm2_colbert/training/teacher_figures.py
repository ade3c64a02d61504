"""What a teacher finds itself, on the sets that its student is measured on.

Texts are the student's ids, cut as its are, and scored in three ways: by the cosine of whole texts' vectors, by MaxSim
of token states, and by MaxSim of what each token is to become (`targets.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lfm2_colbert.training.corpus import DOCUMENT, QUERY
from lfm2_colbert.training.development import TOKENS_PER_BATCH, Ids, Judged, compared, ndcg_at_10
from lfm2_colbert.training.targets import Projection
from lfm2_colbert.training.teacher import MARKERS, Teacher

DENSE, STATES, TARGETS = "dense", "states", "targets"
"""Ways to score."""


@dataclass(frozen=True, slots=True)
class Read:
    """Texts as a teacher reads them.

    Attributes:
        dense: ``(n, size)``, unit norm.
        states: ``(n, T, size)``, centred, unit norm.
        present: ``(n, T)`` bool.
    """

    dense: Tensor
    states: Tensor
    present: Tensor


def teacher_ndcg(
    teacher: Teacher, projection: Projection, tasks: Sequence[Judged]
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Measure nDCG@10 of every query that has a relevant document: way to score → set → queries."""
    found: dict[str, dict[str, NDArray[np.float64]]] = {DENSE: {}, STATES: {}, TARGETS: {}}
    for task in tasks:
        for way, scores in _scored(teacher, projection, task):
            found[way][task.name] = ndcg_at_10(scores, task.judged)
    return found


def _scored(teacher: Teacher, projection: Projection, task: Judged) -> Iterator[tuple[str, NDArray[np.float32]]]:
    queries, documents = (
        read(teacher, projection, texts, role) for texts, role in ((task.queries, QUERY), (task.documents, DOCUMENT))
    )
    yield DENSE, (queries.dense @ documents.dense.T).cpu().numpy()
    yield STATES, compared(*((side.states, side.present) for side in (queries, documents)))
    axes = torch.from_numpy(projection.axes).to(teacher.device)
    yield (
        TARGETS,
        compared(*((functional.normalize(side.states @ axes, dim=-1), side.present) for side in (queries, documents))),
    )


@torch.inference_mode()
def read(teacher: Teacher, projection: Projection, texts: Sequence[Ids], role: int) -> Read:
    """Let a teacher read texts of one role; a text of markers alone says nothing, and stays 0."""
    lengths = np.array([len(text) - MARKERS for text in texts])
    mean = torch.from_numpy(projection.mean).to(teacher.device)
    dense = torch.zeros(len(texts), teacher.size, device=teacher.device)
    states = torch.zeros(len(texts), max(int(lengths.max()), 1), teacher.size, device=teacher.device)
    for rows in _of_one_length(lengths, TOKENS_PER_BATCH[teacher.device.type]):
        own = teacher.states(np.stack([texts[row] for row in rows]), role)  # (B, n, size)
        places = torch.from_numpy(rows).to(teacher.device)
        dense[places] = functional.normalize(own.mean(1), dim=-1)
        states[places, : own.shape[1]] = functional.normalize(own - mean, dim=-1)
    present = np.arange(states.shape[1]) < lengths[:, None]
    return Read(dense, states, torch.from_numpy(present).to(teacher.device))


def _of_one_length(lengths: NDArray[np.int64], n_tokens: int) -> Iterator[NDArray[np.int64]]:
    for length in np.unique(lengths[lengths > 0]).tolist():
        rows = np.flatnonzero(lengths == length)
        size = max(n_tokens // (length + MARKERS), 1)
        yield from (rows[start : start + size] for start in range(0, len(rows), size))
