"""Nearest tokens by FAISS, then exact MaxSim of the passages they belong to: the usual home-made engine."""

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.protocol import Environment, Found, Material, Search, Setting

N_LISTS = 4096
DESCRIPTION = f"IVF{N_LISTS},PQ32"
TRAINING_VECTORS = 64 * N_LISTS
SEED = 0


class TokenFaiss:
    """IVF with product quantisation (40 bytes a token) for candidates, float16 vectors for their scores."""

    environment = Environment()
    settings = tuple(
        Setting.of(index=DESCRIPTION, nprobe=n_probe, tokens=n_tokens)
        for n_probe, n_tokens in ((4, 64), (8, 256), (16, 1024), (32, 4096))
    )

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Train on a sample of the tokens, add all."""
        faiss.omp_set_num_threads(threads)
        vectors = material.passages.vectors
        index = faiss.index_factory(material.passages.dim, _fitting(len(vectors)), faiss.METRIC_INNER_PRODUCT)
        sample = np.random.default_rng(SEED).choice(
            len(vectors), min(TRAINING_VECTORS, len(vectors)), replace=False, shuffle=False
        )
        index.train(vectors[np.sort(sample)].astype(np.float32))
        for start in range(0, len(vectors), TRAINING_VECTORS):
            index.add(vectors[start : start + TRAINING_VECTORS].astype(np.float32))
        faiss.write_index(index, str(folder / "tokens.faiss"))
        np.save(folder / "vectors.npy", vectors)
        np.save(folder / "offsets.npy", material.passages.offsets)

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Read the index; the vectors stay mapped."""
        faiss.omp_set_num_threads(threads)
        index = faiss.read_index(str(folder / "tokens.faiss"))
        faiss.ParameterSpace().set_index_parameter(index, "nprobe", setting.parameters["nprobe"])
        vectors, offsets = np.load(folder / "vectors.npy", mmap_mode="r"), np.load(folder / "offsets.npy")
        passage_of_token = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))

        def search(query: NDArray[np.float32], k: int) -> Found:
            _, tokens = index.search(query, setting.parameters["tokens"])
            candidates = np.unique(passage_of_token[tokens[tokens >= 0]])
            scores = _maxsim(query, candidates, vectors, offsets)
            best = np.lexsort((candidates, -scores))[:k]
            return Found(candidates[best], scores[best])

        return search


def _fitting(n_tokens: int) -> str:
    """Describe the index; with fewer lists where there are too few tokens to train them, as in tests."""
    return DESCRIPTION if n_tokens >= 39 * N_LISTS else f"IVF{max(1, n_tokens // 64)},PQ32x4"


def _maxsim(
    query: NDArray[np.float32],
    candidates: NDArray[np.int64],
    vectors: NDArray[np.float16],
    offsets: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Score candidates ``(n,)``, of which each has a vector."""
    if not len(candidates):
        return np.zeros(0, np.float32)
    firsts, lengths = offsets[candidates], np.diff(offsets)[candidates]
    starts = np.cumsum(lengths) - lengths
    rows = np.repeat(firsts - starts, lengths) + np.arange(lengths.sum())
    similarities = vectors[rows].astype(np.float32) @ query.T  # (tokens of candidates, query tokens)
    return np.asarray(np.maximum.reduceat(similarities, starts, axis=0).sum(axis=1), dtype=np.float32)
