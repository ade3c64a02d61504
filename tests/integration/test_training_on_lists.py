"""Learning from lists: the loss falls, and a stopped run goes on as if nothing had been."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.numpy import load_file

from benchmarks.results_file import ROOT
from lfm2_colbert import load_encoder
from lfm2_colbert.errors import InvalidConfigError
from lfm2_colbert.training.batches import ListBatch, Material, batches_of, made
from lfm2_colbert.training.corpus import read_corpus
from lfm2_colbert.training.lists import read_lists, write_lists
from lfm2_colbert.training.loop import CURVE
from lfm2_colbert.training.mining import MiningOptions, mine, pooled
from lfm2_colbert.training.recipe import DataConfig, LossConfig, Recipe, read_recipe
from lfm2_colbert.training.runner import prepare, train
from lfm2_colbert.training.scorers import LateInteraction
from lfm2_colbert.training.scoring import Asked, score
from lfm2_colbert.training.sources import read_parallel
from lfm2_colbert.training.targets import no_targets

pytestmark = pytest.mark.torch

SIZE = 4


def ignore(*told: object) -> None:
    """Show nothing."""


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences of the handbook, whose candidates and scores are the bundled encoder's."""
    folder = tmp_path_factory.mktemp("lists")
    pool = pooled(list(read_parallel(ROOT / "examples" / "parallel", ["handbook"])))
    scorer = LateInteraction(load_encoder("nano", threads=1))

    class Retriever:
        fingerprint = "nano"

        def search(self, query: str, k: int) -> list[tuple[str, float]]:
            ids, (scores,) = list(pool.documents), scorer.scores([Asked(query, list(pool.documents.values()))])
            return [(ids[place], float(scores[place])) for place in np.argsort(-scores, kind="stable")[:k]]

    mined = mine(pool, Retriever(), MiningOptions(7, 1.0), folder / ".mining" / "journal", ignore)
    write_lists(folder, score(mined.lists, [scorer], folder / ".scores", ignore))
    return folder


def recipe(lists: Path, *, tokens: int = 12_000) -> Recipe:
    smoke = read_recipe(ROOT / "recipes" / "smoke.toml")
    return replace(
        smoke,
        data=DataConfig(lists=str(lists), list_size=SIZE),
        loss=LossConfig(token=1.0, ranking=0.1, contrastive=0.1, lists=0.3, student_scale=20.0),
        loop=replace(smoke.loop, tokens=tokens, keep_every=5, tell_every=3),
    )


def curve(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / CURVE).read_text().splitlines()]


def test_the_loss_of_lists_falls_beside_that_of_tokens(lists: Path, tmp_path: Path) -> None:
    train(recipe(lists), tmp_path / "run", ignore, ignore)
    lines = curve(tmp_path / "run")
    assert lines[-1]["lists"] < 0.7 * lines[0]["lists"]
    assert lines[-1]["token"] < 0.9 * lines[0]["token"]
    assert lines[-1]["contrastive"] == lines[-1]["ranking"] == 0  # there are no pairs
    report = json.loads((tmp_path / "run" / "training.json").read_text())
    assert report["data"]["lists"] == {"read": len(read_lists(lists).rows), "learned from": len(read_lists(lists).rows)}


@pytest.mark.parametrize("loss", ["lists", "margins"])
def test_without_a_teacher_lists_alone_are_learned(lists: Path, tmp_path: Path, loss: str) -> None:
    smoke = recipe(lists)
    others = dict.fromkeys(("token", "ranking", "contrastive", "lists", "margins"), 0.0)
    alone = replace(smoke, teacher="", loss=replace(smoke.loss, **(others | {loss: 1.0})))
    train(alone, tmp_path / "run", ignore, ignore)
    lines = curve(tmp_path / "run")
    assert lines[-1][loss] < 0.7 * lines[0][loss]


