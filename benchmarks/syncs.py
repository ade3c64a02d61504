"""How long does this machine's disk take to keep something?"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np

SYNCS = 60
BYTES = 8192


def sync_ms(folder: Path) -> float:
    """Give the median of `fdatasync` after appending to a file in a folder, in milliseconds."""
    spent = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            os.write(file.fileno(), bytes(BYTES))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            spent.append(time.perf_counter() - started)
    return round(float(np.median(spent)) * 1000, 2)
