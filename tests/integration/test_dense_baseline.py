"""The dense baseline ranks as the library's own similarity does, over all pairs."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.datasets.base import Task
from eval.dense import DenseModel, DenseSystem, embedded, load_dense
from eval.report import SystemKey
from eval.rivals import dense_folder, load_rivals
from eval.systems import FOUND
from index.types import Document
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import (
    InvalidArgumentError,
    NonFiniteVectorError,
    UnknownEncoderError,
    UnknownNameError,
    UnsafeModelError,
)

pytestmark = pytest.mark.torch

sentence_transformers = pytest.importorskip("sentence_transformers")

Writer = Callable[..., Path]

ENCODER = HashingEncoder(dim=16)

DOCUMENTS = {
    "d1": "Urlaub lang ist Urlaub",
    "d2": "東京 休暇 🐈",
    "d3": "إجازة طويلة",
    "d4": " ".join(["tokio ist lang"] * 20),  # longer than the model reads
    "d5": "unbekannt",
}
QUERIES = {"q1": "東京", "q2": "إجازة", "q3": "langer Urlaub", "d1": "Urlaub"}
TASK = Task(
    "handbook",
    "ja",
    "ja",
    "test",
    {key: Document(key, text) for key, text in DOCUMENTS.items()},
    QUERIES,
    {key: {"d2": 1} for key in QUERIES},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_dense_model: Writer) -> Path:
    return write_dense_model(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    return sentence_transformers.SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def ignore(*told: object) -> None:
    """Show nothing."""


def system(model: DenseModel, kept: Path) -> DenseSystem:
    return DenseSystem(model, "tiny-bert", "corpus", kept)


class Counting(DenseModel):
    """Remembers the documents that it encoded."""

    def __init__(self, model: DenseModel) -> None:
        super().__init__(model._model, model.name, model.fingerprint)
        self.texts: list[str] = []

    def encode_documents(self, texts: Sequence[str]) -> Any:
        self.texts += texts
        return super().encode_documents(texts)


def test_all_scores_are_the_models_own_similarity(folder: Path, theirs: Any, tmp_path: Path) -> None:
    found = system(load_dense(folder, "tiny-bert"), tmp_path).answer(TASK, ignore, ignore)
    asked = theirs.encode_query(list(QUERIES.values()))
    expected = theirs.similarity(asked, theirs.encode_document(list(DOCUMENTS.values()))).numpy()
    for query_id, row in zip(QUERIES, expected, strict=True):
        assert found.run[query_id] == pytest.approx(dict(zip(DOCUMENTS, row.tolist(), strict=True)), abs=1e-6)
        assert list(found.run[query_id].values()) == sorted(found.run[query_id].values(), reverse=True)
    assert found.passages == len(DOCUMENTS)
    assert set(found.figures) == {"truncated", "encode_s", "encode_docs_per_s"}


def test_dot_products_are_taken_where_the_model_says_so(tmp_path: Path, write_dense_model: Writer) -> None:
    folder = write_dense_model(tmp_path / "dot-bert", "dot")
    model, theirs = load_dense(folder, "dot-bert"), sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    asked, texts = ["東京", "Urlaub"], list(DOCUMENTS.values())
    scores = model.similarities(model.encode_queries(asked), model.encode_documents(texts))
    expected = theirs.similarity(theirs.encode_query(asked), theirs.encode_document(texts)).numpy()
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    assert scores.max() > 1.5  # no cosine


def test_a_similarity_that_is_not_offered_is_refused(tmp_path: Path, write_dense_model: Writer) -> None:
    folder = write_dense_model(tmp_path / "far-bert", "euclidean")
    with pytest.raises(UnknownNameError, match="euclidean") as caught:
        load_dense(folder, "far-bert")
    assert "cosine, dot" in caught.value.help


def test_embeddings_depend_on_their_own_text_alone(folder: Path) -> None:
    model = load_dense(folder, "tiny-bert")
    texts = list(DOCUMENTS.values())
    together = model.encode_documents(texts)
    for text, expected in zip(texts, together, strict=True):
        np.testing.assert_allclose(model.encode_documents([text])[0], expected, atol=1e-5)
    np.testing.assert_allclose(model.encode_documents(texts[::-1])[::-1], together, atol=1e-5)


def test_documents_that_the_model_cuts_are_counted(folder: Path, theirs: Any) -> None:
    model = load_dense(folder, "tiny-bert")
    assert model.truncated(list(DOCUMENTS.values())) == 1
    # [CLS] passage : … [SEP]: twenty words are read whole, the twenty-first is cut.
    assert theirs.max_seq_length == 24
    assert [model.truncated([" ".join(["tokio"] * n)]) for n in (20, 21)] == [0, 1]
    read, cut = (model.encode_documents([" ".join(["tokio"] * n + ["lang"])])[0] for n in (19, 20))
    assert not np.allclose(read, model.encode_documents([" ".join(["tokio"] * 19)])[0], atol=1e-4)
    np.testing.assert_allclose(cut, model.encode_documents([" ".join(["tokio"] * 20)])[0], atol=1e-5)


def test_a_second_call_encodes_no_document(folder: Path, tmp_path: Path) -> None:
    first, second = (Counting(load_dense(folder, "tiny-bert")) for _ in range(2))
    found = system(first, tmp_path).answer(TASK, ignore, ignore)
    again = system(second, tmp_path).answer(TASK, ignore, ignore)
    assert (first.texts, second.texts) == (list(DOCUMENTS.values()), [])
    assert again == found


def test_a_run_that_was_cut_off_is_finished(folder: Path, tmp_path: Path) -> None:
    texts = [f"Urlaub {word} {i}" for i in range(150) for word in ("東京", "إجازة")]
    whole = embedded(texts, load_dense(folder, "tiny-bert"), tmp_path / "whole", ignore)
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    last = sorted((tmp_path / "cut").glob("[0-9]*.npy"))[-1]
    last.rename(last.with_name(f".{last.name}"))
    model = Counting(load_dense(folder, "tiny-bert"))
    told = []
    finished = embedded(texts, model, tmp_path / "cut", told.append)
    assert model.texts == texts[256:]
    assert told[-1].characters == told[-1].total_characters == sum(map(len, texts))
    np.testing.assert_array_equal(finished.embeddings, whole.embeddings)
    assert finished.truncated == whole.truncated == 0


def test_the_querys_own_document_is_left_out_where_the_task_wants_it(folder: Path, tmp_path: Path) -> None:
    one = system(load_dense(folder, "tiny-bert"), tmp_path)
    plain, without = (one.answer(replace(TASK, skips_own=own), ignore, ignore) for own in (False, True))
    assert "d1" in plain.run["d1"]
    assert without.run["d1"] == {key: score for key, score in plain.run["d1"].items() if key != "d1"}
    assert without.run["q1"] == plain.run["q1"]


def test_no_more_are_found_than_the_others_find(folder: Path, tmp_path: Path) -> None:
    many = {f"d{i}": Document(f"d{i}", f"{word} {i}") for i in range(60) for word in ("Urlaub", "東京")}
    many |= {f"e{i}": Document(f"e{i}", "lang " * i) for i in range(60)}
    found = system(load_dense(folder, "tiny-bert"), tmp_path).answer(replace(TASK, documents=many), ignore, ignore)
    assert {len(each) for each in found.run.values()} == {FOUND}


def test_the_answer_is_made_of_documents_and_weights(folder: Path, tmp_path: Path, write_dense_model: Writer) -> None:
    one = load_dense(folder, "tiny-bert")
    other = load_dense(write_dense_model(tmp_path / "tiny-bert", seed=1), "tiny-bert")
    assert one.fingerprint != other.fingerprint
    assert system(one, tmp_path).made_of != system(other, tmp_path).made_of
    assert system(one, tmp_path).key == SystemKey("tiny-bert", "dense")


def test_embeddings_that_are_no_numbers_are_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][:] = np.nan
    save_file(weights, broken / "model.safetensors")
    with pytest.raises(NonFiniteVectorError, match="broken"):
        load_dense(broken, "broken").encode_documents(["東京"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "modeling.py").write_text("print()"), "custom code"),
        (lambda folder: (folder / "pytorch_model.bin").write_bytes(b""), "a file type that can run code"),
        (lambda folder: spoil_modules(folder, "os.Pooling"), "asks to import os.Pooling"),
        (lambda folder: spoil_router(folder), "asks to import antigravity.Fly"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no weights"), "cannot load broken as a single"),
        (lambda folder: (folder / "config.json").write_text("{}"), "cannot load broken as a single"),
    ],
)
def test_a_folder_that_could_run_code_is_refused(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    broken = Path(shutil.copytree(folder, tmp_path / "broken"))
    spoil(broken)
    with pytest.raises(UnsafeModelError, match=message):
        load_rivals([str(broken)], ENCODER)


def spoil_modules(folder: Path, name: str) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = name
    (folder / "modules.json").write_text(json.dumps(modules))


def spoil_router(folder: Path) -> None:
    (folder / "2_Router").mkdir()
    settings = {"types": {"0": "antigravity.Fly"}, "structure": {"query": ["0"]}, "parameters": {}}
    (folder / "2_Router" / "router_config.json").write_text(json.dumps(settings))


def test_a_model_that_pools_is_dense_and_others_are_served(
    folder: Path, tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    colbert = write_checkpoint(tmp_path / "colbert")
    assert dense_folder(str(folder)) == folder
    assert [dense_folder(name) for name in (str(colbert), "hashing", "nano", "lfm2-colbert-350m")] == [None] * 4
    assert dense_folder(f"sentence-transformers:{colbert}") is None
    rivals = load_rivals([f"{folder}/", str(colbert), "hashing"], ENCODER)
    assert list(rivals) == ["tiny-bert", "colbert", "hashing"]
    assert isinstance(rivals["tiny-bert"], DenseModel)
    assert isinstance(rivals["colbert"], Encoder)


@pytest.mark.parametrize("name", ["intfloat/multilingual-e5-small", "intfloat/multilingual-e5-small@main"])
def test_a_repository_is_named_with_its_commit(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="names no commit") as caught:
        load_rivals([name], ENCODER)
    assert "intfloat/multilingual-e5-small@ and the 40 digits" in caught.value.help


def test_what_is_no_model_is_unknown() -> None:
    with pytest.raises(UnknownEncoderError, match="no encoder 'nanoo'"):
        load_rivals(["nanoo"], ENCODER)


def test_two_systems_never_share_a_name(folder: Path, tmp_path: Path) -> None:
    ours = Path(shutil.copytree(folder, tmp_path / "lfm2-colbert"))
    again = Path(shutil.copytree(folder, tmp_path / "tiny-bert"))
    with pytest.raises(InvalidArgumentError, match="would be called 'lfm2-colbert'"):
        load_rivals([str(ours)], ENCODER)
    with pytest.raises(InvalidArgumentError, match="would be called 'tiny-bert'"):
        load_rivals([str(folder), str(again)], ENCODER)


def test_a_model_is_not_measured_twice(folder: Path, tmp_path: Path) -> None:
    again = Path(shutil.copytree(folder, tmp_path / "another-name"))
    with pytest.raises(InvalidArgumentError, match="'hashing' is a model that is measured already"):
        load_rivals(["hashing"], HashingEncoder())
    with pytest.raises(InvalidArgumentError, match="another-name' is a model that is measured already"):
        load_rivals([str(folder), str(again)], ENCODER)
