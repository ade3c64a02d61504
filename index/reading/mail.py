"""E-mail: who wrote what to whom and when, the message itself, and what is attached to it."""

import email
import email.policy
import email.utils
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

from index.reading import read as read_file
from index.reading.base import Read, ReadOptions, SourceFile, failure_of, too_large
from index.reading.composing import Composition
from index.reading.html import parsed
from index.reading.markup import visible_blocks
from index.types import MAX_DOCUMENT_BYTES, Failure
from lfm2_colbert.errors import EmptyDocumentError, Lfm2ColbertError, MalformedDocumentError, UnsupportedFileError

ENVELOPE = b"From "
MAX_PARTS = 500
NESTED = (".eml", ".mbox")


def read(source: SourceFile, options: ReadOptions) -> Iterator[Read]:
    """Give the message, and a document for each attachment that can be read, under the message's id, "/" and its name.

    Raises:
        MalformedDocumentError: it has no headers, or too many parts.
        EmptyDocumentError: it says nothing.
    """
    yield from _message(source.data(), source, source.id, options)


def read_mailbox(source: SourceFile, options: ReadOptions) -> Iterator[Read]:
    """Give what `read` gives for each message of a mailbox, under the file's id, "#" and the message's number."""
    number = 0
    for number, content in enumerate(_messages(source), start=1):
        message_id = f"{source.id}#{number}"
        try:
            yield from _message(content, source, message_id, options)
        except Lfm2ColbertError as error:
            yield failure_of(message_id, error)
    if not number:
        raise EmptyDocumentError(f"{source.id} holds no messages", help="leave it out")


def _messages(source: SourceFile) -> Iterator[bytes]:
    """Cut a mailbox where a line begins with "From " behind an empty one (RFC 4155)."""
    lines: list[bytes] = []
    size, after_blank = 0, True
    with source.open() as stream:
        for line in stream:
            if after_blank and line.startswith(ENVELOPE):
                if lines:
                    yield b"".join(lines)
                lines, size = [], 0
                continue
            size += len(line)
            if size > MAX_DOCUMENT_BYTES:
                raise too_large(source.id, size)
            lines.append(line[1:] if line.startswith(b">From ") else line)
            after_blank = not line.strip()
    if lines:
        yield b"".join(lines)


def _message(content: bytes, source: SourceFile, message_id: str, options: ReadOptions) -> Iterator[Read]:
    message = email.message_from_bytes(content, policy=email.policy.default)
    if not message.keys():
        raise MalformedDocumentError(f"{message_id} has no headers", help="give text the suffix .txt")
    if sum(1 for _ in message.walk()) > MAX_PARTS:
        raise MalformedDocumentError(
            f"{message_id} has more than {MAX_PARTS} parts", help="save what it holds as files"
        )
    composition = Composition()
    subject = _header(message, "subject")
    composition.add(subject, {"part": "subject"})
    for text in _body(message, message_id):
        composition.add(text, {"part": "body"})
    yield composition.document(message_id, _metadata(message) | {"title": subject})
    for part in message.iter_attachments():
        yield from _attachment(part, source, message_id, options)


def _body(message: EmailMessage, name: str) -> Iterator[str]:
    part = message.get_body(("plain", "html"))
    if part is None:
        return
    content = _text(part)
    if part.get_content_subtype() != "html":
        yield content
    elif content.strip():
        yield from (block.text for block in visible_blocks(parsed(content, name)))


def _text(part: Any) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError, KeyError):  # an encoding that nobody knows
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _attachment(part: Any, source: SourceFile, message_id: str, options: ReadOptions) -> Iterator[Read]:
    name = " ".join((part.get_filename() or "").replace("/", "_").split()) or "attachment"
    payload = part.get_payload(decode=True)
    attached = SourceFile(source.path, f"{message_id}/{name}", payload if isinstance(payload, bytes) else b"")
    if attached.format is None or attached.format in NESTED or not isinstance(payload, bytes):
        yield Failure(attached.id, UnsupportedFileError.code, f"{attached.id}: no reader knows this kind of attachment")
    else:
        yield from read_file(attached, options)


def _metadata(message: EmailMessage) -> dict[str, Any]:
    date = _date(_header(message, "date"))
    return {"author": _header(message, "from"), "to": _header(message, "to"), "created": date}


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, IndexError, AttributeError):  # the library stumbles over some
        return ""


def _date(written: str) -> str:
    try:
        return email.utils.parsedate_to_datetime(written).isoformat()
    except (ValueError, TypeError):
        return ""
