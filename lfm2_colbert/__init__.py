"""Text in, token vectors out: late-interaction encoders on the LFM2 hybrid backbone.

Names are loaded on first use, so that importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lfm2_colbert.encoders.base import Encoder as Encoder
    from lfm2_colbert.encoders.loading import load_encoder as load_encoder
    from lfm2_colbert.multivectors import MultiVectors as MultiVectors

__all__ = ["Encoder", "MultiVectors", "load_encoder"]

_HOMES = {
    "Encoder": "lfm2_colbert.encoders.base",
    "MultiVectors": "lfm2_colbert.multivectors",
    "load_encoder": "lfm2_colbert.encoders.loading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lfm2_colbert' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
