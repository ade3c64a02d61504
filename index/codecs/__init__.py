"""How token vectors are kept on disk; one file and one line here for each way.

Each entry is a class made without arguments: what a codec must remember travels in its arrays.
"""

CODECS = {
    "float16": "index.codecs.float16:Float16",
}
