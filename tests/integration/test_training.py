"""The smoke recipe end to end: the loss falls, more is found, a killed run goes on as if nothing had been."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.numpy import load_file

from benchmarks.results_file import ROOT
from eval.datasets.folder import parallel_tasks
from eval.run import Options, evaluate
from lfm2_colbert import load_encoder
from lfm2_colbert.checkpoint import open_checkpoint
from lfm2_colbert.errors import InvalidArgumentError, InvalidConfigError, NotFoundError
from lfm2_colbert.training.checkpoints import read_start, write_folder
from lfm2_colbert.training.loop import CURVE, Told
from lfm2_colbert.training.recipe import LateConfig, LoraConfig, LossConfig, Recipe, read_recipe
from lfm2_colbert.training.runner import train

pytestmark = pytest.mark.torch

SMOKE = ROOT / "recipes" / "smoke.toml"


def ignore(*told: object) -> None:
    """Show nothing."""


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smoke") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        train(read_recipe(SMOKE), folder, ignore, ignore)
    return folder


def curve(folder: Path) -> list[dict[str, float]]:
    """The lines of a curve without their rates, which no two runs share."""
    lines = [json.loads(line) for line in (folder / CURVE).read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "tokens_per_s"} for line in lines]


def ndcg(model: Path, cache: Path) -> float:
    """Mean over all pairs of languages of questions that were not learned from, about documents that were."""
    tasks = list(parallel_tasks(ROOT / "examples" / "handbook", ignore))
    options = Options(modes=("semantic",), effort="exact", baselines=(), exact=False)
    rows = evaluate(tasks, options, encoder=load_encoder(str(model)), cache=cache).rows
    return float(np.mean([row.figures["ndcg_at_10"] for row in rows]))


def test_the_loss_falls_and_more_is_found_than_by_drawn_weights(trained: Path, tmp_path: Path) -> None:
    lines = curve(trained)
    assert lines[-1]["token"] < 0.5 * lines[0]["token"]
    recipe = read_recipe(SMOKE)
    start = read_start(recipe.start, recipe.shape, np.random.default_rng(recipe.seed))
    write_folder(start, start.tensors, tmp_path / "untrained")
    before, after = (
        ndcg(model, tmp_path / str(n)) for n, model in enumerate((tmp_path / "untrained", trained / "checkpoint"))
    )
    assert after > before + 0.03


def test_what_is_made_says_what_of(trained: Path) -> None:
    report = json.loads((trained / "training.json").read_text())
    assert report["recipe"]["name"] == report["name"] == "smoke"
    assert report["checkpoint"] == open_checkpoint(trained / "checkpoint").fingerprint
    assert report["last"]["tokens"] >= report["last"]["tokens_in_all"]
    assert report["data"]["pairs"]["parallel"] == 72
    panels = [panel[0].text for panel in ElementTree.parse(trained / "curve.svg").getroot() if panel.tag.endswith("}g")]
    assert len(panels) == 4  # the sum, and what smoke.toml weighs


def test_a_killed_run_goes_on_as_if_nothing_had_been(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    shutil.copytree(trained / "corpus", folder / "corpus")
    shutil.copytree(trained / "targets", folder / "targets")
    command = [sys.executable, "-m", "service", "train", str(SMOKE), "-o", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (folder / "state.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "checkpoint").exists()
    train(read_recipe(SMOKE), folder, ignore, ignore)
    assert len(curve(folder)) == len(curve(trained))
    for ours, theirs in zip(curve(folder), curve(trained), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)
    for name in ("model.safetensors", "1_Dense/model.safetensors"):
        ours, theirs = (load_file(each / "checkpoint" / name) for each in (folder, trained))
        for key, tensor in theirs.items():
            np.testing.assert_array_equal(ours[key], tensor)


def test_what_is_made_is_exported_for_the_base_install(trained: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "service",
        "export",
        "model",
        str(trained / "checkpoint"),
        "-o",
        str(tmp_path / "m"),
    ]
    done = subprocess.run([*command, "--precision", "fp32", "--name", "smoke-1"], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr
    exported, checkpoint = load_encoder(str(tmp_path / "m")), load_encoder(str(trained / "checkpoint"))
    assert exported.name == "smoke-1"
    texts = ["有給休暇は何日ありますか。", "كم يوم إجازة لدي؟", "Wie viele Tage Urlaub? 🏖"]
    np.testing.assert_allclose(
        exported.encode_documents(texts).vectors, checkpoint.encode_documents(texts).vectors, atol=1e-4
    )
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 2
    assert "already_exists" in again.stderr


@pytest.mark.slow
def test_two_processes_see_the_same_texts_as_one(trained: Path, tmp_path: Path) -> None:
    recipe = read_recipe(SMOKE)
    short = replace(recipe, loop=replace(recipe.loop, tokens=20_000, processes=2))
    train(short, tmp_path / "two", ignore, ignore)
    assert curve(tmp_path / "two")[-1]["tokens"] == pytest.approx(20_000, rel=0.2)
    assert open_checkpoint(tmp_path / "two" / "checkpoint").dim == 128


@pytest.mark.slow
def test_what_is_minimised_changes_where_the_recipe_says(trained: Path, tmp_path: Path) -> None:
    recipe = read_recipe(SMOKE)
    late = LateConfig(begins=0.5, loss=LossConfig(token=0.0, ranking=0.0, contrastive=2.0, student_scale=20.0))
    train(replace(recipe, late=late), tmp_path / "late", ignore, ignore)
    before, after = curve(trained), curve(tmp_path / "late")
    first = next(n for n, line in enumerate(before) if line["tokens"] > 0.5 * recipe.loop.tokens)
    assert after[:first] == before[:first]
    assert after[-1]["token"] == after[-1]["ranking"] == 0.0
    assert after[-1]["loss"] == pytest.approx(2 * after[-1]["contrastive"], rel=1e-5)
    assert after[-1]["contrastive"] < before[-1]["contrastive"]


def test_processes_that_encode_in_chunks_learn_as_those_that_do_not(trained: Path, tmp_path: Path) -> None:
    recipe = read_recipe(SMOKE)
    for name, chunk in (("whole", 0), ("chunks", 5)):
        for part in ("corpus", "targets"):
            shutil.copytree(trained / part, tmp_path / name / part)
        loop = replace(recipe.loop, tokens=8_000, processes=2, chunk=chunk, tell_every=1)
        train(replace(recipe, loop=loop), tmp_path / name, ignore, ignore)
    whole, chunks = ([line["loss"] for line in curve(tmp_path / name)] for name in ("whole", "chunks"))
    assert len(whole) > 3
    assert chunks == pytest.approx(whole, rel=1e-4)  # rounding grows with the steps


def test_without_a_teacher_pairs_alone_are_told_apart(tmp_path: Path) -> None:
    recipe = read_recipe(SMOKE)
    alone = replace(
        recipe,
        teacher="",
        loss=replace(recipe.loss, token=0.0, ranking=0.0, contrastive=1.0),
        loop=replace(recipe.loop, tokens=40_000),
    )
    train(alone, tmp_path / "run", ignore, ignore)
    lines = curve(tmp_path / "run")
    assert lines[-1]["contrastive"] < 0.8 * lines[0]["contrastive"]
    with pytest.raises(InvalidConfigError, match="teacher"):
        replace(recipe, teacher="")
    with pytest.raises(InvalidConfigError, match="nothing to learn"):
        replace(recipe, data=replace(recipe.data, parallel_sources=()))
    with pytest.raises(InvalidConfigError, match="drawn weights"):
        replace(recipe, lora=LoraConfig())
    with pytest.raises(InvalidConfigError, match="chunk"):
        replace(recipe, loop=replace(recipe.loop, chunk=-1))


@pytest.mark.slow
def test_adapters_are_learned_and_merged_and_a_stopped_run_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    recipe = read_recipe(SMOKE)
    adapted = replace(
        recipe,
        teacher="",
        shape=None,
        lora=LoraConfig(rank=4, alpha=8, modules=("w1", "q_proj")),
        loss=replace(recipe.loss, token=0.0, ranking=0.0, contrastive=1.0),
        loop=replace(recipe.loop, tokens=12_000, rate=0.002, keep_every=3, tell_every=1),
    )
    train(adapted, tmp_path / "whole", ignore, ignore)

    def stop(told: Told) -> None:
        if told.step == 5:
            raise KeyboardInterrupt

    shutil.copytree(tmp_path / "whole" / "corpus", tmp_path / "stopped" / "corpus")
    with pytest.raises(KeyboardInterrupt):
        train(adapted, tmp_path / "stopped", ignore, stop)
    train(adapted, tmp_path / "stopped", ignore, ignore)
    start = read_start("nano", None, np.random.default_rng(0)).tensors
    ours, theirs = (open_checkpoint(tmp_path / name / "checkpoint").tensors() for name in ("stopped", "whole"))
    assert set(ours) == set(theirs) == set(start)
    for key, tensor in theirs.items():
        np.testing.assert_array_equal(ours[key], tensor)
        changed = np.abs(tensor - start[key].astype(np.float16)).max() > 1e-4
        assert changed == key.endswith((".w1.weight", ".q_proj.weight")), key


def test_a_folder_of_another_recipe_is_refused(trained: Path) -> None:
    other = replace(read_recipe(SMOKE), seed=2)
    with pytest.raises(InvalidArgumentError, match="another recipe"):
        train(other, trained, ignore, ignore)


@pytest.mark.parametrize("device", ["cuda", "abacus"])
def test_a_device_that_is_not_here_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    recipe = read_recipe(SMOKE)
    with pytest.raises(InvalidConfigError, match=device) as caught:
        train(replace(recipe, loop=replace(recipe.loop, device=device)), tmp_path / "run", ignore, ignore)
    assert "carry.py" in caught.value.help
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_shipped_never_learns_from_what_forbids_it(tmp_path: Path) -> None:
    recipe = read_recipe(SMOKE)
    forbidden = replace(recipe, data=replace(recipe.data, sources=("jaquad", "nfcorpus")))
    with pytest.raises(InvalidConfigError, match="nfcorpus"):
        train(forbidden, tmp_path / "run", ignore, ignore)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_can_be_read(path: Path) -> None:
    assert isinstance(read_recipe(path), Recipe)


def test_recipes_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("name = ")
    with pytest.raises(InvalidConfigError, match="TOML"):
        read_recipe(tmp_path / "broken.toml")
    (tmp_path / "late.toml").write_text(SMOKE.read_text() + "\n[late]\nbegins = 1.0\n[late.loss]\n")
    with pytest.raises(InvalidConfigError, match="begins"):
        read_recipe(tmp_path / "late.toml")
    (tmp_path / "unknown.toml").write_text(SMOKE.read_text() + "\nspeed = 3\n")
    with pytest.raises(InvalidConfigError, match="speed"):
        read_recipe(tmp_path / "unknown.toml")
