"""How vectors are stored: one file and one line here for each codec. Each entry is a class made from a `Frame`."""

CODECS = {
    "float16": "index.codecs.float16:Float16",
    "scalar4": "index.codecs.scalar:Scalar4",
    "scalar4-coarse": "index.codecs.scalar:Scalar4Coarse",
    "scalar2": "index.codecs.scalar:Scalar2",
}
