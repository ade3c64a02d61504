"""What a run on a CPU freed goes back to the system."""

import ctypes
import platform
import re
from pathlib import Path

import pytest

from lfm2_colbert.training.memory import release_freed

HELD = 200_000_000


def resident() -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return 1000 * int(found[1])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has malloc_trim")
def test_what_lies_freed_between_what_is_used_is_handed_back() -> None:
    blocks = [bytearray(100_000) for _ in range(HELD // 100_000)]
    del blocks[: -len(blocks) // 20]  # the last ones stay, so that the heap cannot shrink by itself
    before = resident()
    release_freed()
    assert before - resident() > HELD / 2
    assert all(not any(block[::10_000]) for block in blocks)


@pytest.mark.parametrize("lacking", [AttributeError, OSError, TypeError])
def test_another_c_library_keeps_what_it_keeps(monkeypatch: pytest.MonkeyPatch, lacking: type[Exception]) -> None:
    def library(name: None) -> None:
        asked.append(name)
        raise lacking

    asked: list[None] = []
    monkeypatch.setattr(ctypes, "CDLL", library)
    release_freed()
    assert asked == [None]
