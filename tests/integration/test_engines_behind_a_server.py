"""What the comparison of engines behind one server counts; the engines themselves are held to tests/conformance."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving.load import Searches
from benchmarks.serving.peers import PYLATE_SERVER, Bench, Numbers, every_row, recalled, shell_rows
from benchmarks.serving.process import family_seconds, processor_seconds
from eval.oracle import all_scores
from lfm2_colbert.multivectors import MultiVectors

N_PASSAGES, N_QUERIES, TOKENS, DIM = 200, 20, 12, 64
BURN = "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Passages of noise, and queries that are parts of them."""
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((N_PASSAGES * TOKENS, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    offsets = np.arange(0, len(vectors) + 1, TOKENS)
    queries = MultiVectors.of([vectors[offsets[i] : offsets[i] + 5] for i in range(N_QUERIES)])
    np.save(tmp_path / "passages.npy", vectors.astype(np.float16))
    np.save(tmp_path / "offsets.npy", offsets)
    np.save(tmp_path / "token_ids.npy", np.arange(len(vectors), dtype=np.uint32))
    np.save(tmp_path / "queries.npy", queries.vectors)
    np.save(tmp_path / "query_offsets.npy", queries.offsets)
    exact = all_scores(queries, MultiVectors(vectors, offsets))
    return Bench(tmp_path, tmp_path, tmp_path / "indexes", exact, runs=1, seconds=0.5)


@pytest.mark.slow
def test_each_setting_of_an_engine_is_a_row(bench: Bench) -> None:
    rows = list(shell_rows("lfm2-colbert", bench))
    assert [row["test"] for row in rows] == [
        f"peer lfm2-colbert effort={name}" for name in ("fast", "balanced", "exact")
    ]
    for row in rows:
        assert "not_run" not in row
        assert row["failed"] == 0
        assert row["searches_per_s"] > 0
        assert row["cpu_ms"] > 0
        assert row["p50_ms"] <= row["p95_ms"]
    assert rows[-1]["recall_at_10"] > 0.9


def test_what_cannot_be_measured_is_a_row_with_its_reason(bench: Bench) -> None:
    rows = list(every_row(bench, [], {"qdrant-edge": "no wheel for this machine", "pylate.server": PYLATE_SERVER}))
    assert rows[0] == {"test": "peer qdrant-edge", "not_run": "no wheel for this machine"}
    assert rows[1] == {"test": "peer pylate.server", "not_run": PYLATE_SERVER}


def test_passages_that_were_not_found_are_missed(bench: Bench) -> None:
    best = np.argsort(-bench.exact, axis=1)[:, :10].tolist()
    assert recalled(best, bench)["recall_at_10"] == 1.0
    assert recalled([found[:4] for found in best], bench)["recall_at_10"] == 0.4


def test_queries_are_asked_in_turn() -> None:
    assert [Numbers(3)(number)[1]["query"] for number in range(5)] == [0, 1, 2, 0, 1]
    path, body = Searches("pets", ["Hund", "cat"], {"mode": "semantic"})(1_000_001)
    assert path == "/v1/collections/pets/search"
    assert json.loads(json.dumps(body)) == {"query": "cat 1000001", "k": 10, "mode": "semantic"}


def test_the_time_of_children_counts() -> None:
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        living = 0.0
        while parent.poll() is None and living < 0.5:
            living = family_seconds(parent.pid)
            time.sleep(0.05)
        parent.stdout.readline()
        ended, own = family_seconds(parent.pid), processor_seconds(parent.pid)
        parent.communicate(b"\n")
    assert living >= 0.5
    assert ended - own >= 1
