"""The one form in which a document is stored and hashed, and the gate that refuses what cannot be stored."""

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from index.anchors import KINDS, is_place
from index.digests import content_digest
from index.types import MAX_DOCUMENT_BYTES, MAX_ID_CHARACTERS, Document
from lfm2_colbert.errors import DocumentTooLargeError, InvalidArgumentError

MAX_METADATA_DEPTH = 32


@dataclass(frozen=True, slots=True)
class CanonicalDocument:
    """A document that may be stored.

    Attributes:
        id: as given.
        text: as given.
        metadata: JSON with sorted keys and no spaces.
        anchors: start and place, as metadata is written.
        text_hash: `index.digests.content_digest` of id and text.
        metadata_hash: the same of id and metadata.
    """

    id: str
    text: str
    metadata: str
    anchors: tuple[tuple[int, str], ...]
    text_hash: bytes
    metadata_hash: bytes


def canonical(document: Document) -> CanonicalDocument:
    """Check a document and give its stored form.

    Raises:
        InvalidArgumentError: the id is empty, too long or holds control characters; id or text is no Unicode; the text
            holds NUL; the metadata is no JSON; an anchor is none, or they do not ascend within the text.
        DocumentTooLargeError: text, metadata and anchors exceed 64 MiB in UTF-8.
    """
    encoded_name(document.id, "a document id")
    metadata = canonical_metadata(document.id, document.metadata)
    text = _encoded(document.text, f"the text of '{document.id}'")
    if b"\0" in text:
        raise InvalidArgumentError(
            f"the text of '{document.id}' holds the character NUL", help="remove it: text files have none"
        )
    tail = _encoded(metadata, f"the metadata of '{document.id}'")
    anchors = _anchors(document)
    n_bytes = len(text) + len(tail) + sum(len(place) for _, place in anchors)
    if n_bytes > MAX_DOCUMENT_BYTES:
        raise DocumentTooLargeError(
            f"'{document.id}' has {n_bytes} bytes, more than {MAX_DOCUMENT_BYTES}", help="split it"
        )
    hashes = (content_digest(document.id, content) for content in (text, tail))
    return CanonicalDocument(document.id, document.text, metadata, anchors, *hashes)


def encoded_name(name: str, what: str) -> bytes:
    """Check what names a document or file, and give its UTF-8.

    Raises:
        InvalidArgumentError: it is empty, longer than 1024 characters, holds control characters, or is no Unicode.
    """
    if not 1 <= len(name) <= MAX_ID_CHARACTERS:
        raise InvalidArgumentError(
            f"{what} must have 1 to {MAX_ID_CHARACTERS} characters, not {len(name)}", help="give it another name"
        )
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise InvalidArgumentError(f"{what} must hold no control characters: {name!r}", help="give it another name")
    return _encoded(name, what)


def _anchors(document: Document) -> tuple[tuple[int, str], ...]:
    starts = [anchor.start for anchor in document.anchors]
    if any(before >= after for before, after in zip([-1, *starts], [*starts, len(document.text)], strict=True)):
        raise InvalidArgumentError(f"the anchors of '{document.id}' must ascend within its text", help="sort them")
    if not all(is_place(anchor.place) for anchor in document.anchors):
        raise InvalidArgumentError(
            f"an anchor of '{document.id}' has a place that is none",
            help=f"known: {', '.join(KINDS)}; a box needs a page",
        )
    return tuple((anchor.start, canonical_metadata(document.id, anchor.place)) for anchor in document.anchors)


def _encoded(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"{what} holds half a surrogate pair at character {error.start}", help="decode it as UTF-8 first"
        ) from error


def canonical_metadata(document_id: str, metadata: Mapping[str, Any]) -> str:
    """Give the stored form of metadata.

    Raises:
        InvalidArgumentError: it is no JSON, or nested too deep.
    """
    try:
        plain = _plain(metadata, 0)
        return json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise InvalidArgumentError(
            f"the metadata of '{document_id}' is no JSON: {error}",
            help="use strings, finite numbers, booleans, None, lists and mappings with string keys",
        ) from error


def _plain(value: Any, depth: int) -> Any:
    """Give the value as dict, list or scalar.

    Raises:
        ValueError: it is none of these; the message says why.
    """
    if depth > MAX_METADATA_DEPTH:
        raise ValueError(f"it is nested deeper than {MAX_METADATA_DEPTH}")
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not finite")
        return value
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if not isinstance(value, Mapping):
        raise ValueError(f"{type(value).__name__} is no JSON type")
    wrong = [key for key in value if not isinstance(key, str)]
    if wrong:
        raise ValueError(f"the key {wrong[0]!r} is no string")
    return {key: _plain(item, depth + 1) for key, item in value.items()}
