"""What Office files and books are: ZIP packages of XML, made by programs and by people who mean no good."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from index.reading.base import SourceFile
from lfm2_colbert.errors import EncryptedDocumentError, MalformedDocumentError, UnsafeArchiveError

MAX_UNPACKED_BYTES = 512 * 1024 * 1024
COMPOUND_FILE = b"\xd0\xcf\x11\xe0"
"""An Office file under a password is such a container and no ZIP at all."""


def checked(source: SourceFile, kind: str) -> BytesIO:
    """Give the bytes of a package that is a sound ZIP of bearable size, for a library to open.

    Raises:
        EncryptedDocumentError: it asks for a password.
        MalformedDocumentError: it is none.
        UnsafeArchiveError: it unpacks to more than it may.
        DocumentTooLargeError: it is itself too large.
    """
    content = source.data()
    if content.startswith(COMPOUND_FILE):
        raise EncryptedDocumentError(f"{source.id} asks for a password", help="save it without one")
    stream = BytesIO(content)
    try:
        with zipfile.ZipFile(stream) as package:
            unpacked = sum(entry.file_size for entry in package.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise MalformedDocumentError(f"{source.id} is no {kind}", help="save it again") from error
    if unpacked > MAX_UNPACKED_BYTES:
        raise UnsafeArchiveError(f"{source.id} unpacks to {unpacked:,} bytes", help="split it into several files")
    stream.seek(0)
    return stream


@contextmanager
def malformed(source: SourceFile, kind: str) -> Iterator[None]:
    """Say that a file is no such package where a library stumbles over it; libraries have no errors for that.

    Raises:
        MalformedDocumentError: something in it is not as it must be.
    """
    try:
        yield
    except (
        KeyError,
        ValueError,
        AttributeError,
        TypeError,
        IndexError,
        LookupError,
        SyntaxError,
        zipfile.error,
    ) as error:
        raise MalformedDocumentError(f"{source.id} is no whole {kind}", help="save it again") from error


def parsed_xml(content: bytes) -> Any:
    """Parse XML: no entities of its own, nothing fetched.

    Raises:
        SyntaxError: it is none.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(content, parser)


def stated(properties: Any) -> dict[str, Any]:
    """Give what an Office file says of itself (`core_properties`)."""
    created = properties.created or properties.modified
    return {
        "title": properties.title,
        "author": properties.author,
        "subject": properties.subject,
        "created": created.date().isoformat() if created else "",
    }
