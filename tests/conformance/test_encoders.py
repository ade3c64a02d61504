"""What every encoder promises (`encoders/base.py`), over all ways to run one."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.machine import this_machine
from lfm2_colbert import MultiVectors, load_encoder
from lfm2_colbert.encoders import ENCODERS
from lfm2_colbert.encoders.base import Encoder, LoadOptions
from lfm2_colbert.encoders.batching import POSITIONS_PER_BATCH
from lfm2_colbert.encoders.onnx import load_onnx
from lfm2_colbert.errors import (
    InvalidArgumentError,
    InvalidConfigError,
    NonFiniteVectorError,
    UnknownEncoderError,
    UnsafeModelError,
)

TEXTS = [
    "Wie lange habe ich Urlaub, und wer entscheidet das?",
    "",
    "東京は日本の首都です。",
    "السنة الأولى.",
    "x",
    "서울은 대한민국의 수도이다 " * 6,
    "e\u0301te\u0301 👩‍👩‍👧 พนักงานใหม่",
    "!",
]
WAYS = {
    "nano": "onnx",
    "onnx-fp32": "onnx",
    "onnx-int8": "onnx",
    "openvino": "openvino",
    "openvino-fp32": "openvino",
    "torch": "torch",
    "torch-of-onnx": "torch",
    "sentence-transformers": "sentence-transformers",
    "hashing": "hashing",
}
INT8 = {"nano", "onnx-int8"}
TO_THE_BIT = {"openvino", "openvino-fp32"} if "avx512f" in this_machine().flags else set[str]()
"""However texts are put together; on a processor without AVX-512 OpenVINO's last bits differ."""
EXPANDING = {"onnx-fp32", "onnx-int8", "openvino-fp32", "torch", "torch-of-onnx"}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, write_checkpoint: Callable[..., Path]) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Path:
    """Folders "fp32" and "int8"."""
    pytest.importorskip("onnx")
    from lfm2_colbert.export.onnx import Precision, export_folder

    home = tmp_path_factory.mktemp("exported")
    for precision in Precision:
        export_folder(checkpoint, home / precision, f"tiny-{precision}", precision)
    return home


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def encoder(way: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encoder]:
    if way in ("nano", "hashing"):
        yield load_encoder(way)
    elif way.startswith("openvino"):
        require_openvino()
        name = "nano" if way == "openvino" else str(request.getfixturevalue("exported") / "fp32")
        yield load_encoder(name, device="openvino", threads=1)
    elif way.startswith("onnx-"):
        yield load_encoder(str(request.getfixturevalue("exported") / way.removeprefix("onnx-")))
    else:
        pytest.importorskip("torch")
        yield _of_torch(way, request, tmp_path_factory)


def _of_torch(way: str, request: pytest.FixtureRequest, places: pytest.TempPathFactory) -> Encoder:
    if way == "torch":
        return load_encoder(str(request.getfixturevalue("checkpoint")), device="cpu")
    if way == "torch-of-onnx":
        from lfm2_colbert.encoders.torch import load_torch

        return load_torch(str(request.getfixturevalue("exported") / "fp32"), LoadOptions(device="cpu"))
    pytest.importorskip("sentence_transformers")
    return load_encoder(
        f"sentence-transformers:{request.getfixturevalue('write_foreign_checkpoint')(places.mktemp('st') / 'm')}",
        device="cpu",
    )


def require_openvino() -> None:
    """Skip where it is not installed, or does not run on this processor."""
    pytest.importorskip("lfm2_colbert.encoders.openvino")
    try:
        load_encoder("nano", device="openvino", threads=1)
    except InvalidArgumentError as error:
        pytest.skip(error.message)


def tolerance(way: str) -> float:
    """How far a vector may be from itself when other texts are encoded with it."""
    return 0 if way in TO_THE_BIT else 2e-3 if way in INT8 else 1e-5


def test_every_way_to_run_an_encoder_is_under_test() -> None:
    assert set(WAYS.values()) == set(ENCODERS)


