"""What goes between this process and the one that parses files of others: lengths, JSON, and the bytes of a file."""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from index.reading.base import Read
from index.types import Anchor, Document, Failure, Notice

LENGTH = struct.Struct("<Q")
MAX_MESSAGE_BYTES = 512 * 1024 * 1024
DOCUMENT, FAILURE, NOTICE, END = "document", "failure", "notice", "end"


def packed(message: Mapping[str, Any]) -> bytes:
    """Give a message with its length before it."""
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return LENGTH.pack(len(body)) + body


def of_item(item: Read) -> dict[str, Any]:
    """Give the message that stands for an item."""
    kind = DOCUMENT if isinstance(item, Document) else FAILURE if isinstance(item, Failure) else NOTICE
    return {kind: asdict(item)}


def item_in(message: Mapping[str, Any]) -> Read | None:
    """Give the item that a message stands for; None at the end."""
    if found := message.get(DOCUMENT):
        anchors = tuple(Anchor(each["start"], each["place"]) for each in found["anchors"])
        return Document(found["id"], found["text"], found["metadata"], anchors)
    if found := message.get(FAILURE):
        return Failure(**found)
    found = message.get(NOTICE)
    return Notice(**found) if found else None
