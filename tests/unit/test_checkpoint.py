"""Model folders: what a good one gives, and every hostile one refused in a sentence, without running anything of it."""

import contextlib
import copy
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lfm2_colbert.checkpoint import MAX_CHECKPOINT_BYTES, check_files, files_fingerprint, open_checkpoint
from lfm2_colbert.errors import Lfm2ColbertError, ModelUnavailableError, UnsafeModelError
from lfm2_colbert.hub import HubModel, local_folder
from lfm2_colbert.safetensors import MAX_HEADER_BYTES, SafetensorsFile

REVISION = "0123456789abcdef0123456789abcdef01234567"
MODEL = HubModel("some-org/Tiny-ColBERT", REVISION)
CONFIG, SETTINGS, DENSE = "config.json", "config_sentence_transformers.json", "1_Dense/config.json"


@pytest.fixture
def folder(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> Path:
    return write_checkpoint(tmp_path / "model")


def _edit(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))


def _put(file: str, key: str, value: Any) -> Callable[[Path], object]:
    return lambda folder: _edit(folder / file, lambda config: config.update({key: value}))


# A good folder.


def test_settings_become_the_token_contract(folder: Path) -> None:
    opened = open_checkpoint(folder)
    vocabulary = json.loads((folder / "tokenizer.json").read_bytes())["model"]["vocab"]
    assert (opened.dim, opened.backbone.head_dim, opened.backbone.bidirectional) == (16, 8, True)
    assert opened.markers == ("[Q] ", "[D] ")
    tokens = opened.tokens
    assert (tokens.bos_id, tokens.query_marker_id, tokens.document_marker_id) == (1, 480, 481)
    assert (tokens.query_length, tokens.document_length) == (16, 32)
    assert (tokens.expansion_id, tokens.attend_to_expansion, tokens.pad_id) == (7, False, 0)
    assert tokens.skip_ids == tuple(sorted(vocabulary[word] for word in ",.!?"))


