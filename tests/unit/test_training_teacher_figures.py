"""What a teacher finds is what its states say, text by text."""

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402

from index.maxsim import maxsim  # noqa: E402
from lfm2_colbert.training.development import Judged, ndcg_at_10  # noqa: E402
from lfm2_colbert.training.targets import Projection  # noqa: E402
from lfm2_colbert.training.teacher_figures import DENSE, STATES, TARGETS, teacher_ndcg  # noqa: E402

pytestmark = pytest.mark.torch

SIZE, DIM, VOCABULARY = 6, 3, 40
RNG = np.random.default_rng(3)
TABLE = RNG.standard_normal((2, VOCABULARY, SIZE)).astype(np.float32)
PROJECTION = Projection(
    RNG.standard_normal(SIZE).astype(np.float32), RNG.standard_normal((SIZE, DIM)).astype(np.float32)
)


class TableTeacher:
    """Gives each piece a row of a role's table."""

    size, is_space, device = SIZE, False, torch.device("cpu")

    def states(self, texts: NDArray[np.uint16], role: int) -> Tensor:
        return torch.from_numpy(TABLE[role][texts[:, 2:]])

    def words(self) -> NDArray[np.float32]:
        return TABLE[0]


def texts(n: int, *, longest: int) -> list[NDArray[np.uint16]]:
    """Texts of several lengths, one of them of markers alone."""
    lengths = [2, *RNG.integers(3, longest, n - 1)]
    return [RNG.integers(0, VOCABULARY, length).astype(np.uint16) for length in lengths]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def test_every_way_to_score_is_that_of_its_vectors() -> None:
    queries, documents = texts(7, longest=6), texts(50, longest=12)
    judged = np.array([(q, RNG.integers(1, 50), 1) for q in range(1, 7)], np.int32)
    found = teacher_ndcg(TableTeacher(), PROJECTION, [Judged("a x-y", queries, documents, judged)])
    raw = [[TABLE[role][text[2:]] for text in own] for role, own in enumerate((queries, documents))]
    centred = [[unit(own - PROJECTION.mean) for own in side] for side in raw]
    ways = {
        DENSE: [[unit(own.mean(axis=0, keepdims=True)) if len(own) else own for own in side] for side in raw],
        STATES: centred,
        TARGETS: [[unit(own @ PROJECTION.axes) for own in side] for side in centred],
    }
    for way, (asked, answering) in ways.items():
        nothing = 0.0 if way == DENSE else -np.inf
        scores = np.array([[maxsim(q, d) if len(d) else nothing for d in answering] for q in asked], np.float32)
        np.testing.assert_allclose(found[way]["a x-y"], ndcg_at_10(scores, judged), atol=1e-6, err_msg=way)
