"""Fixtures that several folders of tests share."""

import functools
import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from eval.machine import Machine
from eval.report import Document, Example, LanguageShare, Report, Row, SystemKey, TaskKey

settings.register_profile("project", deadline=None)  # machines are shared: no test fails by the clock
settings.load_profile("project")

# Workers share the cores: threads that wait for each other there take many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # `lfm2_colbert.encoders.quiet_runtime` sets it for everybody else

SHARED = Path(__file__).resolve().parents[1].parent / "shared"

SENTENCES = [
    "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage, sagt die Personalabteilung.",
    "How many vacation days do new employees get in the first year? (See the handbook!)",
    "يحصل الموظفون الجدد على أربعة وعشرين يوما من الإجازة في السنة الأولى.",
    "新入社員は初年度に二十四日の休暇を取得できます。東京は日本の首都です。",
    "신입 사원은 첫 해에 24일의 휴가를 받습니다. 서울은 대한민국의 수도이다.",
    "La photosynthèse convertit la lumière en énergie chimique; c’est l’été à Orléans.",
    "พนักงานใหม่ได้รับวันหยุดพักร้อนยี่สิบสี่วันในปีแรก",
]
CONTROL_STRINGS = [
    "<|pad|>", "<|startoftext|>", "<|endoftext|>", "<|fim_pre|>",
    "<|fim_mid|>", "<|fim_suf|>", "<|im_start|>", "<|im_end|>",
]  # fmt: skip
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
]

