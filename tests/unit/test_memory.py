"""How much memory there is, on systems that say so and on those that do not."""

import os
from pathlib import Path

import pytest

from lfm2_colbert import memory
from lfm2_colbert.memory import machine_memory, usable_memory

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("share", "usable"),
    [("max\n", MACHINE), (f"{2**26}\n", 2**26), (f"{2**60}\n", MACHINE), ("", MACHINE), ("viel", MACHINE)],
)
def test_a_container_may_have_less_than_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: str, usable: int
) -> None:
    monkeypatch.setattr(memory, "MEMORY_SHARE", tmp_path / "memory.max")
    assert usable_memory() == MACHINE
    (tmp_path / "memory.max").write_text(share, encoding="utf-8")
    assert usable_memory() == usable


def test_a_system_that_does_not_tell_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf")
    assert machine_memory() == usable_memory() == 0
