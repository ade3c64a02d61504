"""What the throughput benchmark counts."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import throughput
from benchmarks.peers.ours import Ours
from benchmarks.peers.protocol import Found, Material, Search, Setting
from lfm2_colbert.multivectors import MultiVectors


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_query_is_asked_once_whatever_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    rng = np.random.default_rng(0)
    items = [rng.standard_normal((3, 32)).astype(np.float32) for _ in range(20)]
    passages = MultiVectors.of(
        [(item / np.linalg.norm(item, axis=1, keepdims=True)).astype(np.float16) for item in items]
    )
    Ours().build(Material(passages, np.zeros(60, np.uint32)), tmp_path, 1)
    asked: list[int] = []
    opened = Ours.open

    def watched(self: Ours, folder: Path, threads: int, setting: Setting) -> Search:
        search = opened(self, folder, threads, setting)

        def ask(query: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]", k: int) -> Found:
            found = search(query, k)
            asked.append(int(found.passages[0]))
            return found

        return ask

    monkeypatch.setattr(Ours, "open", watched)
    wall, cpu = throughput.timed(Ours.settings[0], tmp_path, items, threads)
    warmed = [0] * threads
    assert sorted(asked) == sorted([*warmed, *range(20)])
    assert wall > 0
    assert cpu > 0
