"""PLAID as PyLate 1.6.0 serves it, on the older fast-plaid that it pins."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.plaid import N_BITS, found
from benchmarks.peers.protocol import Environment, Found, Material, Search, Setting

NAME = "passages"


class PylatePlaid:
    """Built with its defaults."""

    environment = Environment(("pylate==1.6.0", "fast-plaid==1.4.6.2110", "numpy==2.4.6"), ("torch", "pylate.indexes"))
    settings = tuple(
        Setting.of(n_ivf_probe=n_probe, n_full_scores=n_full) for n_probe, n_full in ((2, 1024), (4, 1024), (8, 8192))
    )

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Add all passages at once."""
        import torch
        from pylate import indexes

        torch.set_num_threads(threads)
        index = indexes.PLAID(str(folder), NAME, nbits=N_BITS, device="cpu", show_progress=False, use_triton=False)
        passages = [np.array(vectors) for vectors in material.passages]
        index.add_documents([str(i) for i in range(len(passages))], passages)

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Open the index on the CPU, one worker process."""
        import torch
        from pylate import indexes

        torch.set_num_threads(threads)
        index = indexes.PLAID(str(folder), NAME, device="cpu", show_progress=False, num_threads=1, **setting.parameters)

        def search(query: NDArray[np.float32], k: int) -> Found:
            return found((int(hit["id"]), hit["score"]) for hit in index([query], k=k)[0])

        return search
