"""The LFM2 hybrid: gated short convolutions and grouped-query attention, causal or bidirectional.

Source: LFM2 technical report (Liquid AI, 2025), section 2; tensor names are those of the released checkpoints, so a
state dict loads without renaming (but for the prefix, see `checkpoint.py`). The final norm is the one called
`embedding_norm`. In shapes, B is texts, T positions, d the hidden size, H query heads, G key-value heads, e a head.

Two masks, since they differ for query expansion: the convolution sees expansion tokens, attention does not.
Right padding only; with both masks set, a text's states do not depend on what else is in the batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lfm2_colbert.config import BackboneConfig


@dataclass(frozen=True, slots=True)
class Masks:
    """Which positions take part; both ``(B, T)`` bool.

    Attributes:
        present: False on padding. The convolution reads zeros there, as it does beyond the ends of a text.
        attended: False where no position may attend to: padding, and query expansion.
    """

    present: Tensor
    attended: Tensor


class RMSNorm(nn.Module):
    """``g · x / sqrt(mean(x²) + eps)``, statistics in float32."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * scaled.type_as(x)


class ShortConvolution(nn.Module):
    """Gated depthwise convolution: ``W_out(C ⊙ conv(B ⊙ x))`` with ``[B; C; x] = W_in u``."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.in_proj = nn.Linear(size, 3 * size, bias=False)
        self.conv = nn.Conv1d(size, size, config.conv_kernel, groups=size, bias=False)  # holds the taps, (d, 1, k)
        self.out_proj = nn.Linear(size, size, bias=False)
        self.kernel = config.conv_kernel
        self.left = config.conv_kernel // 2 if config.bidirectional else config.conv_kernel - 1

    def forward(self, u: Tensor, present: Tensor) -> Tensor:
        """``(B, T, d)`` → ``(B, T, d)``; positions not `present` enter the convolution as zeros."""
        gate, out_gate, x = self.in_proj(u).chunk(3, dim=-1)  # each (B, T, d); this order: B, C, x
        y = gate * x * present[..., None].type_as(x)
        return self.out_proj(out_gate * self._convolve(y))  # type: ignore[no-any-return]

    def _convolve(self, y: Tensor) -> Tensor:
        # Shifted multiply-adds: a grouped Conv1d of three taps is many times slower on a CPU.
        n = y.shape[1]
        padded = functional.pad(y, (0, 0, self.left, self.kernel - 1 - self.left))  # (B, T + k - 1, d)
        taps = self.conv.weight[:, 0].unbind(-1)  # k tensors of (d,)
        total = padded[:, 0:n] * taps[0]
        for j in range(1, self.kernel):
            total = total + padded[:, j : j + n] * taps[j]
        return total


class Attention(nn.Module):
    """Grouped-query attention with RMS-normalised queries and keys and rotary positions."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        size, self.head_dim = config.hidden_size, config.head_dim
        self.n_heads, self.n_kv_heads = config.n_heads, config.n_kv_heads
        self.q_proj = nn.Linear(size, self.n_heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(size, self.n_kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(size, self.n_kv_heads * self.head_dim, bias=False)
        self.out_proj = nn.Linear(self.n_heads * self.head_dim, size, bias=False)
        self.q_layernorm = RMSNorm(self.head_dim, config.norm_eps)
        self.k_layernorm = RMSNorm(self.head_dim, config.norm_eps)

    def forward(self, u: Tensor, rotation: tuple[Tensor, Tensor], allowed: Tensor) -> Tensor:
        """``(B, T, d)`` → ``(B, T, d)``; `allowed` is ``(B, 1, T, T)`` bool, query by key."""
        q = self.q_layernorm(self._split(self.q_proj(u), self.n_heads))  # (B, H, T, e)
        k = self.k_layernorm(self._split(self.k_proj(u), self.n_kv_heads))  # (B, G, T, e)
        v = self._split(self.v_proj(u), self.n_kv_heads)  # (B, G, T, e)
        q, k = rotate(q, rotation), rotate(k, rotation)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed, enable_gqa=True)  # (B, H, T, e)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _split(self, x: Tensor, n_heads: int) -> Tensor:
        batch, n, _ = x.shape
        return x.view(batch, n, n_heads, self.head_dim).transpose(1, 2)


class FeedForward(nn.Module):
    """SwiGLU: ``W2(silu(W1 u) ⊙ W3 u)``."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.w1 = nn.Linear(config.hidden_size, config.feed_forward_size, bias=False)
        self.w2 = nn.Linear(config.feed_forward_size, config.hidden_size, bias=False)
        self.w3 = nn.Linear(config.hidden_size, config.feed_forward_size, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        """``(B, T, d)`` → ``(B, T, d)``."""
        return self.w2(functional.silu(self.w1(u)) * self.w3(u))  # type: ignore[no-any-return]


class Layer(nn.Module):
    """One residual block: an operator (convolution or attention), then a feed-forward, each after its norm."""

    def __init__(self, config: BackboneConfig, kind: str) -> None:
        super().__init__()
        self.operator_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.ffn_norm = RMSNorm(config.hidden_size, config.norm_eps)
        self.feed_forward = FeedForward(config)
        if kind == "conv":
            self.conv = ShortConvolution(config)
        else:
            self.self_attn = Attention(config)
        self.is_conv = kind == "conv"

    def forward(self, h: Tensor, rotation: tuple[Tensor, Tensor], present: Tensor, allowed: Tensor) -> Tensor:
        """``(B, T, d)`` → ``(B, T, d)``."""
        u = self.operator_norm(h)
        h = h + (self.conv(u, present) if self.is_conv else self.self_attn(u, rotation, allowed))
        return h + self.feed_forward(self.ffn_norm(h))  # type: ignore[no-any-return]


class Backbone(nn.Module):
    """Token ids to hidden states."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, kind) for kind in config.layer_types)
        self.embedding_norm = RMSNorm(config.hidden_size, config.norm_eps)

    def forward(self, ids: Tensor, masks: Masks) -> Tensor:
        """``(B, T)`` int64 → ``(B, T, d)``; states of absent positions are meaningless."""
        n = ids.shape[1]
        allowed = masks.attended[:, None, None, :].expand(-1, 1, n, n)
        if not self.config.bidirectional:
            allowed = allowed & torch.ones(n, n, dtype=torch.bool, device=ids.device).tril()
        # A padding row with no key would give NaN: every position may attend to itself where it is absent.
        allowed = allowed | (torch.eye(n, dtype=torch.bool, device=ids.device) & ~masks.present[:, None, :, None])
        h = self.embed_tokens(ids)  # (B, T, d), neither scaled nor normalised
        rotation = rotary(n, self.config.head_dim, self.config.rope_theta, h)
        for layer in self.layers:
            h = layer(h, rotation, masks.present, allowed)
        return self.embedding_norm(h)  # type: ignore[no-any-return]


def rotary(n: int, head_dim: int, theta: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines ``(n, head_dim)`` of the rotate-half rotary embedding (RoFormer, equation 34)."""
    exponents = torch.arange(0, head_dim, 2, device=like.device, dtype=torch.float32) / head_dim
    angles = torch.arange(n, device=like.device, dtype=torch.float32)[:, None] * theta**-exponents  # (n, e/2)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Turn ``(B, heads, T, e)`` by its positions."""
    cosines, sines = rotation
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat([-second, first], dim=-1) * sines
