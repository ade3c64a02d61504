"""Documents as requests bring them: what each must be, judged one by one, so that one bad one spoils no other."""

import unicodedata
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from index.types import Anchor, Document, Failure
from service.http.refusals import Refusal
from service.http.schemas import DocumentBody
from service.http.strict_json import parse

MAX_ID_BYTES = 512
MAX_METADATA_KEYS = 64
MAX_METADATA_DEPTH = 4
MAX_METADATA_CHARACTERS = 64 * 1024
FIELDS = frozenset({"id", "text", "metadata", "anchors"})


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a stream, or a document of a body: a document, or why it is none; `number` counts from 1."""

    number: int
    content: Document | Failure


def document_of(body: DocumentBody, most_bytes: int) -> Document | Failure:
    """Give the document, or say why it cannot be stored."""
    anchors = tuple(Anchor(each.start, each.place) for each in body.anchors)
    return judged(Document(body.id, body.text, body.metadata, anchors), most_bytes)


async def lines_of(pieces: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[Line]:
    """Read documents from lines of JSON; empty lines are passed over, and a line that is too long is not kept.

    Raises:
        Refusal: the body is too large or too slow (`service.http.bodies.pieces_of`).
    """
    number = 0
    async for line in _split(pieces, most_bytes):
        number += 1
        if line is None:
            yield Line(number, Failure("", "document_too_large", f"a line has more than {most_bytes} bytes"))
        elif line.strip():
            yield Line(number, _document_in(line, most_bytes))


async def _split(pieces: AsyncIterator[bytes], most_bytes: int) -> AsyncIterator[bytes | None]:
    """Cut at line ends; None stands for a line that is too long, of which nothing is kept."""
    kept, too_long = bytearray(), False
    async for piece in pieces:
        *ended, rest = piece.split(b"\n")
        for end in ended:
            yield None if too_long or len(kept) + len(end) > most_bytes else bytes(kept) + end
            kept, too_long = bytearray(), False
        too_long = too_long or len(kept) + len(rest) > most_bytes
        kept = bytearray() if too_long else kept + rest
    if kept or too_long:
        yield None if too_long else bytes(kept)


def _document_in(line: bytes, most_bytes: int) -> Document | Failure:
    try:
        value = parse(line)
    except Refusal as refusal:
        return Failure("", refusal.code, refusal.detail)
    if not isinstance(value, dict):
        return Failure("", "invalid_document", "a line must be an object with an id and a text")
    document_id, text, metadata = value.get("id"), value.get("text"), value.get("metadata", {})
    if not isinstance(document_id, str) or not isinstance(text, str) or not isinstance(metadata, dict):
        return Failure("", "invalid_document", "id and text must be strings, metadata an object")
    if value.keys() - FIELDS:
        return Failure(document_id, "invalid_document", "beside id, text, metadata and anchors there must be nothing")
    anchors = _anchors_in(value.get("anchors", []))
    if anchors is None:
        return Failure(document_id, "invalid_document", "anchors must be objects with a start and a place")
    return judged(Document(document_id, text, metadata, anchors), most_bytes)


def _anchors_in(value: Any) -> tuple[Anchor, ...] | None:
    """Read anchors; None where they are none."""
    if not isinstance(value, list):
        return None
    found = [(each.get("start"), each.get("place")) for each in value if isinstance(each, dict)]
    sound = [Anchor(start, place) for start, place in found if type(start) is int and isinstance(place, dict)]
    return tuple(sound) if len(sound) == len(value) else None


def spellings(document_id: str) -> tuple[str, ...]:
    """Give an id as it was sent, and composed, as requests store it; ids of files may stand either way."""
    return tuple(dict.fromkeys((document_id, unicodedata.normalize("NFC", document_id))))


def judged(document: Document, most_bytes: int) -> Document | Failure:
    """Give a document under its composed id, or say why it cannot be one."""
    text, metadata = document.text, document.metadata
    document_id = unicodedata.normalize("NFC", document.id)
    if not 1 <= len(document_id.encode()) <= MAX_ID_BYTES or any(unicodedata.category(c) == "Cc" for c in document_id):
        return Failure("", "invalid_id", f"an id has 1 to {MAX_ID_BYTES} bytes and no control characters")
    if not text.strip():
        return Failure(document_id, "empty_document", "there is no text")
    if len(text.encode()) > most_bytes:
        return Failure(document_id, "document_too_large", f"a text has at most {most_bytes} bytes: split it")
    if len(metadata) > MAX_METADATA_KEYS or not _is_shallow(metadata, MAX_METADATA_DEPTH) or _is_long(metadata):
        bounds = f"{MAX_METADATA_KEYS} fields, {MAX_METADATA_DEPTH} levels and {MAX_METADATA_CHARACTERS} characters"
        return Failure(document_id, "invalid_metadata", f"metadata has at most {bounds}")
    return replace(document, id=document_id)


def _is_shallow(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in inner)


def _is_long(value: Mapping[str, Any]) -> bool:
    return len(str(value)) > MAX_METADATA_CHARACTERS
