"""Figures of vectors that are cut, from what every query found."""

import numpy as np

from benchmarks.widths import rows_of


def test_a_run_is_held_against_the_one_before_within_and_across_languages() -> None:
    before = {"xquad de-de": np.array([0.5, 0.7]), "xquad de-ja": np.array([0.1, 0.3])}
    after = {name: own + 0.1 for name, own in before.items()}
    base, learned = rows_of(64, [("base", before), ("matryoshka", after)])
    assert base == {"run": "base", "width": 64, "ndcg_at_10": 0.4, "ndcg_within": 0.6, "ndcg_crossed": 0.2}
    assert (learned["ndcg_at_10"], learned["ndcg_crossed"], learned["against"]) == (0.5, 0.3, "base")
    assert (learned["difference"], learned["low"], learned["high"]) == (0.1, 0.1, 0.1)
