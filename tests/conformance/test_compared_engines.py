"""What every engine of the comparison has to do, run in its own environment; engines not installed here are skipped."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import ENGINES
from benchmarks.peers.changing import CHANGERS, ChangesJob
from benchmarks.peers.processes import ENVIRONMENTS, INSTALLED, Answers, built, changed, interpreter, searched
from benchmarks.peers.protocol import Engine
from benchmarks.peers.worker import Job
from benchmarks.results_file import ROOT
from eval.oracle import all_scores
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

pytestmark = pytest.mark.slow
N_PASSAGES, N_QUERIES, TOKENS, DIM, K = 600, 20, 24, 128, 10
IMPUTED = ("xtr-warp-rs", "lancedb")
"""Engines whose scores stand for tokens they have not looked at."""
POOLED = ("lfm2-colbert:pool-2", "lfm2-colbert:pool-3")
"""Scores are of means of tokens, on these vectors of tokens that have nothing to do with each other."""
SCORE_TOLERANCE = 0.15
"""Of scores around 5: 4-bit residuals and product quantisers are that far off."""


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Passages around a few hundred directions, as tokens are, and queries that are noisy parts of passages."""
    generator = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("material")
    meanings = generator.standard_normal((400, DIM))
    token_ids = generator.integers(0, len(meanings), N_PASSAGES * TOKENS)
    vectors = unit(meanings[token_ids] + 0.6 * generator.standard_normal((len(token_ids), DIM)))
    offsets = np.arange(0, len(vectors) + 1, TOKENS)
    asked = [vectors[offsets[i] : offsets[i] + 6] for i in range(N_QUERIES)]
    queries = MultiVectors.of([unit(own + 0.03 * generator.standard_normal(own.shape)) for own in asked])
    np.save(folder / "passages.npy", vectors.astype(np.float16))
    np.save(folder / "offsets.npy", offsets)
    np.save(folder / "token_ids.npy", token_ids.astype(np.uint32))
    np.save(folder / "queries.npy", queries.vectors)
    np.save(folder / "query_offsets.npy", queries.offsets)
    return folder


def unit(
    vectors: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> tuple[str, Engine]:
    loaded: Engine = lookup(ENGINES, request.param, "engine")()
    stamp = ROOT / ENVIRONMENTS / request.param / INSTALLED
    installed = stamp.exists() and stamp.read_text(encoding="utf-8") == json.dumps(asdict(loaded.environment))
    if loaded.environment.requirements and not installed:
        pytest.skip(f"{request.param} is not installed: python -m benchmarks.engine SETS --engine {request.param}")
    return request.param, loaded


@pytest.fixture(scope="module")
def answers(engine: tuple[str, Engine], material: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the engine finds at its most thorough setting."""
    name, loaded = engine
    place = tmp_path_factory.mktemp(name)
    job = Job(name, "", 1, str(material), str(material), str(place / "index"), str(place / "build"), 300, K)
    python = interpreter(ROOT, name, loaded.environment)
    figures = built(python, job)
    assert figures["disk_bytes_per_token"] > DIM / 8  # a bit a dimension: less is not all that was written
    return searched(python, replace(job, setting=loaded.settings[-1].name, result=str(place / "search")))


def test_a_passage_is_found_first_by_a_part_of_itself(answers: Answers) -> None:
    share = np.mean(answers.passages[:, 0] == answers.queries)
    assert share >= 0.9


def test_scores_descend_and_stand_for_the_passages_they_are_given_with(
    engine: tuple[str, Engine], answers: Answers, material: Path
) -> None:
    there = answers.passages >= 0
    assert np.all(np.diff(np.where(there, answers.scores, -np.inf), axis=1)[there[:, 1:]] <= 1e-6)
    if engine[0] in (*IMPUTED, *POOLED):
        return
    passages = MultiVectors(np.load(material / "passages.npy"), np.load(material / "offsets.npy"))
    queries = MultiVectors(np.load(material / "queries.npy"), np.load(material / "query_offsets.npy"))
    exact = all_scores(queries, passages)[answers.queries]
    expected = np.take_along_axis(exact, np.maximum(answers.passages, 0), axis=1)
    assert np.abs(answers.scores - expected)[there].mean() < SCORE_TOLERANCE


def test_every_query_is_asked_once(answers: Answers) -> None:
    assert sorted(answers.queries.tolist()) == list(range(N_QUERIES))


def test_the_cost_of_a_query_is_positive(answers: Answers) -> None:
    assert answers.figures["cpu_ms_per_query"] > 0
    assert answers.figures["peak_rss_mb"] > 0


@pytest.mark.parametrize("engine", sorted(CHANGERS), indirect=True)
def test_changes_of_an_engine_are_seen_by_its_next_search(engine: tuple[str, Engine], tmp_path: Path) -> None:
    name, loaded = engine
    (tmp_path / "index").mkdir()
    job = ChangesJob(name, N_PASSAGES, TOKENS, 3, str(tmp_path / "index"), str(tmp_path / "rows.json"), 300)
    rows = changed(interpreter(ROOT, name, loaded.environment), job)  # fails where a change is not seen
    assert [row["operation"] for row in rows] == ["insert", "delete"]
