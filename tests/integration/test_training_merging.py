"""Checkpoints that become one: the mean as NumPy has it, a spoiled one left out, what does not fit refused."""

import functools
import json
import lzma
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from safetensors.numpy import load_file

from lfm2_colbert import load_encoder
from lfm2_colbert.checkpoint import open_checkpoint
from lfm2_colbert.training.checkpoints import read_start, tokenizers_of, write_folder
from lfm2_colbert.training.development import mean, ndcg, read_judged
from lfm2_colbert.training.merging import Mean, greedy, merge, uniform
from lfm2_colbert.training.recipe import ShapeConfig
from lfm2_colbert.training.start import Start, Tensors

pytestmark = pytest.mark.torch

FILES = ("model.safetensors", "1_Dense/model.safetensors")
SHAPE = ShapeConfig(64, 128, ("conv", "full_attention"), 2, 1, 32, dim=32)
TEXTS = {
    "urlaub": "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage.",
    "reise": "Dienstreisen genehmigt die Leitung der Abteilung.",
    "東京": "東京は日本の首都です。人口は千四百万人。",
    "إجازة": "يحصل الموظفون الجدد على أربعة وعشرين يوما من الإجازة.",
    "photo": "La photosynthèse convertit la lumière en énergie chimique.",
    "서울": "서울은 대한민국의 수도이다.",
}
QUESTIONS = {
    "urlaub": "Wie viele Urlaubstage im ersten Jahr?",
    "東京": "日本の首都はどこですか",
    "إجازة": "كم يوما من الإجازة للموظفين الجدد؟",
    "서울": "대한민국의 수도는?",
}


Run = Callable[..., Any]


