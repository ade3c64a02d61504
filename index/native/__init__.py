"""Kernels: compiled where a compiler was there at installation, NumPy otherwise; both give the same rankings."""

import os
from functools import lru_cache

from index.native.base import Kernels
from index.native.fallback import NumpyKernels
from index.native.library import load_library

VARIABLE = "LFM2_COLBERT_KERNELS"
"""Forces a variant: ``numpy``, ``scalar``, ``avx2``, ``avx512`` or ``neon``. Read at each call, never at import."""


def kernels() -> Kernels:
    """Give the kernels of this machine, or those that the environment asks for.

    Raises:
        InvalidArgumentError: the environment names a variant that does not run here.
    """
    return _kernels(os.environ.get(VARIABLE, ""))


@lru_cache(maxsize=8)
def _kernels(wanted: str) -> Kernels:
    compiled = None if wanted == "numpy" else load_library(variant=wanted)
    return compiled or NumpyKernels()
