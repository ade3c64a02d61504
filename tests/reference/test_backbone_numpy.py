"""The backbone against a second writing of its equations in NumPy, and the laws that batching must keep."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from lfm2_colbert.checkpoint import Checkpoint, backbone_config, open_checkpoint, trunk_shapes
from lfm2_colbert.config import BackboneConfig
from lfm2_colbert.errors import UnsafeModelError

pytestmark = pytest.mark.torch

torch = pytest.importorskip("torch")

from lfm2_colbert.backbone import Masks  # noqa: E402
from lfm2_colbert.model import ColBERTModel  # noqa: E402

Array = NDArray[np.float64]
Weights = Mapping[str, Array]
CAUSAL = {"architectures": ["Lfm2Model"]}


def test_causal_states_equal_the_equations(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    _assert_equal_to_equations(open_checkpoint(write_checkpoint(tmp_path / "model", config=CAUSAL)))


def test_bidirectional_states_equal_the_equations(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    _assert_equal_to_equations(open_checkpoint(write_checkpoint(tmp_path / "model")))


def test_expansion_is_read_by_the_convolution_and_not_by_attention(
    tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    checkpoint = open_checkpoint(write_checkpoint(tmp_path / "model"))
    ids = np.array([1, 40, 50, 60, 7, 7, 7])
    _assert_equal_to_equations(checkpoint, ids, attended=np.array([True] * 4 + [False] * 3))


@pytest.fixture(scope="module", params=["causal", "bidirectional"])
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, write_checkpoint: Callable[..., Path]
) -> ColBERTModel:
    config = CAUSAL if request.param == "causal" else {}
    return _model(open_checkpoint(write_checkpoint(tmp_path_factory.mktemp("batches") / "model", config=config)))


@hypothesis_settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 21), min_size=1, max_size=6),
    expansion=st.integers(0, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_text_alone_gives_what_it_gives_in_any_batch(
    model: ColBERTModel, lengths: list[int], expansion: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    longest = max(lengths)
    ids = torch.from_numpy(generator.integers(0, 480, (len(lengths), longest)))  # padding holds any ids
    positions = torch.arange(longest)
    present = positions < torch.tensor(lengths)[:, None]
    attended = positions < torch.tensor([max(1, n - expansion) for n in lengths])[:, None]
    together = model(ids, Masks(present, attended))
    for row, n in enumerate(lengths):
        one = slice(row, row + 1)
        alone = model(ids[one, :n], Masks(present[one, :n], attended[one, :n]))
        torch.testing.assert_close(together[row, :n], alone[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("prefix", ["model.", "lfm2.", ""])
def test_all_published_prefixes_load_the_same_weights(
    tmp_path: Path, write_checkpoint: Callable[..., Path], prefix: str
) -> None:
    plain = open_checkpoint(write_checkpoint(tmp_path / "plain")).tensors()
    named = open_checkpoint(write_checkpoint(tmp_path / "named", prefix=prefix)).tensors()
    assert named.keys() == plain.keys()
    assert all(np.array_equal(named[name], plain[name]) for name in plain)


@pytest.mark.parametrize("prefix", ["model.", ""])
@pytest.mark.parametrize("name", ["layers.1.self_attn.k_layernorm.weight", "embedding_norm.weight"])
def test_a_missing_tensor_is_refused_by_name(
    tmp_path: Path, write_checkpoint: Callable[..., Path], prefix: str, name: str
) -> None:
    folder = write_checkpoint(tmp_path / "model", prefix=prefix)
    _rewrite(folder, lambda tensors: tensors.pop(prefix + name))
    with pytest.raises(UnsafeModelError, match=f"{prefix}{name} is missing"):
        open_checkpoint(folder)


@pytest.mark.parametrize("name", ["model.layers.0.conv.bias", "lm_head.weight", "layers.0.ffn_norm.weight"])
def test_an_unknown_tensor_is_refused_by_name(tmp_path: Path, write_checkpoint: Callable[..., Path], name: str) -> None:
    folder = write_checkpoint(tmp_path / "model", prefix="model.")
    _rewrite(folder, lambda tensors: tensors.update({name: np.ones(32, np.float32)}))
    with pytest.raises(UnsafeModelError, match=f"{name} is unknown"):
        open_checkpoint(folder)


def test_a_misshapen_tensor_is_refused_by_name(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    folder = write_checkpoint(tmp_path / "model")
    _rewrite(folder, lambda tensors: tensors.update({"layers.0.conv.conv.weight": np.ones((32, 3), np.float32)}))
    with pytest.raises(UnsafeModelError, match=r"layers\.0\.conv\.conv\.weight has shape \(32, 3\)"):
        open_checkpoint(folder)


def test_the_model_has_the_tensors_that_the_checkpoint_promises(
    tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    checkpoint = open_checkpoint(write_checkpoint(tmp_path / "model"))
    promised = {f"backbone.{name}": shape for name, shape in trunk_shapes(checkpoint.backbone).items()}
    state = ColBERTModel(checkpoint.backbone, checkpoint.dim).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == promised | {
        "projection.weight": (checkpoint.dim, checkpoint.backbone.hidden_size)
    }


def test_indices_of_attention_layers_stand_for_layer_types() -> None:
    sizes = {"model_type": "lfm2", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 3, "conv_L_cache": 3}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 8}
    parsed = backbone_config(sizes | heads | {"full_attn_idxs": [0, 2]}, "indexed")
    assert parsed.layer_types == ("full_attention", "conv", "full_attention")


def _rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def _model(checkpoint: Checkpoint) -> ColBERTModel:
    tensors = {name: torch.from_numpy(tensor) for name, tensor in checkpoint.tensors().items()}
    return ColBERTModel.from_tensors(checkpoint.backbone, checkpoint.dim, tensors)


def _assert_equal_to_equations(
    checkpoint: Checkpoint, ids: NDArray[np.int64] | None = None, attended: NDArray[np.bool_] | None = None
) -> None:
    ids = np.random.default_rng(3).integers(0, 480, 19) if ids is None else ids
    attended = np.ones(len(ids), np.bool_) if attended is None else attended
    weights = {name: tensor.astype(np.float64) for name, tensor in checkpoint.tensors().items()}
    expected = _vectors(weights, checkpoint.backbone, ids, attended)
    masks = Masks(torch.ones(1, len(ids), dtype=torch.bool), torch.from_numpy(attended)[None])
    found = _model(checkpoint)(torch.from_numpy(ids)[None], masks)[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


# What follows is the truth: one text, in float64, loops where the equations have indices.


def _vectors(w: Weights, config: BackboneConfig, ids: NDArray[np.int64], attended: NDArray[np.bool_]) -> Array:
    h = w["backbone.embed_tokens.weight"][ids]
    for i, kind in enumerate(config.layer_types):
        name = f"backbone.layers.{i}."
        u = _norm(h, w[name + "operator_norm.weight"], config.norm_eps)
        h = h + (_conv(w, name, config, u) if kind == "conv" else _attention(w, name, config, u, attended))
        u = _norm(h, w[name + "ffn_norm.weight"], config.norm_eps)
        gate = u @ w[name + "feed_forward.w1.weight"].T
        wide = gate / (1 + np.exp(-gate)) * (u @ w[name + "feed_forward.w3.weight"].T)
        h = h + wide @ w[name + "feed_forward.w2.weight"].T
    out = _norm(h, w["backbone.embedding_norm.weight"], config.norm_eps) @ w["projection.weight"].T
    return out / np.linalg.norm(out, axis=1, keepdims=True)


def _norm(x: Array, gain: Array, eps: float) -> Array:
    return gain * x / np.sqrt((x**2).mean(-1, keepdims=True) + eps)


def _conv(w: Weights, name: str, config: BackboneConfig, u: Array) -> Array:
    b, c, x = np.split(u @ w[name + "conv.in_proj.weight"].T, 3, axis=1)
    y, taps = b * x, w[name + "conv.conv.weight"][:, 0]
    z = np.zeros_like(y)
    reach = config.conv_kernel // 2 if config.bidirectional else config.conv_kernel - 1
    for t in range(len(y)):
        for j in range(config.conv_kernel):
            if 0 <= t - reach + j < len(y):
                z[t] += taps[:, j] * y[t - reach + j]
    return (c * z) @ w[name + "conv.out_proj.weight"].T


def _attention(w: Weights, name: str, config: BackboneConfig, u: Array, attended: NDArray[np.bool_]) -> Array:
    e, n_shared = config.head_dim, config.n_heads // config.n_kv_heads
    q, k, v = (u @ w[f"{name}self_attn.{which}_proj.weight"].T for which in "qkv")
    heads = []
    for head in range(config.n_heads):
        group = head // n_shared
        query = _turn(
            _norm(q[:, head * e : (head + 1) * e], w[name + "self_attn.q_layernorm.weight"], config.norm_eps), config
        )
        key = _turn(
            _norm(k[:, group * e : (group + 1) * e], w[name + "self_attn.k_layernorm.weight"], config.norm_eps), config
        )
        scores = query @ key.T / np.sqrt(e)
        scores[:, ~attended] = -np.inf
        if not config.bidirectional:
            scores[np.triu_indices(len(u), 1)] = -np.inf
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        heads.append(odds / odds.sum(axis=1, keepdims=True) @ v[:, group * e : (group + 1) * e])
    return np.concatenate(heads, axis=1) @ w[name + "self_attn.out_proj.weight"].T


def _turn(x: Array, config: BackboneConfig) -> Array:
    """Rotate the pair ``(x_i, x_{i + e/2})`` of position t by ``t · θ^(−2i/e)``."""
    half = config.head_dim // 2
    turned = np.empty_like(x)
    for t in range(len(x)):
        for i in range(half):
            angle = t * config.rope_theta ** (-2 * i / config.head_dim)
            a, b = x[t, i], x[t, i + half]
            turned[t, i], turned[t, i + half] = (
                a * np.cos(angle) - b * np.sin(angle),
                b * np.cos(angle) + a * np.sin(angle),
            )
    return turned
