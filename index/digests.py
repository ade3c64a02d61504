"""Fingerprints of rows and texts: what a store compares with when it reads, and adds up in `sums` when it writes."""

from collections.abc import Sequence

import xxhash

from index.schema import SUM_MASK

Value = int | float | str | bytes | None
"""What SQLite stores."""


def row_hash(*values: Value) -> int:
    """Hash the columns of a row, 62 bits of xxh3_64: each as a letter for its type, its length and its bytes."""
    return xxhash.xxh3_64_intdigest(b"".join(map(_tagged, values))) & SUM_MASK


def content_digest(document_id: str, content: bytes) -> bytes:
    """Give xxh3_128 of a document's id and its text or metadata, joined by NUL, which ids never hold."""
    digest = xxhash.xxh3_128(document_id.encode())
    digest.update(b"\0")
    digest.update(content)
    return digest.digest()


def sum_of(hashes: Sequence[int]) -> int:
    """Add hashes as `sums` does."""
    return sum(hashes) & SUM_MASK


def _tagged(value: Value) -> bytes:
    if value is None:
        return b"n"
    if isinstance(value, int):
        return b"i%d;" % value
    if isinstance(value, float):
        return b"f" + value.hex().encode() + b";"
    content = value.encode() if isinstance(value, str) else value
    return b"%c%d:%b" % (b"s" if isinstance(value, str) else b"b", len(content), content)