def test_it_keeps_the_protocol(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.name
    assert encoder.fingerprint
    assert min(encoder.dim, encoder.max_query_tokens, encoder.max_document_tokens) > 0


def test_vectors_are_float32_of_unit_norm(encoder: Encoder) -> None:
    for encoded in _both(encoder, TEXTS):
        assert (encoded.vectors.dtype, encoded.dim, len(encoded)) == (np.float32, encoder.dim, len(TEXTS))
        np.testing.assert_allclose(np.linalg.norm(encoded.vectors, axis=1), 1, atol=1e-5)


def test_one_by_one_gives_what_a_batch_gives_in_the_same_order(encoder: Encoder, way: str) -> None:
    for encode in (encoder.encode_queries, encoder.encode_documents):
        together = encode(TEXTS)
        for text, vectors in zip(TEXTS, together, strict=True):
            np.testing.assert_allclose(vectors, encode([text])[0], atol=tolerance(way))


def test_more_texts_than_one_batch_holds_come_back_in_order(encoder: Encoder, way: str) -> None:
    texts = [("ja " * (n % 37) + str(n)).strip() for n in range(280)]
    together = encoder.encode_documents(texts)
    assert together.lengths.sum() > POSITIONS_PER_BATCH
    for i in range(0, len(texts), 9):
        np.testing.assert_allclose(together[i], encoder.encode_documents([texts[i]])[0], atol=tolerance(way))


def test_the_order_of_texts_is_the_order_of_items(encoder: Encoder, way: str) -> None:
    order = [5, 0, 7, 3, 1, 6, 2, 4]
    straight, turned = encoder.encode_documents(TEXTS), encoder.encode_documents([TEXTS[i] for i in order])
    for place, i in enumerate(order):
        np.testing.assert_allclose(turned[place], straight[i], atol=tolerance(way))


def test_texts_of_one_length_do_not_touch_each_other(encoder: Encoder, way: str) -> None:
    texts = ["x", "a", "b", "x"]
    together = encoder.encode_documents(texts)
    assert len(set(together.lengths.tolist())) == 1
    for text, vectors in zip(texts, together, strict=True):
        # A float32 product may depend on the shape of its matrix; int8 is made so that it does not.
        alone = encoder.encode_documents([text])[0]
        np.testing.assert_allclose(vectors, alone, rtol=0, atol=0 if way in INT8 | TO_THE_BIT else 1e-5)


def test_the_same_text_gives_the_same_bits_twice(encoder: Encoder) -> None:
    for first, second in zip(_both(encoder, TEXTS), _both(encoder, TEXTS), strict=True):
        np.testing.assert_array_equal(first.vectors, second.vectors)


def test_no_texts_give_no_items_of_the_right_width(encoder: Encoder) -> None:
    for encoded in _both(encoder, []):
        assert (len(encoded), encoded.dim, len(encoded.vectors)) == (0, encoder.dim, 0)
    assert encoder.token_spans([]) == []


def test_an_empty_text_still_has_vectors_that_stand_for_no_text(encoder: Encoder) -> None:
    for encoded, spans in zip(_both(encoder, [""]), (encoder.query_spans(""), encoder.document_spans("")), strict=True):
        assert encoded.lengths[0] == len(spans) > 0
        assert (spans == -1).all()
    assert len(encoder.token_spans([""])[0]) == 0


@pytest.mark.parametrize("text", TEXTS)
def test_every_vector_has_a_span_of_code_points(encoder: Encoder, text: str) -> None:
    for encoded, spans in zip(
        _both(encoder, [text]), (encoder.query_spans(text), encoder.document_spans(text)), strict=True
    ):
        assert spans.shape == (encoded.lengths[0], 2)
        assert spans.dtype == np.int64
        of_text = spans[spans[:, 0] >= 0]
        assert (spans[spans[:, 0] < 0] == -1).all()
        assert (of_text[:, 0] <= of_text[:, 1]).all()
        assert (of_text[:, 1] <= len(text)).all()
        assert _pairs(of_text) <= _pairs(encoder.token_spans([text])[0])


def test_spans_of_tokens_are_uncut_and_in_reading_order(encoder: Encoder) -> None:
    text = "Straße 東京 서울 " * 200
    spans = encoder.token_spans([text])[0]
    assert len(spans) > encoder.max_document_tokens
    assert spans[-1, 1] >= len(text) - 1  # the last space may belong to no token
    assert (np.diff(spans, axis=0) >= 0).all()


def test_a_document_of_exactly_the_budget_is_whole_and_one_more_token_is_cut(encoder: Encoder) -> None:
    exact, more = _texts_around(encoder, encoder.max_document_tokens)
    whole, cut = encoder.document_spans(exact), encoder.document_spans(more)
    np.testing.assert_array_equal(whole[whole[:, 0] >= 0], encoder.token_spans([exact])[0])
    np.testing.assert_array_equal(cut[cut[:, 0] >= 0], encoder.token_spans([more])[0][: encoder.max_document_tokens])


def test_a_query_of_exactly_the_budget_is_whole_and_one_more_token_is_cut(encoder: Encoder) -> None:
    exact, more = _texts_around(encoder, encoder.max_query_tokens)
    whole, cut = encoder.query_spans(exact), encoder.query_spans(more)
    np.testing.assert_array_equal(whole[whole[:, 0] >= 0], encoder.token_spans([exact])[0])
    np.testing.assert_array_equal(cut[cut[:, 0] >= 0], encoder.token_spans([more])[0][: encoder.max_query_tokens])


def test_an_expanding_model_gives_every_query_the_same_number_of_vectors(encoder: Encoder, way: str) -> None:
    lengths = set(encoder.encode_queries(TEXTS).lengths.tolist())
    assert lengths == {16} if way in EXPANDING else len(lengths) > 1


def test_half_a_surrogate_pair_is_refused_or_encoded(encoder: Encoder, way: str) -> None:
    if way == "hashing":
        assert encoder.encode_documents(["a \ud83d"]).lengths.tolist() == [3]  # begin, "a", the half
        return
    with pytest.raises(InvalidArgumentError, match="surrogate"):
        encoder.encode_documents(["fine", "\ud83d"])


# One encoder, several ways to run it.


@pytest.mark.torch
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_torch_and_onnx_runtime_agree_on_an_exported_folder(exported: Path, precision: str) -> None:
    from lfm2_colbert.encoders.torch import load_torch

    folder = str(exported / precision)
    fast, slow = load_onnx(folder, LoadOptions()), load_torch(folder, LoadOptions(device="cpu"))
    assert fast.fingerprint == slow.fingerprint
    for ours, theirs in zip(_both(fast, TEXTS), _both(slow, TEXTS), strict=True):
        cosines = (ours.vectors * theirs.vectors).sum(axis=1)  # int8 rounds activations too, torch only the weights
        assert cosines.min() >= (1 - 1e-6 if precision == "fp32" else 0.98)
        assert cosines.mean() >= (1 - 1e-6 if precision == "fp32" else 0.998)


def test_openvino_gives_the_vectors_of_onnx_runtime(exported: Path) -> None:
    require_openvino()
    for name in ("nano", str(exported / "fp32")):
        fast, plain = load_encoder(name, device="openvino"), load_encoder(name)
        assert (fast.name, fast.fingerprint) == (plain.name, plain.fingerprint)
        for ours, theirs in zip(_both(fast, TEXTS), _both(plain, TEXTS), strict=True):
            np.testing.assert_array_equal(ours.offsets, theirs.offsets)
            cosines = (ours.vectors * theirs.vectors).sum(axis=1)  # 8 bits round here, bfloat16 there
            assert cosines.min() >= 0.98
            assert cosines.mean() >= 0.998


def test_a_model_that_openvino_cannot_load_is_refused_with_another_way(exported: Path) -> None:
    require_openvino()
    with pytest.raises(UnsafeModelError, match="OpenVINO") as caught:  # its table is narrower than a block of 8 bits
        load_encoder(str(exported / "int8"), device="openvino")
    assert "--device cpu" in caught.value.help


def test_openvino_is_for_exported_encoders(checkpoint: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="exported") as caught:
        load_encoder(str(checkpoint), device="openvino")
    assert "export model" in caught.value.help


def test_threads_may_share_an_encoder_of_openvino() -> None:
    require_openvino()
    encoder = load_encoder("nano", device="openvino")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: encoder.encode_documents([text]).vectors, TEXTS * 6))
    for text, vectors in zip(TEXTS * 6, found, strict=True):
        np.testing.assert_array_equal(vectors, encoder.encode_documents([text]).vectors)


