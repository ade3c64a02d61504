"""How many processors this process may use, on systems that say so and on those that do not."""

import os


def usable_processors() -> int:
    """Count the processors that this process may use; macOS does not say, and gives those of the machine."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
