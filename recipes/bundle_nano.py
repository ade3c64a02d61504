"""Make the bundled encoder's files from a trained checkpoint: `python recipes/bundle_nano.py CHECKPOINT`.

The int8 export is deterministic: the same checkpoint gives the same bytes, so a fingerprint can be checked against it.
The mean of its token vectors, which codecs take off, is measured on the example documents.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from index.reading import read
from index.reading.base import ReadOptions, SourceFile
from index.reading.scan import scan
from index.types import Document
from lfm2_colbert.config import to_json
from lfm2_colbert.encoders.base import LoadOptions
from lfm2_colbert.encoders.loading import BUNDLED, NANO, load_encoder
from lfm2_colbert.encoders.onnx import CONFIG_FILE, load_onnx, read_encoder_config
from lfm2_colbert.export.onnx import Precision, export_folder

EXAMPLES = Path(__file__).parents[1] / "examples" / "documents"
REFERENCE = Path(__file__).parents[1] / "tests" / "golden" / "nano"
TEXTS = {
    "queries": ["Wie groß ist Tokio?", "東京の人口は？", "ما عاصمة اليابان؟", "capital of Korea 🇰🇷", ""],
    "documents": [
        "東京は日本の首都であり、世界でも有数の人口を持つ都市です。",
        "서울은 대한민국의 수도이자 최대 도시이다.",
        "طوكيو عاصمة اليابان، وهي أكبر مدنها.",
        "Tokio ist die Hauptstadt Japans. " * 40,
        "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
        "北京是中华人民共和国的首都。",
    ],
}
EVERY = 4
DIGITS = 6


def mean_on_examples() -> tuple[float, ...]:
    """Encode the beginnings of every fourth example, so that all languages have a part in the mean."""
    files = [entry for entry in scan(EXAMPLES) if isinstance(entry, SourceFile)]
    documents = [d for file in files for d in read(file, ReadOptions()) if isinstance(d, Document)]
    vectors = load_onnx(str(BUNDLED), LoadOptions()).encode_documents([d.text for d in documents[::EVERY]]).vectors
    mean = vectors.mean(axis=0, dtype=np.float64)
    return tuple(round(float(x), DIGITS) for x in mean)


def write_reference(checkpoint: Path) -> None:
    """Keep the vectors that the checkpoint's own floats give, for a test of what was made of them."""
    encoder = load_encoder(str(checkpoint), device="cpu")
    found = {}
    for kind, encode in (("queries", encoder.encode_queries), ("documents", encoder.encode_documents)):
        vectors = encode(TEXTS[kind])
        found |= {f"{kind}.{n}": np.asarray(vectors[n], np.float16) for n in range(len(TEXTS[kind]))}
    REFERENCE.mkdir(parents=True, exist_ok=True)
    save_file(found, REFERENCE / "vectors.safetensors")
    (REFERENCE / "texts.json").write_text(json.dumps(TEXTS, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_reference(Path(sys.argv[1]))
    export_folder(Path(sys.argv[1]), BUNDLED, NANO, Precision.INT8, licence="Apache-2.0")
    config = replace(read_encoder_config(BUNDLED), mean=mean_on_examples())
    (BUNDLED / CONFIG_FILE).write_text(to_json(config) + "\n", encoding="utf-8")