CheckpointWriter = Callable[..., Path]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Real weights and other people's servers cannot be shipped: whoever has them may name their folders."""
    parser.addoption("--checkpoint", type=Path, help="folder of LFM2.5-ColBERT-350M, for the end-to-end reference")
    parser.addoption("--llama-cpp", type=Path, help="folder of llama.cpp's sources with build/bin/llama-server")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the repository; tests that need it skip without it."""
    if not SHARED.is_dir():
        pytest.skip("the reference material (../shared) is not beside the repository")
    return SHARED


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test at once if anything connects or resolves a name."""

    def refuse(*arguments: object) -> None:
        raise OSError(f"the network is off in this test: {arguments[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: refuse(None, *arguments))
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # a library that tries again need not wait


@pytest.fixture(scope="session")
def vocabularies() -> Mapping[str, str]:
    """Two tiny real vocabularies as ``tokenizer.json`` texts: byte-level "bpe" like LFM2's, "unigram" like nano's."""
    return {"bpe": _bpe(), "unigram": _unigram()}


@pytest.fixture(scope="session")
def write_checkpoint(vocabularies: Mapping[str, str]) -> CheckpointWriter:
    """Give the writer of small random checkpoints (`write`), in PyLate's layout and deterministic by seed."""

    def write(
        folder: Path,
        *,
        config: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        vocabulary: str = "bpe",
        prefix: str = "",
        dtype: str = "F32",
        seed: int = 0,
    ) -> Path:
        specification = vocabularies[vocabulary]
        full_config = _config(json.loads(specification)) | dict(config or {})
        (folder / "1_Dense").mkdir(parents=True)
        _write_json(folder / "config.json", full_config)
        _write_json(folder / "config_sentence_transformers.json", _settings() | dict(settings or {}))
        _write_json(folder / "modules.json", MODULES)
        _write_json(folder / "sentence_bert_config.json", {"max_seq_length": 31, "do_lower_case": False})
        dense = {"in_features": full_config["hidden_size"], "out_features": 16, "bias": False}
        _write_json(folder / "1_Dense" / "config.json", dense | {"activation_function": IDENTITY})
        (folder / "tokenizer.json").write_text(specification, encoding="utf-8")
        _write_weights(folder, full_config, prefix, dtype, np.random.default_rng(seed))
        return folder

    return write


@pytest.fixture(scope="session")
def write_foreign_checkpoint(write_checkpoint: CheckpointWriter) -> CheckpointWriter:
    """Give the writer of a causal checkpoint that sentence-transformers loads too (it has no bidirectional LFM2)."""

    def write(folder: Path) -> Path:
        config = {"architectures": ["Lfm2Model"], "full_attn_idxs": [1, 3]}
        write_checkpoint(folder, config=config, settings={"do_query_expansion": False})
        special = {"bos_token": "<|startoftext|>", "eos_token": "<|im_end|>", "pad_token": "<|pad|>"}
        _write_json(folder / "tokenizer_config.json", special | {"tokenizer_class": "PreTrainedTokenizerFast"})
        return folder

    return write


IDENTITY = "torch.nn.modules.linear.Identity"


def _config(specification: Mapping[str, Any]) -> dict[str, Any]:
    n_pieces = len(specification["model"]["vocab"])
    return {
        "architectures": ["Lfm2BidirectionalModel"],
        "model_type": "lfm2",
        "vocab_size": max(n_pieces, *(token["id"] + 1 for token in specification["added_tokens"])),
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "block_auto_adjust_ff_dim": False,
        "layer_types": ["conv", "full_attention", "conv", "full_attention"],
        "conv_L_cache": 3,
        "conv_bias": False,
        "norm_eps": 1e-5,
        "rope_theta": 10_000.0,
        "bos_token_id": 1,
        "eos_token_id": 7,
        "pad_token_id": 0,
    }


def _settings() -> dict[str, Any]:
    return {
        "model_type": "ColBERT",
        "query_prefix": "[Q] ",
        "document_prefix": "[D] ",
        "query_length": 16,
        "document_length": 32,
        "do_query_expansion": True,
        "attend_to_expansion_tokens": False,
        "skiplist_words": [",", ".", "!", "?"],
        "similarity_fn_name": "MaxSim",
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def _write_weights(
    folder: Path, config: Mapping[str, Any], prefix: str, dtype: str, generator: np.random.Generator
) -> None:
    from safetensors.numpy import save_file

    from lfm2_colbert.checkpoint import backbone_config, trunk_shapes

    stored = np.float16 if dtype == "F16" else np.float32

    def random(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        centre = 1.0 if len(shape) == 1 else 0.0  # gains of norms lie around 1
        spread = 0.5 if "embed_tokens" in name or "conv.conv" in name else 0.2
        return (centre + spread * generator.standard_normal(shape)).astype(stored)

    shapes = trunk_shapes(backbone_config(config, "synthetic"))
    trunk = {prefix + name: random(name, shape) for name, shape in shapes.items()}
    save_file(trunk, folder / "model.safetensors")
    dense = random("linear.weight", (16, config["hidden_size"]))
    save_file({"linear.weight": dense}, folder / "1_Dense" / "model.safetensors")


@functools.cache
def _bpe() -> str:
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    words = Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=480,
        special_tokens=CONTROL_STRINGS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A", special_tokens=[("<|startoftext|>", 1)]
    )
    tokenizer.add_tokens(["[Q] ", "[D] "])
    return str(tokenizer.to_str())


@functools.cache
def _unigram() -> str:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    control = ["<pad>", "<s>", "</s>", "<unk>", "<mask>", "[Q]", "[D]", "<extra>"]
    trainer = trainers.UnigramTrainer(vocab_size=320, special_tokens=control, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return str(tokenizer.to_str())


@pytest.fixture(scope="session")
def evaluation() -> Report:
    """A small evaluation: two systems of our own, words, exact scores; Arabic, German, Japanese; hostile texts."""
    arabic, crossed, back = (
        TaskKey("xquad", "monolingual", "ar", "ar"), TaskKey("xquad", "cross-lingual", "ar", "de"),
        TaskKey("xquad", "cross-lingual", "de", "ar"),
    )  # fmt: skip
    science = TaskKey("nanobeir", "scifact", "ja", "ja")
    hybrid, semantic = SystemKey("lfm2-colbert", "hybrid balanced"), SystemKey("lfm2-colbert", "semantic balanced")
    words, exact = SystemKey("bm25", "k1=0.9 b=0.4"), SystemKey("oracle", "fp32")
    values = {
        (arabic, words): (0.5, 0.0, 1.0), (arabic, hybrid): (1.0, 0.5, 1.0),
        (crossed, words): (0.0, 0.0, 0.0), (crossed, hybrid): (0.65, 0.0, 1.0),
        (back, words): (0.0, 0.25, 0.0), (back, hybrid): (0.5, 0.5, 0.0),
        (science, words): (0.4, 0.3, 0.2), (science, hybrid): (0.3, 0.6, 0.9),
        (science, semantic): (0.2, 0.2, 0.2), (science, exact): (0.3, 0.3, 0.9),
    }  # fmt: skip
    costs = {"search_ms_p50": 8.25, "disk_bytes_per_token": 136.2, "exact_difference": -0.004, "truncated": 1}
    rows = [
        Row(task, system, 3, 40, {"ndcg_at_10": sum(of) / 3} | (costs if system == hybrid else {}))
        for (task, system), of in values.items()
    ]
    rows[1].figures.update(ndcg_low=0.7031, ndcg_high=0.9462, encode_s=1234.56)  # type: ignore[attr-defined]
    found = (
        Document("<b>1</b>", "<script>alert('found')</script>", None),
        Document("d2", "IBM شركة أمريكية متعددة الجنسيات.", 0), Document("d3", "有給休暇は年20日です。", 2),
    )  # fmt: skip
    missed = (Document('"><img src=x onerror=alert(1)>', "</style></script>\x00\x1b[31m", 1),)
    query = "كم يوم إجازة يحصل عليها الموظفون الجدد في السنة الأولى من العمل في الشركة؟"
    return Report(
        commit="0123456789abcdef0123456789abcdef01234567",
        created="2026-11-26T08:00:00+00:00",
        command="lfm2-colbert eval xquad --encoder '<nano>'",
        machine=Machine("a <fast> processor", 2, 24, ("avx2",)),
        versions={"numpy": "2.4.6"},
        seed=7,
        config={"model": "nano", "modes": ["hybrid", "semantic"]},
        rows=tuple(rows),
        cleaned={arabic: {"empty documents": 2}, science: {"empty documents": 1}},
        revisions={"xquad": "local", "nanobeir": f"LiquidAI/nanobeir-multilingual-extended@{'8a' * 20}"},
        warnings=("one passage was <cut>",),
        per_query={
            key: {"ndcg_at_10": {f"q{i}": value for i, value in enumerate(of)}} for key, of in values.items()
        },
        examples=(
            Example(arabic, hybrid, "q0<", query, 0.0, words, 0.63, found, missed),
            Example(science, hybrid, "q1", "Was ist das?", 0.3, None, None, (), ()),
        ),
        language_bias=(
            LanguageShare("xquad", "hybrid balanced", "ar", "ar", 3, 0.9, 0.85, 0.95, 0.5),
            LanguageShare("xquad", "hybrid balanced", "ar", "de", 3, 0.1, 0.05, 0.15, 0.5),
            LanguageShare("xquad", "hybrid balanced", "de", "de", 3, 1.0, 1.0, 1.0, 0.5),
        ),
    )  # fmt: skip
