"""What was planted is seen by an evaluation, and an index that was built again is the same."""

from pathlib import Path

import pytest

from benchmarks.evaluation import PLANTED, planted
from benchmarks.evaluation_sets import unpack
from index.codecs import CODECS


@pytest.mark.slow
def test_planted_regressions_are_significant_and_a_second_build_is_not(shared: Path, tmp_path: Path) -> None:
    rows = list(planted(unpack(shared / "data" / "eval", "xquad", tmp_path), 200))
    assert [row["check"] for row in rows] == list(PLANTED)
    assert [row["holds"] for row in rows] == ["yes"] * len(PLANTED), rows
    assert "planted" not in CODECS
