"""Text in, token vectors out: late-interaction encoders on the LFM2 hybrid backbone.

Names are loaded on first use, so that importing this package costs nothing.
"""

from typing import TYPE_CHECKING

from lfm2_colbert.registry import attributes_on_use

if TYPE_CHECKING:
    from lfm2_colbert.encoders.base import Encoder as Encoder
    from lfm2_colbert.encoders.loading import load_encoder as load_encoder
    from lfm2_colbert.multivectors import MultiVectors as MultiVectors

__all__ = ["Encoder", "MultiVectors", "load_encoder"]

__getattr__ = attributes_on_use(
    __name__,
    {
        "Encoder": "lfm2_colbert.encoders.base",
        "MultiVectors": "lfm2_colbert.multivectors",
        "load_encoder": "lfm2_colbert.encoders.loading",
    },
)
