"""Encoders: text in, token vectors out."""

DEVICES = ("auto", "cpu", "openvino", "cuda")
"""Where an encoder may be told to run; this module is all that one loads to know."""

ENCODERS = {
    "onnx": "lfm2_colbert.encoders.onnx:load_onnx",
    "openvino": "lfm2_colbert.encoders.openvino:load_openvino",
    "torch": "lfm2_colbert.encoders.torch:load_torch",
    "sentence-transformers": "lfm2_colbert.encoders.sentence_transformers:load_sentence_transformers",
    "hashing": "lfm2_colbert.encoders.hashing:load_hashing",
}
"""Ways to run an encoder → its loader, ``(location, LoadOptions) → Encoder``."""