def test_pairs_and_lists_are_learned_in_turn_and_a_stopped_run_goes_on(lists: Path, tmp_path: Path) -> None:
    both = recipe(lists, tokens=8_000)
    both = replace(
        both, data=replace(both.data, parallel="examples/parallel", parallel_sources=("handbook",), parallel_taken=40)
    )
    train(both, tmp_path / "whole", ignore, ignore)
    lines = curve(tmp_path / "whole")
    assert all(line["lists"] > 0 and line["contrastive"] > 0 for line in lines[:2])

    def stop(told: object) -> None:
        if told.step >= 6:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    for part in ("corpus", "targets"):
        shutil.copytree(tmp_path / "whole" / part, tmp_path / "stopped" / part)
    with pytest.raises(KeyboardInterrupt):
        train(both, tmp_path / "stopped", ignore, stop)
    train(both, tmp_path / "stopped", ignore, ignore)
    ours, theirs = (load_file(tmp_path / name / "checkpoint" / "model.safetensors") for name in ("stopped", "whole"))
    for key, tensor in theirs.items():
        np.testing.assert_array_equal(ours[key], tensor)


def test_a_list_batch_holds_each_query_with_its_own_candidates(lists: Path, tmp_path: Path) -> None:
    untaught = replace(recipe(lists), teacher="", loss=LossConfig(token=0.0, ranking=0.0))
    prepare(untaught, tmp_path, ignore)
    corpus = read_corpus(tmp_path / "corpus")
    material = Material.on(torch.device("cpu"), corpus, no_targets(corpus, 8))
    chosen = batches_of(material, 400, 1, 0)
    assert all(each.are_lists for each in chosen)
    assert sorted(row for each in chosen for row in each.rows.tolist()) == list(range(len(corpus.lists)))
    assert [each.rows.tolist() for each in batches_of(material, 400, 1, 0)] == [e.rows.tolist() for e in chosen]
    assert [each.rows.tolist() for each in batches_of(material, 400, 1, 1)] != [e.rows.tolist() for e in chosen]
    for each in chosen:
        batch = made(material, each)
        assert isinstance(batch, ListBatch)
        assert batch.documents.ids.shape[0] == SIZE * len(each.rows)
        padded = batch.queries.ids.numel() + batch.documents.ids.numel()
        assert len(each.rows) == 1 or padded <= 400 * 1.5  # lengths are rounded up
        assert int(batch.queries.present.sum() + batch.documents.present.sum()) == each.n_tokens(corpus)
        for place, row in enumerate(each.rows):
            for candidate, text in enumerate(corpus.lists[row, 1:]):
                ids = batch.documents.ids[place * SIZE + candidate].numpy()
                np.testing.assert_array_equal(
                    ids[: corpus.lengths[text]], corpus.ids[slice(*corpus.offsets[text : text + 2])]
                )
        np.testing.assert_allclose(batch.scores.mean(1), 0, atol=1e-5)


def held_out_set(folder: Path, query: str, document: str) -> Path:
    home = folder / "set" / "en"
    (home / "qrels").mkdir(parents=True)
    (home / "corpus.jsonl").write_text(json.dumps({"_id": "d", "text": document}))
    (home / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": query}))
    (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    return folder


def test_lists_of_what_is_held_out_are_not_learned_from(lists: Path, tmp_path: Path) -> None:
    read = read_lists(lists)
    query = next(iter(read.queries.values()))
    document = read.documents[read.rows[1].document_ids[0]]
    held = held_out_set(tmp_path / "held", query, document)
    untaught = replace(recipe(lists), teacher="", loss=LossConfig(token=0.0, ranking=0.0))
    clean = replace(untaught, data=replace(untaught.data, held_out=str(held)))
    prepare(clean, tmp_path / "run", ignore)
    about = json.loads((tmp_path / "run" / "corpus" / "about.json").read_text())
    asked = [read.queries[row.query_id] for row in read.rows]
    assert about["left out"] == {"lists": sum(text in (query, document) for text in asked)}
    corpus = read_corpus(tmp_path / "run" / "corpus")
    prepare(untaught, tmp_path / "all", ignore)
    everything = read_corpus(tmp_path / "all" / "corpus")
    assert len(corpus.lists) < len(everything.lists)
    assert corpus.n_texts < everything.n_texts


def test_recipes_of_lists_that_teach_nothing_are_refused(lists: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match="one candidate"):
        replace(recipe(lists), data=DataConfig(lists=str(lists), list_size=1))
    long = replace(recipe(lists), data=DataConfig(lists=str(lists), list_size=99))
    with pytest.raises(InvalidConfigError, match="no list of 99"):
        train(long, tmp_path / "run", ignore, ignore)
