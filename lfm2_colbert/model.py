"""Backbone, projection and normalisation: ids to unit-norm token vectors, in torch."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from lfm2_colbert.backbone import Backbone, Masks
from lfm2_colbert.config import BackboneConfig


class ColBERTModel(nn.Module):
    """An LFM2-ColBERT encoder: ``v = W h / |W h|`` for every position (ColBERT, section 3.2)."""

    def __init__(self, config: BackboneConfig, dim: int) -> None:
        super().__init__()
        self.backbone = Backbone(config)
        self.projection = nn.Linear(config.hidden_size, dim, bias=False)

    def forward(self, ids: Tensor, masks: Masks) -> Tensor:
        """``(B, T)`` int64 → ``(B, T, dim)``, unit norm in float32."""
        projected = self.projection(self.backbone(ids, masks))
        return functional.normalize(projected.float(), dim=-1)

    @classmethod
    def from_tensors(cls, config: BackboneConfig, dim: int, tensors: dict[str, Tensor]) -> "ColBERTModel":
        """Build a model in evaluation mode from tensors under this class's names.

        Raises:
            RuntimeError: a name or shape differs (torch's strict loading; checkpoints are validated before).
        """
        with torch.device("meta"):
            model = cls(config, dim)
        model.load_state_dict(tensors, strict=True, assign=True)
        return model.eval().requires_grad_(False)
