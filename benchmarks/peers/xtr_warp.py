"""xtr-warp-rs: XTR-WARP's implicit decompression and imputed scores, 4-bit residuals, no exact re-ranking."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.plaid import N_BITS, found
from benchmarks.peers.protocol import Environment, Found, Material, Search, Setting


class XtrWarp:
    """Built with its defaults."""

    environment = Environment(("xtr-warp-rs==2.1.0.2110", "numpy==2.4.6"), ("torch", "xtr_warp"))
    settings = (
        Setting("auto", {}),
        Setting.of(nprobe=16, t_prime=100_000),
        Setting.of(nprobe=32, t_prime=100_000),
        Setting.of(nprobe=64, t_prime=100_000),
        Setting.of(nprobe=128, t_prime=100_000, centroid_score_threshold=0.0),
    )

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Cluster and compress all passages in one go."""
        import torch
        from xtr_warp import XTRWarp

        torch.set_num_threads(threads)
        passages = [torch.from_numpy(vectors.astype(np.float32)) for vectors in material.passages]
        XTRWarp(str(folder), device="cpu").create(passages, device="cpu", nbits=N_BITS, show_progress=False)

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Load the index on the CPU, large arrays mapped."""
        import torch
        from xtr_warp import XTRWarp

        torch.set_num_threads(threads)
        index = XTRWarp(str(folder), device="cpu").load("cpu")
        options = {"num_threads": threads, "show_progress": False, **setting.parameters}

        def search(query: NDArray[np.float32], k: int) -> Found:
            return found(index.search(torch.from_numpy(query).unsqueeze(0), top_k=k, **options)[0])

        return search
