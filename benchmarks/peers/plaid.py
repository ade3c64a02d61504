"""fast-plaid: PLAID in Rust on libtorch, 4-bit residuals."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.protocol import Environment, Found, Material, Search, Setting

N_BITS = 4
BATCH = 25_000


class FastPlaid:
    """Built with its defaults."""

    environment = Environment(("fast-plaid==1.7.0.2110", "numpy==2.4.6"), ("torch", "fast_plaid.search"))
    settings = tuple(
        Setting.of(n_ivf_probe=n_probe, n_full_scores=n_full)
        for n_probe, n_full in ((1, 512), (2, 1024), (4, 1024), (8, 4096), (16, 8192))
    )

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Cluster and compress all passages in one go."""
        import torch
        from fast_plaid import search

        torch.set_num_threads(threads)
        passages = [torch.from_numpy(np.array(vectors)) for vectors in material.passages]
        search.FastPlaid(str(folder), device="cpu").create(passages, nbits=N_BITS, use_triton_kmeans=False)

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Load the index on the CPU."""
        import torch
        from fast_plaid import search

        torch.set_num_threads(threads)
        index = search.FastPlaid(str(folder), device="cpu")

        def ask(query: NDArray[np.float32], k: int) -> Found:
            tensor = torch.from_numpy(query).unsqueeze(0)
            return found(index.search(tensor, top_k=k, show_progress=False, **setting.parameters)[0])

        return ask


def found(pairs: Iterable[tuple[int, float]]) -> Found:
    """Read a list of passage and score, best first, as the engines built on libtorch give it."""
    numbers, scores = zip(*pairs, strict=True) if (pairs := list(pairs)) else ((), ())
    return Found(np.array(numbers, np.int64), np.array(scores, np.float32))
