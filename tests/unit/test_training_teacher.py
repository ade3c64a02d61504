"""The plain BERT is transformers'; few bits lose what they may; a run on a machine with nothing but torch works."""

import json
import lzma
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from lfm2_colbert.encoders.loading import BUNDLED  # noqa: E402
from lfm2_colbert.errors import InvalidConfigError, NotFoundError  # noqa: E402
from lfm2_colbert.tokenization import piece_ids, tokenizer_specification  # noqa: E402
from lfm2_colbert.training.checkpoints import read_start  # noqa: E402
from lfm2_colbert.training.development import load_judged, ndcg  # noqa: E402
from lfm2_colbert.training.packed import differing  # noqa: E402
from lfm2_colbert.training.packing import pack, unpack  # noqa: E402
from lfm2_colbert.training.quantised import BLOCK, from_four_bits, from_rows, to_four_bits, to_rows  # noqa: E402
from lfm2_colbert.training.recipe import DataConfig, LoopConfig, Recipe, ShapeConfig  # noqa: E402
from lfm2_colbert.training.teachers import load_teacher, read_bert  # noqa: E402

pytestmark = pytest.mark.torch

SIZE = 32
SHAPE = ShapeConfig(32, 64, ("conv", "full_attention"), 2, 1, 16, dim=16, teacher_table=True)
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"safetensors", "tokenizers", "onnx", "onnxruntime", "transformers", "xxhash"}:
            import importlib.machinery
            return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        raise ModuleNotFoundError(spec.name, name=spec.name)
    def exec_module(self, module):
        pass
sys.meta_path = [Missing()] + [each for each in sys.meta_path if "Redirect" not in type(each).__name__]
import runpy
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def ignore(*told: object) -> None:
    """Show nothing."""


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small BERT with drawn weights over the bundled encoder's own pieces."""
    folder = tmp_path_factory.mktemp("bert")
    specification = json.loads(lzma.decompress((BUNDLED / "tokenizer.json.xz").read_bytes()))
    (folder / "tokenizer.json").write_text(json.dumps(specification))
    config = transformers.BertConfig(
        vocab_size=max(piece_ids(tokenizer_specification(BUNDLED / "tokenizer.json.xz")).values()) + 1,
        hidden_size=SIZE, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, hidden_act="gelu",
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.BertModel(config, add_pooling_layer=False).eval().save_pretrained(folder)
    return folder


def test_the_plain_bert_gives_transformers_states(bert: Path) -> None:
    theirs = transformers.BertModel.from_pretrained(bert, add_pooling_layer=False).eval()
    ids = torch.from_numpy(np.random.default_rng(1).integers(5, 40_000, (3, 17)))
    with torch.inference_mode():
        expected = theirs(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    np.testing.assert_allclose(read_bert(bert, torch.device("cpu"))(ids).numpy(), expected.numpy(), atol=1e-5)


def test_a_teacher_reads_a_students_pieces_between_its_own_ends(bert: Path) -> None:
    start = read_start("nano", None, np.random.default_rng(0))
    teacher = load_teacher(str(bert), start, ("query: ", "passage: "), torch.device("cpu"))
    texts = np.array([[0, 47_997, 40, 41, 42], [0, 47_997, 43, 44, 45]], np.uint16)
    states = teacher.states(texts, 0)
    assert tuple(states.shape) == (2, 3, SIZE)
    alone = torch.stack([teacher.states(text[None], 0)[0] for text in texts])
    np.testing.assert_allclose(states.numpy(), alone.numpy(), atol=0.05)  # bfloat16
    assert not np.allclose(states.numpy(), teacher.states(texts, 1).numpy(), atol=0.05)  # another prefix
    assert teacher.words().shape == (48_000, SIZE)


blocks = numpy_strategies.arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(1, 3).map(lambda n: n * BLOCK)),
    elements=st.floats(-4, 4, width=16),
)  # fmt: skip


@given(blocks)
def test_four_bits_are_within_a_step_and_a_second_time_lose_nothing(values: NDArray[np.float32]) -> None:
    codes, scales = to_four_bits(values)
    found = from_four_bits(codes, scales)
    steps = np.repeat(np.abs(scales.astype(np.float32)), BLOCK, axis=1)
    assert (np.abs(found - values) <= steps * 1.01 + 1e-4).all()  # the side opposite to the largest ends a step early
    np.testing.assert_allclose(from_four_bits(*to_four_bits(found)), found, atol=2e-3)


@given(blocks)
def test_rows_are_within_half_a_step(values: NDArray[np.float32]) -> None:
    codes, scales = to_rows(values)
    assert (np.abs(from_rows(codes, scales) - values) <= scales / 2 + 1e-6).all()


def test_a_run_differs_from_its_recipe_by_what_is_said() -> None:
    values, keeps = differing({"name": "a", "loss": {"token": 1.0}}, "b;loss.token=0.5;weights=true")
    assert (values, keeps) == ({"name": "b", "loss": {"token": 0.5}}, True)
    with pytest.raises(InvalidConfigError, match="key=value"):
        differing({}, "b;loss.token")


def write_data(folder: Path) -> DataConfig:
    (folder / "pairs" / "faq").mkdir(parents=True)
    rows = [{"query": f"質問{n}は何ですか？", "positive": f"Antwort {n} auf die Frage. 答え{n}。"} for n in range(40)]
    (folder / "pairs" / "faq" / "ja.jsonl").write_text("\n".join(map(json.dumps, rows)))
    home = folder / "sets" / "faq" / "ja"
    (home / "qrels").mkdir(parents=True)
    (home / "corpus.jsonl").write_text(
        "\n".join(json.dumps({"_id": str(n), "text": rows[n]["positive"]}) for n in (0, 1))
    )
    (home / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "質問1"}))
    (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n")
    return DataConfig(pairs=str(folder / "pairs"), sources=("faq",), development=str(folder / "sets"))


def test_what_was_packed_runs_with_nothing_but_torch_and_comes_back(bert: Path, tmp_path: Path) -> None:
    recipe = Recipe(
        "small", 1, "nano", write_data(tmp_path), LoopConfig(3000, 600, tell_every=1), teacher=str(bert), shape=SHAPE
    )
    pack(recipe, tmp_path / "run", tmp_path / "pack.tar.xz", ignore)
    there, out = tmp_path / "there", tmp_path / "out"
    out.mkdir()
    with tarfile.open(tmp_path / "pack.tar.xz") as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and newer
        tar.extractall(there)
    command = [sys.executable, "-c", WITHOUT, str(there / "run.py"), str(out), "small;weights=true", "other;seed=2"]
    done = subprocess.run(command, cwd=there, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    runs = {run["recipe"]["name"]: run for run in json.loads((out / "runs.json").read_text())}
    assert runs["small"]["curve"][-1]["token"] < runs["small"]["curve"][0]["token"]
    assert all(path.stat().st_size < 16 * 2**20 for path in out.iterdir())
    unpack(recipe, "small", out, tmp_path / "back")
    model = read_start(str(tmp_path / "back" / "checkpoint"), None, np.random.default_rng(0)).model()
    (own,) = ndcg(model, load_judged(there / "development.npz")).values()
    assert own.tolist() == pytest.approx(np.load(out / "queries.npz")["small/faq ja-ja"].tolist())
    with pytest.raises(NotFoundError, match="no weights of a run 'other'"):
        unpack(recipe, "other", out, tmp_path / "none")
    with pytest.raises(InvalidConfigError, match="cannot be packed"):
        pack(replace(recipe, shape=None), tmp_path / "x", tmp_path / "x.tar.xz", ignore)
