"""ONNX files hold what torch computes; int8 is a bounded rounding of it; the bundled encoder is its checkpoint."""

import json
import runpy
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
from numpy.typing import NDArray
from safetensors.numpy import load_file

from index.maxsim import maxsim
from lfm2_colbert import load_encoder
from lfm2_colbert.checkpoint import open_checkpoint
from lfm2_colbert.encoders.loading import BUNDLED, NANO
from lfm2_colbert.encoders.onnx import MODEL_FILE, read_encoder_config
from lfm2_colbert.processors import instruction_sets, multiplies_bytes_slowly

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from lfm2_colbert.backbone import Masks  # noqa: E402
from lfm2_colbert.export.onnx import Precision, build, dequantise, export_folder, quantise, read_weights  # noqa: E402
from lfm2_colbert.model import ColBERTModel  # noqa: E402
from lfm2_colbert.training.checkpoints import read_start, write_folder  # noqa: E402

MIB = 1024 * 1024
GOLDEN = Path(__file__).parents[1] / "golden" / "nano"
SHAPES = {
    "bidirectional": {},
    "causal": {"architectures": ["Lfm2Model"]},
    "one key head": {"num_key_value_heads": 1},
    "a key head each": {"num_key_value_heads": 4, "architectures": ["Lfm2Model"]},
    "four taps": {"conv_L_cache": 4},
    "eleven taps": {"conv_L_cache": 11, "architectures": ["Lfm2Model"]},
    "convolutions alone": {"layer_types": ["conv"] * 4},
    "a table in blocks": {"hidden_size": 288, "head_dim": 72, "intermediate_size": 64},
    "a table whose last block is short": {"hidden_size": 264, "head_dim": 66, "intermediate_size": 64},
    "a width of no whole block": {"hidden_size": 40, "head_dim": 8, "intermediate_size": 52},
}


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES.keys())
def test_onnx_gives_the_vectors_of_torch(
    tmp_path: Path, write_checkpoint: Callable[..., Path], config: dict[str, Any]
) -> None:
    checkpoint = open_checkpoint(write_checkpoint(tmp_path / "model", config=config))
    tensors = checkpoint.tensors()
    model = ColBERTModel.from_tensors(
        checkpoint.backbone, checkpoint.dim, {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    )
    session = onnxruntime.InferenceSession(build(checkpoint, tensors, Precision.FP32).SerializeToString())
    generator = np.random.default_rng(5)
    for lengths, n_expansion in (([1], 0), ([17, 3, 9, 1], 0), ([16, 16], 5), ([12, 16, 4], 3)):
        ids = generator.integers(0, 480, (len(lengths), max(lengths)))
        positions = np.arange(max(lengths))
        present = positions < np.array(lengths)[:, None]
        attended = positions < np.maximum(1, np.array(lengths) - n_expansion)[:, None]
        feeds = {"ids": ids, "present": present.astype(np.float32), "attended": attended.astype(np.float32)}
        found = session.run(["vectors"], feeds)[0]
        expected = model(torch.from_numpy(ids), Masks(torch.from_numpy(present), torch.from_numpy(attended))).numpy()
        np.testing.assert_allclose(found[present], expected[present], atol=1e-4)


@given(
    weight=numpy_strategies.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 70)),
        elements=st.floats(-1e4, 1e4, width=32, allow_subnormal=False),
    ),
    block=st.sampled_from([16, 32, 64]),
)
def test_int8_is_off_by_half_a_step_of_its_block_at_most(weight: NDArray[np.float32], block: int) -> None:
    codes, scales = quantise(weight, block)
    restored = dequantise(codes[:, : weight.shape[1]], scales, block)
    assert restored.shape == weight.shape
    for start in range(0, weight.shape[1], block):
        original, back = weight[:, start : start + block], restored[:, start : start + block]
        half_a_step = np.abs(original).max(axis=1, keepdims=True) / 254
        assert (np.abs(original - back) <= half_a_step * (1 + 1e-5) + 1e-37).all()


@pytest.mark.parametrize(
    "name", ["bidirectional", "eleven taps", "a width of no whole block", *(name for name in SHAPES if "table" in name)]
)
def test_weights_come_out_of_an_exported_file_as_they_went_in(
    tmp_path: Path, write_checkpoint: Callable[..., Path], name: str
) -> None:
    folder = write_checkpoint(tmp_path / "model", config=SHAPES[name])
    expected = open_checkpoint(folder).tensors()
    for precision in Precision:
        export_folder(folder, tmp_path / precision, "tiny", precision)
        found = read_weights(tmp_path / precision / "model.onnx")
        assert found.keys() == expected.keys()
        for key, tensor in found.items():
            exact = precision is Precision.FP32 or tensor.ndim == 1 or "conv.conv" in key
            largest = np.abs(expected[key]).max() / 254 * (1 + 1e-5)
            np.testing.assert_allclose(tensor, expected[key], rtol=0, atol=0 if exact else largest)


@pytest.mark.parametrize("name", [name for name in SHAPES if "table" in name])
def test_a_table_in_blocks_is_looked_up_as_its_weights_are_read_again(
    tmp_path: Path, write_checkpoint: Callable[..., Path], name: str
) -> None:
    folder = write_checkpoint(tmp_path / "model", config=SHAPES[name])
    export_folder(folder, tmp_path / "int8", "tiny", Precision.INT8)
    weights = read_weights(tmp_path / "int8" / MODEL_FILE)
    checkpoint = open_checkpoint(folder)
    model = ColBERTModel.from_tensors(
        checkpoint.backbone, checkpoint.dim, {key: torch.tensor(value) for key, value in weights.items()}
    )
    ids, all_of_them = torch.arange(480)[None], torch.ones(1, 480, dtype=torch.bool)
    ones = np.ones((1, 480), np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "int8" / MODEL_FILE)
    found = session.run(["vectors"], {"ids": ids.numpy(), "present": ones, "attended": ones})[0]
    cosines = (found * model(ids, Masks(all_of_them, all_of_them)).numpy()).sum(axis=-1)
    assert cosines.min() > 0.995  # what is left is the rounding of activations


