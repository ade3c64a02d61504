"""A checkpoint means the same here as in sentence-transformers, whose `MultiVectorEncoder` reads PyLate's layout."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lfm2_colbert import load_encoder
from lfm2_colbert.errors import NonFiniteVectorError, UnsafeModelError

pytestmark = pytest.mark.torch

sentence_transformers = pytest.importorskip("sentence_transformers")

TEXTS = [
    "",
    "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage.",
    "東京は日本の首都です。",
    "السنة الأولى, نعم!",
    "서울은 대한민국의 수도이다 " * 6,  # longer than either budget
    "e\u0301te\u0301 👩‍👩‍👧 พนักงานใหม่",
    "?!",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_foreign_checkpoint: Callable[..., Path]) -> Path:
    return write_foreign_checkpoint(tmp_path_factory.mktemp("foreign") / "model")


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    return sentence_transformers.MultiVectorEncoder(str(folder), device="cpu", local_files_only=True)


def test_documents_have_the_vectors_of_sentence_transformers(folder: Path, theirs: Any) -> None:
    ours = load_encoder(str(folder), device="cpu").encode_documents(TEXTS)
    for vectors, expected in zip(ours, theirs.encode_document(TEXTS, convert_to_numpy=True), strict=True):
        assert vectors.shape == expected.shape
        np.testing.assert_allclose(vectors, expected, atol=1e-4)


def test_queries_have_the_vectors_of_sentence_transformers(folder: Path, theirs: Any) -> None:
    ours = load_encoder(str(folder), device="cpu").encode_queries(TEXTS)
    for vectors, expected in zip(ours, theirs.encode_query(TEXTS, convert_to_numpy=True), strict=True):
        assert vectors.shape == expected.shape
        np.testing.assert_allclose(vectors, expected, atol=1e-4)


def test_the_foreign_encoder_has_the_spans_and_budgets_of_our_own(folder: Path) -> None:
    ours = load_encoder(str(folder), device="cpu")
    foreign = load_encoder(f"sentence-transformers:{folder}", device="cpu")
    assert foreign.name == f"sentence-transformers:{folder}"
    assert foreign.dim == ours.dim
    assert foreign.max_query_tokens == ours.max_query_tokens
    assert foreign.max_document_tokens == ours.max_document_tokens
    for text, spans, expected in zip(TEXTS, foreign.token_spans(TEXTS), ours.token_spans(TEXTS), strict=True):
        np.testing.assert_array_equal(spans, expected)
        np.testing.assert_array_equal(foreign.document_spans(text), ours.document_spans(text))
        np.testing.assert_array_equal(foreign.query_spans(text), ours.query_spans(text))


def test_the_foreign_encoder_has_the_vectors_of_our_own(folder: Path) -> None:
    ours = load_encoder(str(folder), device="cpu")
    foreign = load_encoder(f"sentence-transformers:{folder}", device="cpu")
    for encode in ("encode_queries", "encode_documents"):
        expected, found = getattr(ours, encode)(TEXTS), getattr(foreign, encode)(TEXTS)
        np.testing.assert_array_equal(found.offsets, expected.offsets)
        np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-4)


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("modules.json", "pylate.models.Dense.Dense", "antigravity.Dense", "antigravity"),
        ("modules.json", "sentence_transformers.models.Transformer", "modeling_x.Evil", "modeling_x"),
        ("1_Dense/config.json", "torch.nn.modules.linear.Identity", "antigravity.Identity", "antigravity"),
    ],
)
def test_a_class_that_a_folder_names_is_never_imported(
    tmp_path: Path, write_foreign_checkpoint: Callable[..., Path], file: str, old: str, new: str, named: str
) -> None:
    folder = write_foreign_checkpoint(tmp_path / "model")
    path = folder / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UnsafeModelError, match=named):
        load_encoder(f"sentence-transformers:{folder}", device="cpu")


def test_code_and_pickles_are_refused_before_the_library_sees_the_folder(
    tmp_path: Path, write_foreign_checkpoint: Callable[..., Path]
) -> None:
    folder = write_foreign_checkpoint(tmp_path / "model")
    (folder / "modeling_x.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(UnsafeModelError, match=r"modeling_x\.py"):
        load_encoder(f"sentence-transformers:{folder}", device="cpu")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model.safetensors", b"no weights"),
        ("1_Dense/model.safetensors", b""),
        ("config.json", b"{}"),
        ("config.json", b"[]"),
        ("tokenizer.json", b"{}"),
        ("config_sentence_transformers.json", b"[]"),
    ],
)
def test_a_folder_that_the_library_cannot_load_is_refused(
    tmp_path: Path, write_foreign_checkpoint: Callable[..., Path], file: str, content: bytes
) -> None:
    folder = write_foreign_checkpoint(tmp_path / "model")
    (folder / file).write_bytes(content)
    with pytest.raises(UnsafeModelError):
        load_encoder(f"sentence-transformers:{folder}", device="cpu")


def test_what_is_no_number_names_the_document(tmp_path: Path, write_foreign_checkpoint: Callable[..., Path]) -> None:
    folder = write_foreign_checkpoint(tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    tensors["embed_tokens.weight"][json.loads((folder / "tokenizer.json").read_bytes())["model"]["vocab"]["~"]] = np.nan
    save_file(tensors, folder / "model.safetensors")
    encoder = load_encoder(f"sentence-transformers:{folder}", device="cpu")
    with pytest.raises(NonFiniteVectorError, match="a tilde ~"):
        encoder.encode_documents(["fine", "a tilde ~", "fine too"])
