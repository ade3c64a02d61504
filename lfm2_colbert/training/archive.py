"""Arrays by name in one file, which a kill never leaves half written; NumPy's, so that torch is all one needs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def write_archive(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays beside the file there is, and let them take its place."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes a name for its option
    unfinished.replace(path)


def read_archive(path: Path) -> Arrays:
    """Read all arrays of a file; pickled objects are refused."""
    with np.load(path, allow_pickle=False) as kept:
        return {name: kept[name] for name in kept.files}