@pytest.mark.parametrize("precision", list(Precision))
def test_exporting_twice_gives_the_same_bytes(
    tmp_path: Path, write_checkpoint: Callable[..., Path], precision: Precision
) -> None:
    folder = write_checkpoint(tmp_path / "model")
    for copy in ("one", "two"):
        export_folder(folder, tmp_path / copy, "tiny", precision, licence="Apache-2.0")
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")


def test_a_plain_and_a_compressed_vocabulary_export_to_the_same_vectors(
    tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    import lzma

    plain = write_checkpoint(tmp_path / "plain")
    packed = shutil.copytree(plain, tmp_path / "packed")
    (packed / "tokenizer.json.xz").write_bytes(lzma.compress((packed / "tokenizer.json").read_bytes()))
    (packed / "tokenizer.json").unlink()
    for folder in (plain, packed):
        export_folder(folder, tmp_path / f"{folder.name}-onnx", "tiny", Precision.FP32)
    ours, theirs = (load_encoder(str(tmp_path / f"{name}-onnx")) for name in ("plain", "packed"))
    texts = ["Grüße, 東京!", ""]
    np.testing.assert_array_equal(ours.encode_documents(texts).vectors, theirs.encode_documents(texts).vectors)


def test_the_bundled_encoder_is_an_export_of_its_own_weights(tmp_path: Path) -> None:
    """To the byte on processors like the one it was made on; others round a few floats of the graph the other way."""
    start = read_start("nano", None, np.random.default_rng(0))
    write_folder(start, start.tensors, tmp_path / "checkpoint")
    export_folder(tmp_path / "checkpoint", tmp_path / "again", NANO, Precision.INT8, licence="Apache-2.0")
    bundled, fresh = read_weights(BUNDLED / MODEL_FILE), read_weights(tmp_path / "again" / MODEL_FILE)
    assert read_encoder_config(BUNDLED) == replace(
        read_encoder_config(tmp_path / "again"), mean=read_encoder_config(BUNDLED).mean
    )
    assert bundled.keys() == fresh.keys()
    for name, tensor in bundled.items():
        np.testing.assert_allclose(fresh[name], tensor, rtol=2e-3, atol=1e-5, err_msg=name)  # halves lie between


def test_the_bundled_mean_is_what_its_recipe_measures() -> None:
    recipe = runpy.run_path(str(BUNDLED.parents[2] / "recipes" / "bundle_nano.py"))
    # It was measured with activations in 8 bits, which some processors do not take.
    atol = 3e-4 if multiplies_bytes_slowly(instruction_sets()) else 1e-4
    np.testing.assert_allclose(recipe["mean_on_examples"](), load_encoder("nano").mean, atol=atol)


@pytest.mark.shared
@pytest.mark.parametrize("way", ["torch", "onnx"])
def test_a_trained_encoder_gives_the_vectors_it_had_where_it_was_trained(
    shared: Path, tmp_path: Path, way: str
) -> None:
    folder = shared / "bootstrap" / "checkpoint"
    if way == "onnx":
        export_folder(folder, tmp_path, NANO, Precision.FP32)
    encoder = load_encoder(str(folder if way == "torch" else tmp_path), device="cpu")
    reference = json.loads((folder / "reference_vectors.json").read_bytes())
    expected = load_file(folder / "reference_vectors.safetensors")
    found = []
    for number, entry in enumerate(reference["texts"]):
        encode = encoder.encode_queries if entry["kind"] == "query" else encoder.encode_documents
        found.append(np.asarray(encode([entry["text"]])[0], np.float32))
        assert found[-1].shape == expected[f"vectors_{number}"].shape
        np.testing.assert_allclose(found[-1], expected[f"vectors_{number}"], rtol=0, atol=1e-3)
    table = reference["maxsim"]
    scores = [[maxsim(found[q], found[d]) for d in table["documents"]] for q in table["queries"]]
    np.testing.assert_allclose(scores, table["scores"], rtol=0, atol=5e-3)
    assert np.argsort(scores).tolist() == np.argsort(table["scores"]).tolist()


def test_nano_gives_nearly_the_vectors_of_the_weights_it_was_made_of() -> None:
    """Texts and vectors were written by `recipes/bundle_nano.py`, from the checkpoint's own floats in torch."""
    texts = json.loads((GOLDEN / "texts.json").read_text(encoding="utf-8"))
    expected, encoder = load_file(GOLDEN / "vectors.safetensors"), load_encoder("nano")
    for kind, encode in (("queries", encoder.encode_queries), ("documents", encoder.encode_documents)):
        found = encode(texts[kind])
        for number in range(len(texts[kind])):
            theirs = expected[f"{kind}.{number}"].astype(np.float32)
            assert found[number].shape == theirs.shape
            assert (np.asarray(found[number], np.float32) * theirs).sum(axis=1).min() > 0.99


def test_the_bundled_encoder_is_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.rglob("*") if path.is_file()) <= 20 * MIB


def test_what_is_tracked_is_small_enough_to_clone() -> None:
    root = BUNDLED.parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout
    files = [root / name.decode() for name in listed.split(b"\0") if name]
    assert sum(path.stat().st_size for path in files if path.is_file()) <= 34 * MIB


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
