"""Language models of the LFM2 family that write in this process."""

WRITERS = {"transformers": "lfm2_colbert.generators.transformers:TransformersWriter"}
"""Name → what runs a model; loaded on use, with the torch extra."""
