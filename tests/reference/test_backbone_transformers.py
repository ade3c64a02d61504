"""The causal backbone is transformers' `Lfm2Model`, state for state; published sizes come out as published."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from lfm2_colbert.backbone import Backbone, Masks  # noqa: E402
from lfm2_colbert.checkpoint import backbone_config, feed_forward_size, trunk_shapes  # noqa: E402
from lfm2_colbert.errors import UnsafeModelError  # noqa: E402

PATTERN_350M = [
    "full_attention" if i in {2, 5, 8, 10, 12, 14} else "conv" for i in range(16)
]  # fmt: skip
TINY = {
    "vocab_size": 97,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 40,
}
SHAPES = {
    "convolutions alone": {"layer_types": ["conv", "conv", "conv"]},
    "attention alone": {"layer_types": ["full_attention", "full_attention"]},
    "one key head for all": {"layer_types": ["conv", "full_attention"], "num_key_value_heads": 1},
    "a key head each": {"layer_types": ["full_attention", "conv"], "num_key_value_heads": 4},
    "adjusted feed-forward": {
        "layer_types": ["conv", "full_attention"],
        "intermediate_size": 96,
        "block_auto_adjust_ff_dim": True,
        "block_multiple_of": 8,
    },
    "four taps": {"layer_types": ["conv", "full_attention"], "conv_L_cache": 4},
    "350M pattern, narrow": {"layer_types": PATTERN_350M, "hidden_size": 64, "intermediate_size": 96},
}
WIDE = {
    "layer_types": PATTERN_350M,
    "hidden_size": 1024,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "intermediate_size": 6656,
    "block_auto_adjust_ff_dim": True,
}


def _differences(changes: dict[str, Any], *, spread: float) -> float:
    values = TINY | {"block_auto_adjust_ff_dim": False, "block_multiple_of": 256} | changes
    values["num_hidden_layers"] = len(values["layer_types"])
    theirs_config = transformers.Lfm2Config(
        **values, rope_parameters={"rope_type": "default", "rope_theta": 1e6}, attn_implementation="eager"
    )
    torch.manual_seed(7)
    theirs = transformers.Lfm2Model(theirs_config).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.3 if "norm" in name else spread)
        ours = Backbone(backbone_config(theirs_config.to_dict(), "random")).eval()
        ours.load_state_dict(theirs.state_dict(), strict=True)
        ids = torch.randint(0, values["vocab_size"], (3, 23))
        mask = torch.arange(23) < torch.tensor([23, 9, 1])[:, None]
        expected = theirs(input_ids=ids, attention_mask=mask.long(), use_cache=False).last_hidden_state
        found = ours(ids, Masks(mask, mask))
    return float((expected - found)[mask].abs().max())


@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES.keys())
def test_causal_states_are_those_of_transformers(changes: dict[str, Any]) -> None:
    assert _differences(changes, spread=0.1) <= 1e-5


@pytest.mark.slow
def test_causal_states_at_the_width_of_350m_are_those_of_transformers() -> None:
    assert _differences(WIDE, spread=0.02) <= 3e-5  # sums over 4608 products round further than those of tiny models


@pytest.mark.parametrize(
    ("config", "effective"),
    [
        ({"block_ff_dim": 6656, "intermediate_size": 1, "block_auto_adjust_ff_dim": True}, 4608),  # 350M
        ({"intermediate_size": 10_240, "block_auto_adjust_ff_dim": True}, 6912),  # 700M
        ({"intermediate_size": 12_288, "block_auto_adjust_ff_dim": True}, 8192),  # 1.2B
        ({"intermediate_size": 10_752, "block_auto_adjust_ff_dim": False}, 10_752),  # 2.6B
        ({"intermediate_size": 2560, "block_auto_adjust_ff_dim": False}, 2560),  # Encoder-230M
        ({"intermediate_size": 6656, "block_ffn_dim_multiplier": 1.5, "block_multiple_of": 100}, 6700),  # 4437 · 1.5
    ],
)
def test_feed_forward_widths_are_the_published_ones(config: dict[str, Any], effective: int) -> None:
    assert feed_forward_size(config) == effective


@pytest.mark.parametrize(
    ("hidden", "attention", "n_layers", "heads", "feed_forward", "adjusts", "vocabulary", "parameters"),
    [
        (1024, {2, 5, 8, 10, 12, 14}, 16, 16, 6656, True, 65_536, 354_483_968),
        (1024, {2, 5, 8, 10, 12, 14}, 16, 16, 6656, True, 64_402, 353_322_752),
        (1536, {2, 5, 8, 10, 12, 14}, 16, 24, 10_240, True, 65_536, 742_489_344),
        (2048, {2, 5, 8, 10, 12, 14}, 16, 32, 12_288, True, 65_536, 1_170_340_608),
        (2048, {2, 5, 9, 13, 17, 21, 24, 27}, 30, 32, 10_752, False, 65_536, 2_569_272_320),
        (1024, {2, 4, 6, 8, 10, 12}, 14, 16, 2560, False, 65_536, None),
    ],
)
def test_dense_models_parse_to_their_published_sizes(
    hidden: int, attention: set[int], n_layers: int, heads: int, feed_forward: int, adjusts: bool, vocabulary: int,
    parameters: int | None,
) -> None:  # fmt: skip
    config = {
        "model_type": "lfm2",
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "num_hidden_layers": n_layers,
        "full_attn_idxs": sorted(attention),
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "intermediate_size": feed_forward,
        "block_auto_adjust_ff_dim": adjusts,
        "conv_L_cache": 3,
        "rope_theta": 1e6,
    }
    parsed = backbone_config(config, "published")
    assert parsed.head_dim == 64
    assert not parsed.bidirectional
    assert {i for i, kind in enumerate(parsed.layer_types) if kind == "full_attention"} == attention
    assert parameters in (None, _count(trunk_shapes(parsed)))


@pytest.mark.shared
def test_the_published_config_of_lfm25_colbert_is_bidirectional_and_has_its_parameters(shared: Path) -> None:
    config = json.loads((shared / "fixtures" / "lfm25" / "LFM2.5-ColBERT-350M.config.json").read_bytes())
    parsed = backbone_config(config, "LFM2.5-ColBERT-350M")
    assert parsed.bidirectional
    assert parsed.rope_theta == 1e6
    assert _count(trunk_shapes(parsed)) == 353_322_752


def test_mixtures_of_experts_are_refused_by_that_name() -> None:
    with pytest.raises(UnsafeModelError, match="mixture-of-experts"):
        backbone_config({"model_type": "lfm2_moe"}, "LFM2-8B-A1B")


def _count(shapes: dict[str, tuple[int, ...]]) -> int:
    return sum(int(torch.Size(shape).numel()) for shape in shapes.values())