@pytest.fixture
def run(run: Run) -> Run:
    """Call `lfm2-colbert merge`."""
    return functools.partial(run, "merge")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled encoder, that with weights a little off, and that with weights that mean nothing."""
    folder = tmp_path_factory.mktemp("checkpoints")
    nano = read_start("nano", None, np.random.default_rng(0))
    write_folder(nano, nano.tensors, folder / "good")
    for name, share in (("near", 0.05), ("spoiled", 3.0)):
        write_folder(nano, noisy(nano, share), folder / name)
    drawn = read_start("nano", SHAPE, np.random.default_rng(0))
    write_folder(drawn, drawn.tensors, folder / "small")
    return folder


def noisy(start: Start, share: float) -> Tensors:
    rng = np.random.default_rng(1)
    return {
        name: own + (share * own.std() * rng.standard_normal(own.shape)).astype(np.float32)
        for name, own in start.tensors.items()
    }


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    home = tmp_path / "sets" / "tiny" / "de"
    (home / "qrels").mkdir(parents=True)
    for name, texts in (("corpus", TEXTS), ("queries", QUESTIONS)):
        lines = [json.dumps({"_id": key, "text": text}) for key, text in texts.items()]
        (home / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rows = ["query-id\tcorpus-id\tscore", *(f"{key}\t{key}\t1" for key in QUESTIONS)]
    (home / "qrels" / "test.tsv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path / "sets"


def test_the_mean_of_two_is_numpys_and_can_be_loaded(checkpoints: Path, tmp_path: Path) -> None:
    both = [checkpoints / name for name in ("good", "near")]
    merge([str(each) for each in both], tmp_path / "out")
    for file in FILES:
        first, second, merged = (load_file(each / file) for each in (*both, tmp_path / "out" / "checkpoint"))
        assert set(merged) == set(first)
        for name, tensor in merged.items():
            expected = np.mean([first[name].astype(np.float32), second[name].astype(np.float32)], axis=0)
            np.testing.assert_array_equal(tensor, expected.astype(np.float16))
    encoder = load_encoder(str(tmp_path / "out" / "checkpoint"))
    vectors = encoder.encode_documents(list(TEXTS.values())).vectors
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=1e-2)
    assert np.abs(vectors - load_encoder(str(both[0])).encode_documents(list(TEXTS.values())).vectors).max() > 1e-3


def test_the_mean_of_three_weighs_each_the_same() -> None:
    three = [{"w": np.array([value], np.float32)} for value in (1, 2, 6)]
    soup = Mean(three[0]).plus(three[1]).plus(three[2])
    assert soup.weights["w"].tolist() == [3.0]


@pytest.mark.slow
def test_a_greedy_soup_leaves_out_what_spoils_it(checkpoints: Path, sets: Path, tmp_path: Path, run: Run) -> None:
    names = [str(checkpoints / name) for name in ("spoiled", "good", "near")]
    done = run(*names, "-o", tmp_path / "out", "--greedy", "--development", sets, "--json", "--device", "cpu")
    assert done.status == 0, done.err
    report = json.loads((tmp_path / "out" / "merging.json").read_text())
    assert json.loads(done.out) == report | {"folder": str(tmp_path / "out" / "checkpoint")}
    first, *others = report["ingredients"]
    assert {own["name"] for own in report["ingredients"] if own["is_merged"]} == {*names[1:]}
    assert others[-1]["name"] == names[0]
    assert others[-1]["ndcg"] < first["ndcg"] - 0.1
    assert others[-1]["ndcg_with_it"] < report["ndcg"]
    assert report["kind"] == "greedy"
    made = open_checkpoint(tmp_path / "out" / "checkpoint")
    assert report["checkpoint"] == made.fingerprint
    assert [own["fingerprint"] for own in report["ingredients"]] == [
        open_checkpoint(Path(own["name"])).fingerprint for own in report["ingredients"]
    ]
    merge(names[1:], tmp_path / "two")
    for file in FILES:
        ours, theirs = (load_file(tmp_path / name / "checkpoint" / file) for name in ("out", "two"))
        for name, tensor in theirs.items():
            np.testing.assert_array_equal(ours[name], tensor)


def test_figures_are_those_of_the_curve(checkpoints: Path, sets: Path, tmp_path: Path, run: Run) -> None:
    names = [str(checkpoints / name) for name in ("spoiled", "good")]
    done = run(*names, "-o", tmp_path / "out", "--development", sets, "--device", "cpu")
    assert done.status == 0, done.err
    assert done.out.splitlines()[0] == f"merged  {names[0]}"
    report = json.loads((tmp_path / "out" / "merging.json").read_text())
    assert [own["is_merged"] for own in report["ingredients"]] == [True, True]
    start = read_start(names[0], None, np.random.default_rng(0))
    tasks = read_judged(sets, *tokenizers_of(start))
    assert report["ingredients"][0]["ndcg"] == pytest.approx(mean(ndcg(start.model(), tasks)))
    assert report["ndcg"] < report["ingredients"][1]["ndcg"]


def test_the_best_goes_in_first_and_an_equal_does_no_harm(checkpoints: Path) -> None:
    names = [str(checkpoints / name) for name in ("spoiled", "good", "near")]
    figures = {names[0]: 0.5, names[1]: 0.7, names[2]: 0.8, f"with {names[1]}": 0.8, f"with {names[0]}": 0.79}
    soup = greedy(names, lambda what, tensors: figures[what])
    assert [(own.name, own.is_merged) for own in soup.ingredients] == [
        (names[2], True), (names[1], True), (names[0], False),
    ]  # fmt: skip
    assert soup.ndcg == 0.8
    both = uniform(names[1:], None).weights
    for name, tensor in soup.weights.items():
        np.testing.assert_allclose(tensor, both[name], rtol=1e-6)


def test_what_cannot_be_merged_is_refused(checkpoints: Path, sets: Path, tmp_path: Path, run: Run) -> None:
    good, near, small = (str(checkpoints / name) for name in ("good", "near", "small"))
    nano = read_start("nano", None, np.random.default_rng(0))
    shorter = replace(nano, config=replace(nano.config, tokens=replace(nano.config.tokens, query_length=16)))
    write_folder(shorter, nano.tensors, tmp_path / "shorter")
    other = tmp_path / "other"
    shutil.copytree(good, other)
    vocabulary = next(other.glob("tokenizer.json*"))
    write_swapped(vocabulary)
    (tmp_path / "taken" / "checkpoint").mkdir(parents=True)
    for arguments, code, says in (
        ((good, small), "invalid_argument", "another shape"),
        ((good, tmp_path / "shorter"), "invalid_argument", "another token contract"),
        ((good, other), "invalid_argument", "another vocabulary"),
        ((good,), "invalid_argument", "its own mean"),
        ((good, near, "--greedy"), "invalid_argument", "--development"),
        ((good, near, "--development", tmp_path / "taken"), "not_found", "corpus.jsonl"),
        ((good, tmp_path / "nowhere"), "unknown_encoder", "nowhere"),
    ):
        refused = run(*arguments, "-o", tmp_path / "out")
        assert refused.status == 2
        assert f"error[{code}]" in refused.err
        assert says in refused.err
        assert not (tmp_path / "out").exists()
    refused = run(good, near, "-o", tmp_path / "taken")
    assert "error[already_exists]" in refused.err


def test_what_is_written_keeps_the_token_contract(tmp_path: Path) -> None:
    drawn = read_start("nano", SHAPE, np.random.default_rng(0))
    tokens = replace(drawn.config.tokens, skip_ids=(1000, 1001, 2000), query_length=20)
    write_folder(replace(drawn, config=replace(drawn.config, tokens=tokens)), drawn.tensors, tmp_path / "made")
    assert open_checkpoint(tmp_path / "made").tokens == tokens


def write_swapped(path: Path) -> None:
    """Let two pieces of a vocabulary change places."""
    packed = path.suffix == ".xz"
    content = lzma.decompress(path.read_bytes()) if packed else path.read_bytes()
    specification = json.loads(content)
    pieces = specification["model"]["vocab"]
    if isinstance(pieces, dict):
        first, second = list(pieces)[100:102]
        pieces[first], pieces[second] = pieces[second], pieces[first]
    else:
        pieces[100], pieces[101] = pieces[101], pieces[100]
    content = json.dumps(specification).encode()
    path.write_bytes(lzma.compress(content) if packed else content)
