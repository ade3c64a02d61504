"""Real weights against published vectors; the weights are not ours to ship, so whoever has them names their folder."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from index.maxsim import maxsim

pytestmark = [pytest.mark.shared, pytest.mark.torch]

N_QUERIES, N_DOCUMENTS = 2, 3


@pytest.fixture(scope="module")
def published(shared: Path) -> dict[str, NDArray[np.generic]]:
    """Ids, masks and vectors that PyLate computed with LFM2.5-ColBERT-350M."""
    tensors: dict[str, NDArray[np.generic]] = load_file(shared / "fixtures" / "lfm25" / "colbert_reference.safetensors")
    return tensors


def test_the_published_scores_are_maxsim_of_the_published_vectors(published: dict[str, NDArray[np.float32]]) -> None:
    for document in range(N_DOCUMENTS):
        score = maxsim(published["query.0.vectors"], published[f"document.{document}.vectors"])
        assert score == pytest.approx(float(published[f"maxsim.0.{document}"][0]), abs=1e-4)


def test_lfm25_colbert_gives_its_published_vectors(
    published: dict[str, NDArray[np.generic]], request: pytest.FixtureRequest
) -> None:
    folder = request.config.getoption("--checkpoint")
    if folder is None:
        pytest.skip("LFM2.5-ColBERT-350M is not shipped: run `pytest --checkpoint FOLDER` with its folder")
    torch = pytest.importorskip("torch")
    from lfm2_colbert.backbone import Masks
    from lfm2_colbert.checkpoint import open_checkpoint
    from lfm2_colbert.model import ColBERTModel

    checkpoint = open_checkpoint(folder)
    tensors = {name: torch.from_numpy(tensor) for name, tensor in checkpoint.tensors().items()}
    model = ColBERTModel.from_tensors(checkpoint.backbone, checkpoint.dim, tensors)
    found = {}
    for text in [f"query.{i}" for i in range(N_QUERIES)] + [f"document.{i}" for i in range(N_DOCUMENTS)]:
        ids = published[f"{text}.input_ids"].astype(np.int64)
        attended = torch.from_numpy(published[f"{text}.attention_mask"].astype(bool))[None]
        vectors = model(torch.from_numpy(ids)[None], Masks(torch.ones_like(attended), attended))[0].numpy()
        kept = ~np.isin(ids, checkpoint.tokens.skip_ids) if text.startswith("document") else np.ones(len(ids), bool)
        found[text] = vectors[kept]
        np.testing.assert_allclose(found[text], published[f"{text}.vectors"], rtol=0, atol=2e-3)
    for document in range(N_DOCUMENTS):
        score = maxsim(found["query.0"], found[f"document.{document}"])
        assert score == pytest.approx(float(published[f"maxsim.0.{document}"][0]), abs=1e-2)
