"""Make the bundled encoder's files from a trained checkpoint: `python recipes/bundle_nano.py CHECKPOINT`.

The int8 export is deterministic: the same checkpoint gives the same bytes, so a fingerprint can be checked against it.
"""

import sys
from pathlib import Path

from lfm2_colbert.encoders.loading import BUNDLED, NANO
from lfm2_colbert.export.onnx import Precision, export_folder

if __name__ == "__main__":
    export_folder(Path(sys.argv[1]), BUNDLED, NANO, Precision.INT8, licence="Apache-2.0")