@pytest.mark.torch
def test_an_exported_encoder_gives_the_vectors_of_its_checkpoint(exported: Path, checkpoint: Path) -> None:
    exported_encoder, original = load_encoder(str(exported / "fp32")), load_encoder(str(checkpoint), device="cpu")
    for ours, theirs in zip(_both(exported_encoder, TEXTS), _both(original, TEXTS), strict=True):
        np.testing.assert_array_equal(ours.offsets, theirs.offsets)
        np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-4)


@pytest.mark.torch
@pytest.mark.parametrize("where", ["onnx", "torch"])
def test_what_is_no_number_names_the_document(
    tmp_path: Path, write_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from lfm2_colbert.checkpoint import Checkpoint, open_checkpoint
    from lfm2_colbert.export.onnx import Precision, export_folder

    folder = write_checkpoint(tmp_path / "model")
    tensors = open_checkpoint(folder).tensors()
    ids = json.loads((folder / "tokenizer.json").read_bytes())["model"]["vocab"]
    tensors["backbone.embed_tokens.weight"][ids["~"]] = np.nan  # a defect of the weights that one text alone meets
    monkeypatch.setattr(Checkpoint, "tensors", lambda checkpoint: tensors)
    if where == "onnx":
        export_folder(folder, tmp_path / "onnx", "broken", Precision.FP32)
    encoder = load_encoder(str(tmp_path / "onnx" if where == "onnx" else folder), device="cpu")
    assert np.isfinite(encoder.encode_documents(["fine"]).vectors).all()
    with pytest.raises(NonFiniteVectorError, match="a tilde ~"):
        encoder.encode_documents(["fine", "a tilde ~", "fine too"])


# Loading by name.


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [("nanno", "'nano'"), ("lfm2.5-colbert", "'lfm2.5-colbert-350m'"), ("sentence-transformers:nowhere", "known")],
)
def test_an_unknown_name_is_answered_with_the_nearest_known_one(name: str, suggestion: str) -> None:
    with pytest.raises(UnknownEncoderError) as caught:
        load_encoder(name)
    assert caught.value.code == "unknown_encoder"
    assert suggestion in caught.value.help


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="device"):
        load_encoder("hashing", device="abacus")


