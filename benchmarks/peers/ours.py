"""This project's engine as it is served: a Collection in its default codec, asked through its public search."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.protocol import Environment, Found, Material, Search, Setting
from index.collection import Collection
from index.types import Document
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.multivectors import MultiVectors

NAME = "engine"
PASSAGES_PER_ADD = 50_000


class Ours:
    """Vectors come from outside, so the encoder only has to have their width."""

    environment = Environment(modules=("index.collection", "faiss"))
    settings = tuple(Setting.of(effort=effort) for effort in ("fast", "balanced", "exact"))

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Add all passages, each a document of a few characters; merging and clustering are part of adding."""
        passages = material.passages
        encoder = HashingEncoder(dim=passages.dim)
        with Collection.open(NAME, create=True, encoder=encoder, home=folder, threads=threads) as collection:
            for start in range(0, len(passages), PASSAGES_PER_ADD):
                numbers = range(start, min(start + PASSAGES_PER_ADD, len(passages)))
                first, last = passages.offsets[start], passages.offsets[numbers[-1] + 1]
                offsets = passages.offsets[start : numbers[-1] + 2] - first
                vectors = MultiVectors(np.asarray(passages.vectors[first:last]), offsets)
                collection.add([Document(str(number), f"passage {number}") for number in numbers], vectors=vectors)

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Open the collection."""
        collection = Collection.open(NAME, home=folder, threads=threads)
        effort = setting.parameters["effort"]

        def search(query: NDArray[np.float32], k: int) -> Found:
            hits = collection.search_vectors(query, k=k, effort=effort)
            return Found(
                np.array([int(document_id) for document_id, _ in hits], np.int64),
                np.array([score for _, score in hits], np.float32),
            )

        return search
