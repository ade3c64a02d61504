"""Memory that a CPU's allocator keeps for later, handed back."""

import ctypes

RELEASE_EVERY = 10
"""Steps after which a run on a CPU does so: their shapes differ, and what glibc keeps between them only grows."""


def release_freed() -> None:
    """Hand what was freed back to the system, where the C library can (glibc's ``malloc_trim``)."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; no name for the program's own, as on Windows
        return
    trim(0)