def test_markers_that_the_vocabulary_lacks_come_after_it_query_first(
    tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    prefixes = {"query_prefix": "[Frage]", "document_prefix": "[Text]"}
    tokens = open_checkpoint(write_checkpoint(tmp_path / "m", config={"vocab_size": 484}, settings=prefixes)).tokens
    assert (tokens.query_marker_id, tokens.document_marker_id) == (482, 483)


@pytest.mark.parametrize("file", ["special_tokens_map.json", "tokenizer_config.json"])
@pytest.mark.parametrize("mask", ["<|fim_mid|>", {"content": "<|fim_mid|>", "lstrip": False}])
def test_queries_expand_with_the_mask_token_where_there_is_one(folder: Path, file: str, mask: Any) -> None:
    (folder / file).write_text(json.dumps({"mask_token": mask}))
    assert open_checkpoint(folder).tokens.expansion_id == 4


def test_without_expansion_there_is_no_expansion_id(folder: Path) -> None:
    _put(SETTINGS, "do_query_expansion", False)(folder)
    assert open_checkpoint(folder).tokens.expansion_id is None


@pytest.mark.parametrize(
    ("changes", "bidirectional"),
    [
        ({"architectures": ["Lfm2Model"]}, False),
        ({"architectures": ["Lfm2ForCausalLM"]}, False),
        ({"architectures": None}, False),
        ({"architectures": ["Lfm2BidirectionalModel"]}, True),
        ({"architectures": ["Lfm2Model"], "bidirectional": True}, True),
    ],
)
def test_the_architecture_decides_the_direction(folder: Path, changes: dict[str, Any], bidirectional: bool) -> None:
    _edit(folder / CONFIG, lambda config: config.update(changes))
    assert open_checkpoint(folder).backbone.bidirectional is bidirectional


@pytest.mark.parametrize(
    "auto_map",
    [
        {"AutoModel": "modeling_lfm2_bidirectional.Lfm2BidirectionalModel"},
        {"AutoModel": "LiquidAI/LFM2.5-ColBERT-350M--modeling_lfm2_bidirectional.Lfm2BidirectionalModel"},
        {"AutoModel": ["modeling_lfm2_bidirectional.Lfm2BidirectionalModel", None]},
    ],
)
def test_the_published_remote_class_is_known_and_replaced_by_our_own(folder: Path, auto_map: dict[str, Any]) -> None:
    _put(CONFIG, "auto_map", auto_map)(folder)
    assert open_checkpoint(folder).backbone.bidirectional


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_every_stored_precision_reads_as_the_library_reads_it(tmp_path: Path, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    stored = torch.randn(7, 5, generator=torch.Generator().manual_seed(1)).to(getattr(torch, dtype))
    special = torch.tensor([0.0, -0.0, 6e-8, 65_504.0]).to(getattr(torch, dtype))
    save_file({"a": stored, "b": special}, tmp_path / "t.safetensors", metadata={"format": "pt"})
    file = SafetensorsFile(tmp_path / "t.safetensors")
    assert file.shapes() == {"a": (7, 5), "b": (4,)}
    for name, tensor in file.tensors():
        assert tensor.dtype == np.float32
        np.testing.assert_array_equal(tensor, {"a": stored, "b": special}[name].float().numpy())


@pytest.mark.parametrize(
    "name",
    [
        CONFIG,
        SETTINGS,
        "modules.json",
        "tokenizer.json",
        "model.safetensors",
        DENSE,
        "1_Dense/model.safetensors",
        "sentence_bert_config.json",
    ],
)
def test_the_fingerprint_changes_with_any_file(folder: Path, name: str) -> None:
    before = files_fingerprint(folder)
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    changed = files_fingerprint(folder)
    (folder / name).rename(folder / f"{name}.json")
    assert len({before, changed, files_fingerprint(folder)}) == 3


def test_the_fingerprint_depends_on_neither_place_nor_remarks(
    tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    one, other = write_checkpoint(tmp_path / "one"), write_checkpoint(tmp_path / "two" / "deeper")
    (other / "README.md").write_text("a model card")
    assert files_fingerprint(one) == files_fingerprint(other)


# Hostile folders.


@pytest.mark.parametrize(
    "name",
    [
        "modeling_x.py", "1_Dense/x.PY", "a/b/c/setup.py", "pytorch_model.bin", "model.pt", "model.PTH", "weights.pkl",
        "weights.pickle", "model.ckpt", "x.joblib", "x.npy", "x.npz", "tf_model.h5", "flax_model.msgpack", "x.so",
    ],
)  # fmt: skip
def test_files_that_can_run_code_are_refused_by_name(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    with pytest.raises(UnsafeModelError, match=path.name) as caught:
        open_checkpoint(folder)
    assert caught.value.help


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    (folder / "vocab.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(UnsafeModelError, match=r"vocab\.json is a link that leaves"):
        open_checkpoint(folder)


def test_a_linked_folder_outside_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / "2_Dense").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(UnsafeModelError, match="2_Dense is a link that leaves"):
        open_checkpoint(folder)


def test_a_folder_called_snapshots_opens_no_way_to_its_neighbours(
    tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    folder = write_checkpoint(tmp_path / "snapshots" / "model")
    (tmp_path / "secret.json").write_text("{}")
    (folder / "vocab.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(UnsafeModelError, match="leaves the model folder"):
        open_checkpoint(folder)


def test_a_link_to_itself_is_refused(folder: Path) -> None:
    (folder / "loop").symlink_to(folder / "loop")
    with pytest.raises(UnsafeModelError, match="link to itself"):
        open_checkpoint(folder)


def test_a_pipe_is_refused_and_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "vocab.json")
    with pytest.raises(UnsafeModelError, match=r"vocab\.json is neither a file nor a folder"):
        open_checkpoint(folder)


def test_a_link_within_the_folder_is_fine(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    (folder / "model.safetensors").symlink_to("weights.safetensors")
    assert open_checkpoint(folder).dim == 16


def test_a_folder_of_absurd_size_is_refused_before_it_is_read(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(MAX_CHECKPOINT_BYTES)  # sparse: it takes no room on the disk
    with pytest.raises(UnsafeModelError, match="GiB"):
        check_files(folder)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeModelError, match="not a folder"):
        open_checkpoint(tmp_path / "nothing")


def _remove(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _write(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


def _module(index: int, key: str, value: Any) -> Callable[[Path], object]:
    return lambda folder: _edit(folder / "modules.json", lambda modules: modules[index].update({key: value}))


def _adjusted_by_zero(folder: Path) -> None:
    _put(CONFIG, "block_auto_adjust_ff_dim", True)(folder)
    _put(CONFIG, "block_multiple_of", 0)(folder)


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (_remove(CONFIG), r"no config\.json"),
    "no modules": (_remove("modules.json"), r"no modules\.json"),
    "no settings": (_remove(SETTINGS), "no config_sentence_transformers"),
    "no weights": (_remove("model.safetensors"), r"no model\.safetensors"),
    "no projection": (_remove("1_Dense/model.safetensors"), r"no model\.safetensors"),
    "no vocabulary": (_remove("tokenizer.json"), r"no tokenizer\.json"),
    "deep config": (_write(CONFIG, '{"a":' * 50_000), r"config\.json is not JSON"),
    "deep modules": (_write("modules.json", "[" * 50_000), r"modules\.json is not JSON"),
    "large config": (_write(CONFIG, json.dumps({"a": "x" * 2_000_000})), r"config\.json is larger"),
    "large modules": (_write("modules.json", json.dumps(["x" * 2_000_000])), r"modules\.json is larger"),
    "config is a list": (_write(CONFIG, "[]"), "not a JSON object"),
    "modules is an object": (_write("modules.json", "{}"), "does not list modules"),
    "modules of numbers": (_write("modules.json", "[1, 2]"), "does not list modules"),
    "modules without types": (_write("modules.json", '[{"path": ""}]'), "does not list modules"),
    "one module": (_write("modules.json", '[{"type": "os.system", "path": ""}]'), "is made of os.system"),
    "unknown transformer": (_module(0, "type", "modeling_x.Evil"), "modeling_x.Evil"),
    "unknown dense": (_module(1, "type", "sentence_transformers.models.Pooling"), "Pooling"),
    "dense elsewhere": (_module(1, "path", "../2_Dense"), "1_Dense"),
    "unknown remote class": (_put(CONFIG, "auto_map", {"AutoModel": "modeling_x.Evil"}), "modeling_x.Evil"),
    "unknown remote class in a list": (_put(CONFIG, "auto_map", {"AutoTokenizer": ["tok.Evil", None]}), "tok.Evil"),
    "remote class as text": (_put(CONFIG, "auto_map", "tok.Evil"), "tok.Evil"),
    "another model": (_put(CONFIG, "model_type", "bert"), "'bert' model"),
    "mixture of experts": (_put(CONFIG, "model_type", "lfm2_moe"), "mixture-of-experts"),
    "unknown architecture": (_put(CONFIG, "architectures", ["Lfm2Sideways"]), "Lfm2Sideways"),
    "convolution with a bias": (_put(CONFIG, "conv_bias", True), "bias"),
    "absurd width": (_put(CONFIG, "hidden_size", 10**12), "hidden_size"),
    "absurd depth": (_put(CONFIG, "num_hidden_layers", 10**9), "num_hidden_layers"),
    "absurd vocabulary": (_put(CONFIG, "vocab_size", 10**9), "vocab_size"),
    "absurd feed-forward": (_put(CONFIG, "intermediate_size", 10**12), "intermediate_size"),
    "width as text": (_put(CONFIG, "hidden_size", "32"), "hidden_size"),
    "width as truth": (_put(CONFIG, "hidden_size", True), "hidden_size"),
    "odd head": (_put(CONFIG, "head_dim", 7), "even width"),
    "uneven heads": (_put(CONFIG, "num_key_value_heads", 3), "evenly"),
    "zero multiple": (_adjusted_by_zero, "block_multiple_of"),
    "epsilon not a number": (_put(CONFIG, "norm_eps", float("nan")), "norm_eps"),
    "infinite base": (_put(CONFIG, "rope_theta", float("inf")), "rope_theta"),
    "layers of another kind": (_put(CONFIG, "layer_types", ["conv"] * 3 + ["sliding"]), "layer_types"),
    "too few layers": (_put(CONFIG, "layer_types", ["conv"]), "layer_types"),
    "no begin token": (_put(CONFIG, "bos_token_id", None), "bos_token_id"),
    "begin token beyond the table": (_put(CONFIG, "bos_token_id", 482), "bos_token_id"),
    "marker beyond the table": (_put(SETTINGS, "query_prefix_id", 482), "query_prefix_id"),
    "end token of a list": (_put(CONFIG, "eos_token_id", [7]), "eos_token_id"),
    "no room in a query": (_put(SETTINGS, "query_length", 2), "query_length"),
    "endless documents": (_put(SETTINGS, "document_length", 10**9), "document_length"),
    "prefix is no text": (_put(SETTINGS, "query_prefix", 5), "query_prefix"),
    "skip list is no list": (_put(SETTINGS, "skiplist_words", 5), "skiplist_words"),
    "skip list of lists": (_put(SETTINGS, "skiplist_words", [["!"]]), "skiplist_words"),
    "more pieces than rows": (_put(CONFIG, "vocab_size", 300), "more pieces than the embedding has rows"),
    "projection with a bias": (_put(DENSE, "bias", True), "plain projection"),
    "projection with an activation": (_put(DENSE, "activation_function", "os.system"), "plain projection"),
    "projection of another width": (_put(DENSE, "in_features", 64), "plain projection"),
    "projection that lies": (_put(DENSE, "out_features", 17), "1_Dense holds"),
}  # fmt: skip


@pytest.mark.parametrize(("attack", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_folder_that_contradicts_itself_is_refused(
    folder: Path, attack: Callable[[Path], object], message: str
) -> None:
    attack(folder)
    with pytest.raises(UnsafeModelError, match=message):
        open_checkpoint(folder)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@hypothesis_settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere_gives_a_model_or_a_coded_error(folder: Path, data: st.DataObject) -> None:
    path = folder / data.draw(st.sampled_from([CONFIG, SETTINGS, DENSE, "modules.json", "tokenizer.json"]))
    original = path.read_bytes()
    value = json.loads(original)
    mutated = copy.deepcopy(value)
    place = mutated[data.draw(st.integers(0, 1))] if isinstance(mutated, list) else mutated
    if "model" in place and data.draw(st.booleans()):
        place = place["model"]
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON_VALUES)
    path.write_text(json.dumps(mutated))
    try:
        open_checkpoint(folder)
    except Lfm2ColbertError as error:
        refusal = error.message
    else:
        refusal = "none: it loads"
    finally:
        path.write_bytes(original)
    assert refusal


# Hostile weights.


def _safetensors(header: Any, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def _entry(begin: int, end: int, shape: list[Any] | None = None, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": [2] if shape is None else shape, "data_offsets": [begin, end]}


GOOD = {"a": _entry(0, 8), "b": _entry(8, 16)}
ONE = json.dumps(_entry(0, 8))
DUPLICATE = f'{{"a": {ONE}, "a": {ONE}}}'.encode()
LYING: dict[str, bytes] = {
    "empty file": b"",
    "seven bytes": b"\2\0\0\0\0\0\0",
    "no header": _safetensors(b""),
    "header longer than the file": _safetensors(GOOD, bytes(16), length=10_000),
    "header of 2^63": _safetensors(GOOD, bytes(16), length=2**63),
    "header larger than allowed": _safetensors(b"{}" + b" " * MAX_HEADER_BYTES),
    "header cut": _safetensors(GOOD, bytes(16), length=20),
    "header is no JSON": _safetensors(b"\xff\xfe{}"),
    "header is a list": _safetensors([1]),
    "header is deep": _safetensors(b'{"a":' * 100_000),
    "a name twice": _safetensors(DUPLICATE, bytes(8)),
    "overlap": _safetensors({"a": _entry(0, 8), "b": _entry(4, 12)}, bytes(12)),
    "the same bytes twice": _safetensors({"a": _entry(0, 8), "b": _entry(0, 8)}, bytes(8)),
    "gap": _safetensors({"a": _entry(0, 8), "b": _entry(12, 20)}, bytes(20)),
    "beyond the end": _safetensors({"a": _entry(0, 8), "b": _entry(8, 16)}, bytes(12)),
    "before the start": _safetensors({"a": _entry(-8, 0)}, bytes(8)),
    "backwards": _safetensors({"a": _entry(8, 0)}, bytes(8)),
    "bytes of no tensor": _safetensors(GOOD, bytes(20)),
    "shape larger than its bytes": _safetensors({"a": _entry(0, 8, [3])}, bytes(8)),
    "shape that overflows": _safetensors({"a": _entry(0, 8, [2**62, 2**62, 4])}, bytes(8)),
    "negative shape": _safetensors({"a": _entry(0, 8, [-1, -2])}, bytes(8)),
    "shape of truths": _safetensors({"a": _entry(0, 8, [True, 2])}, bytes(8)),
    "shape of fractions": _safetensors({"a": _entry(0, 8, [2.0])}, bytes(8)),
    "fractional offsets": _safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0.0, 8.0]}}, bytes(8)),
    "three offsets": _safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 8]}}, bytes(8)),
    "no offsets": _safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": []}}, bytes(8)),
    "no dtype": _safetensors({"a": {"shape": [2], "data_offsets": [0, 8]}}, bytes(8)),
    "integers": _safetensors({"a": _entry(0, 8, dtype="I32")}, bytes(8)),
    "dtype is a list": _safetensors({"a": _entry(0, 8, dtype=["F32"])}, bytes(8)),
    "entry is a number": _safetensors({"a": 5}, bytes(8)),
}


@pytest.mark.parametrize("content", LYING.values(), ids=LYING.keys())
def test_a_header_that_lies_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UnsafeModelError, match=r"model\.safetensors"):
        SafetensorsFile(tmp_path / "model.safetensors")


@given(content=st.binary(max_size=64), header=st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=3))
def test_any_bytes_are_a_file_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, header: Any
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "model.safetensors"
    for written in (content, _safetensors(header, content)):
        path.write_bytes(written)
        with contextlib.suppress(UnsafeModelError):
            sizes = [int(np.prod(shape)) for shape in SafetensorsFile(path).shapes().values()]
            assert sum(sizes) <= len(content)