def test_a_device_that_is_not_there_is_refused(checkpoint: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(InvalidArgumentError, match="no CUDA") as caught:
        load_encoder(str(checkpoint), device="cuda")
    assert "cpu" in caught.value.help


def test_nano_goes_by_its_full_name() -> None:
    assert load_encoder("nano").name == "nano-1"


def test_of_an_encoder_that_was_bundled_once_the_way_out_is_to_encode_anew() -> None:
    with pytest.raises(UnknownEncoderError, match="nano-0") as caught:
        load_encoder("nano-0")
    assert "rebuild -c NAME --model nano" in caught.value.help


@pytest.mark.parametrize("name", ["model.onnx", "encoder.json", "tokenizer.json.xz"])
def test_the_fingerprint_of_an_exported_folder_changes_with_any_file(exported: Path, tmp_path: Path, name: str) -> None:
    from lfm2_colbert.checkpoint import files_fingerprint

    for path in (exported / "int8").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = files_fingerprint(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"\n")
    assert files_fingerprint(tmp_path) != before


@pytest.mark.parametrize(
    ("library", "extra"), [("torch", "torch"), ("sentence_transformers", "torch"), ("huggingface_hub", "torch")]
)
def test_a_missing_library_names_its_extra(checkpoint: Path, library: str, extra: str) -> None:
    names = {"torch": str(checkpoint), "sentence_transformers": f"sentence-transformers:{checkpoint}"}
    program = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {library!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from lfm2_colbert import load_encoder
from lfm2_colbert.errors import MissingExtraError
try:
    load_encoder({names.get(library, "lfm2-colbert-350m")!r})
except MissingExtraError as error:
    sys.exit(f"{{error.code}}: {{error.message}}; {{error.help}}")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "missing_extra" in done.stderr
    assert f"'{library}'" in done.stderr
    assert f"lfm2-colbert[{extra}]" in done.stderr


# Hostile exported folders.


def _copy(source: Path, destination: Path) -> Path:
    destination.mkdir()
    for path in source.iterdir():
        (destination / path.name).write_bytes(path.read_bytes())
    return destination


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x0a"], ids=["empty", "text", "header alone"])
@pytest.mark.parametrize("run", ["onnx", "torch"])
def test_a_file_that_is_no_model_is_refused(exported: Path, tmp_path: Path, content: bytes, run: str) -> None:
    from lfm2_colbert.encoders.torch import load_torch

    folder = _copy(exported / "int8", tmp_path / "m")
    (folder / "model.onnx").write_bytes(content)
    load = load_onnx if run == "onnx" else load_torch
    with pytest.raises(UnsafeModelError, match=r"model\.onnx"):
        load(str(folder), LoadOptions(device="cpu"))


def test_a_model_of_another_width_is_refused(exported: Path, tmp_path: Path) -> None:
    folder = _copy(exported / "int8", tmp_path / "m")
    config = json.loads((folder / "encoder.json").read_bytes())
    (folder / "encoder.json").write_text(json.dumps(config | {"dim": 17}))
    with pytest.raises(UnsafeModelError, match="no encoder of 17"):
        load_encoder(str(folder))


@pytest.mark.parametrize(
    "changes", [{"dim": "16"}, {"tokens": 5}, {"markers": [1]}, {"surprise": 1}, {"backbone": {"layer_types": 5}}]
)
def test_settings_of_another_form_are_refused(exported: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    folder = _copy(exported / "int8", tmp_path / "m")
    config = json.loads((folder / "encoder.json").read_bytes())
    (folder / "encoder.json").write_text(json.dumps(config | changes))
    with pytest.raises(InvalidConfigError):
        load_encoder(str(folder))


def test_weights_outside_the_folder_are_never_read(exported: Path, tmp_path: Path) -> None:
    import onnx
    from onnx.external_data_helper import set_external_data

    folder = _copy(exported / "fp32", tmp_path / "m")
    model = onnx.load(folder / "model.onnx")
    tensor = next(t for t in model.graph.initializer if t.name == "backbone.embedding_norm.weight")
    (tmp_path / "secret").write_bytes(tensor.raw_data)
    set_external_data(tensor, location="../secret")
    tensor.ClearField("raw_data")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UnsafeModelError, match=r"model\.onnx"):
        load_encoder(str(folder))


def _both(encoder: Encoder, texts: list[str]) -> tuple[MultiVectors, MultiVectors]:
    return encoder.encode_queries(texts), encoder.encode_documents(texts)


def _pairs(spans: NDArray[np.int64]) -> set[tuple[int, int]]:
    return {(int(start), int(end)) for start, end in spans}


def _texts_around(encoder: Encoder, n_tokens: int) -> tuple[str, str]:
    """A text of exactly `n_tokens` tokens, and one with a token more."""
    found: dict[int, str] = {}
    for n_words, ending in itertools.product(range(n_tokens + 1), ("", " x", " x x")):
        text = " ".join(["東"] * n_words) + ending
        found.setdefault(len(encoder.token_spans([text])[0]), text)
    return found[n_tokens], found[n_tokens + 1]
