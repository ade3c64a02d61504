"""This project's engine as it is served: a Collection asked through its public search, with its defaults or options."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

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
    options: ClassVar[Mapping[str, Any]] = {}
    """What a collection is made with beside its defaults."""
    settings = tuple(Setting.of(effort=effort) for effort in ("fast", "balanced", "exact"))

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Add all passages, each a document of a few characters; merging and clustering are part of adding."""
        passages = material.passages
        encoder = HashingEncoder(dim=passages.dim)
        made = {"create": True, "encoder": encoder, **self.options}
        with Collection.open(NAME, home=folder, threads=threads, **made) as collection:
            for start in range(0, len(passages), PASSAGES_PER_ADD):
                numbers = range(start, min(start + PASSAGES_PER_ADD, len(passages)))
                first, last = passages.offsets[start], passages.offsets[numbers[-1] + 1]
                offsets = passages.offsets[start : numbers[-1] + 2] - first
                vectors = MultiVectors(np.asarray(passages.vectors[first:last]), offsets)
                collection.add([Document(str(number), f"passage {number}") for number in numbers], vectors=vectors)

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Open the collection, as a service does."""
        collection = Collection.open(NAME, home=folder, threads=threads)
        collection.warm_up()
        asked = {name: value for name, value in setting.parameters.items() if name not in self.options}

        def search(query: NDArray[np.float32], k: int) -> Found:
            hits = collection.search_vectors(query, k=k, **asked)
            return Found(
                np.array([int(document_id) for document_id, _ in hits], np.int64),
                np.array([score for _, score in hits], np.float32),
            )

        return search


class NearestTokens(Ours):
    """Candidates by FAISS over token vectors in memory, which are made of the codes when it is first asked."""

    settings = (Setting.of(effort="balanced", candidates="faiss"),)


class _With(Ours):
    """A collection made with options, which its settings name."""

    def __init_subclass__(cls, **options: Any) -> None:
        cls.options = options
        cls.settings = tuple(Setting.of(**options, effort=effort) for effort in ("balanced", "exact"))


class Coarse(_With, codec="scalar4-coarse"):
    """Without the plane of refinement."""


class TwoBits(_With, codec="scalar2"):
    """The smallest codes."""


class PooledTwo(_With, pool=2):
    """Half the vectors."""


class PooledThree(_With, pool=3):
    """A third of the vectors."""