def test_the_plain_header_of_these_attacks_is_fine(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(_safetensors(GOOD, np.arange(4, dtype="<f4").tobytes()))
    tensors = dict(SafetensorsFile(tmp_path / "model.safetensors").tensors())
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {"a": [0, 1], "b": [2, 3]}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_no_number_is_refused_by_name(folder: Path, value: float) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors["layers.2.ffn_norm.weight"][5] = value
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(UnsafeModelError, match=r"layers\.2\.ffn_norm\.weight holds NaN"):
        open_checkpoint(folder).tensors()


# The hub's cache.


def _cached(cache: Path, source: Path, *, without: str = "") -> Path:
    """Lay `source` out as the hub's library caches it: links from the snapshot into blobs."""
    home = cache / "models--some-org--Tiny-ColBERT"
    snapshot = home / "snapshots" / REVISION
    (home / "blobs").mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(REVISION)
    for number, path in enumerate(sorted(path for path in source.rglob("*") if path.is_file())):
        name = path.relative_to(source)
        if name.as_posix() == without:
            continue
        blob = home / "blobs" / f"{number:064x}"
        blob.write_bytes(path.read_bytes())
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(os.path.relpath(blob, (snapshot / name).parent))
    return snapshot


@pytest.mark.torch
@pytest.mark.usefixtures("no_network")
def test_a_cached_hub_model_opens_without_a_network(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    snapshot = _cached(tmp_path / "cache", folder)
    found = local_folder(MODEL, cache=tmp_path / "cache")
    assert found.samefile(snapshot)
    assert open_checkpoint(found).fingerprint == open_checkpoint(folder).fingerprint


@pytest.mark.torch
@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("without", ["1_Dense/model.safetensors", "tokenizer.json"])
def test_half_a_download_is_no_model(folder: Path, tmp_path: Path, without: str, offline: bool) -> None:
    pytest.importorskip("huggingface_hub")
    _cached(tmp_path / "cache", folder, without=without)
    with pytest.raises(ModelUnavailableError):
        local_folder(MODEL, cache=tmp_path / "cache", offline=offline)


@pytest.mark.torch
@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("offline", [True, False])
def test_a_model_that_is_nowhere_is_unavailable(tmp_path: Path, offline: bool) -> None:
    pytest.importorskip("huggingface_hub")
    with pytest.raises(ModelUnavailableError, match="some-org/Tiny-ColBERT") as caught:
        local_folder(MODEL, cache=tmp_path / "cache", offline=offline)
    assert "FOLDER" in caught.value.help


@pytest.mark.torch
@pytest.mark.usefixtures("no_network")
def test_a_name_that_the_hub_does_not_allow_is_unavailable(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    with pytest.raises(ModelUnavailableError):
        local_folder(HubModel("some--org/..model", REVISION), cache=tmp_path / "cache")
