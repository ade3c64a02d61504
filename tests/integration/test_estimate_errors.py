"""A run with the encoder that people use costs what `index --dry-run` said, within 30 %."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.documents.estimates import compared, error
from benchmarks.documents.gathering import SENTENCES
from benchmarks.results_file import ROOT

BOUND = 0.3
HELD = ("documents", "passages", "tokens", "disk_mb", "memory_mb", "cpu_s")
"""Not the time on the clock, which others who use the machine change between the two runs."""


def rows_in_ten_languages(folder: Path) -> None:
    """Write short and long rows, as a folder of mixed texts has them."""
    rng, sentences = np.random.default_rng(0), list(SENTENCES.values())
    rows = [{"id": str(n), "text": " ".join(rng.choice(sentences, int(rng.integers(1, 16))))} for n in range(1200)]
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")


def guides(folder: Path) -> None:
    """Link what this repository says of itself."""
    (folder / "docs").mkdir()
    for page in sorted((ROOT / "docs").rglob("*.md")):
        (folder / "docs" / f"{page.parent.name}-{page.name}").symlink_to(page)


def test_an_error_is_what_was_said_beside_what_came() -> None:
    assert error(13, 10) == pytest.approx(0.3)
    assert error(7, 10) == pytest.approx(-0.3)


@pytest.mark.slow
@pytest.mark.parametrize("written", [rows_in_ten_languages, guides], ids=lambda written: written.__name__)
def test_a_run_costs_what_the_dry_run_said(written: Callable[[Path], None], tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    written(folder)
    row = compared(folder, tmp_path / "home")
    assert row["documents_error"] == 0
    assert {name: row[f"{name}_error"] for name in HELD if abs(float(row[f"{name}_error"])) > BOUND} == {}
