"""A BERT that reads texts of one length, in plain torch: a teacher needs no more, and no library beside torch.

Source: Devlin et al., 2019; tensor names are those of Hugging Face's `BertModel`, so a state dict loads as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

WORDS = "embeddings.word_embeddings.weight"


@dataclass(frozen=True, slots=True)
class BertConfig:
    """Shape of a BERT; the rest is in the shapes of its tensors."""

    num_hidden_layers: int
    num_attention_heads: int
    layer_norm_eps: float


class Bert:
    """Ids to last hidden states, without pooling."""

    def __init__(self, config: BertConfig, tensors: Mapping[str, Tensor]) -> None:
        """Take its tensors as they are, on their device."""
        self._config, self.tensors = config, tensors
        self.size = tensors[WORDS].shape[1]

    @torch.inference_mode()
    def __call__(self, ids: Tensor) -> Tensor:
        """``(B, T)`` int64, nothing padded → ``(B, T, size)``."""
        h = self._normed(self._embedded(ids), "embeddings.LayerNorm")
        for number in range(self._config.num_hidden_layers):
            h = self._layer(h, f"encoder.layer.{number}.")
        return h

    def words(self, ids: Tensor) -> Tensor:
        """Give the rows of pieces ``(n,)`` as they look without a place: ``(n, size)``, normalised as a text's are."""
        rows = self.tensors[WORDS][ids] + self.tensors["embeddings.token_type_embeddings.weight"][0]
        return self._normed(rows, "embeddings.LayerNorm")

    def _embedded(self, ids: Tensor) -> Tensor:
        places = self.tensors["embeddings.position_embeddings.weight"][: ids.shape[1]]
        return self.tensors[WORDS][ids] + places + self.tensors["embeddings.token_type_embeddings.weight"][0]

    def _layer(self, h: Tensor, name: str) -> Tensor:
        q, k, v = (self._heads(self._linear(h, f"{name}attention.self.{part}")) for part in ("query", "key", "value"))
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)  # (B, T, size)
        h = self._normed(h + self._linear(mixed, f"{name}attention.output.dense"), f"{name}attention.output.LayerNorm")
        wide = functional.gelu(self._linear(h, f"{name}intermediate.dense"))
        return self._normed(h + self._linear(wide, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self._config.num_attention_heads, -1).transpose(1, 2)  # (B, H, T, size / H)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def _normed(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias, self._config.layer_norm_eps)
