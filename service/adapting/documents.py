"""A folder's passages, read and cut as the index reads and cuts it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.chunking import chunk
from index.language import language_of
from index.reading.base import SourceFile
from index.reading.files import FileReader
from index.reading.scan import scan
from index.types import Document, Failure, Notice
from lfm2_colbert.encoders.base import Encoder

OnFile = Callable[[int], None]
"""Told how many files have been read."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder holds.

    Attributes:
        passages: of all documents, in their order, as `make` gave them.
        documents: number of them.
        failed: files and rows that gave no document, and why.
        notices: what else a person should know.
    """

    passages: tuple[Any, ...]
    documents: int
    failed: tuple[Failure, ...]
    notices: tuple[Notice, ...]


def read_folder(path: Path, encoder: Encoder, make: Callable[..., Any], on_file: OnFile) -> Folder:
    """Read a folder and cut its documents into passages that have no sentence in common.

    Args:
        path: of the folder.
        encoder: whose tokens are counted.
        make: takes document id, ordinal, language, text and `title` of a passage.
        on_file: told of progress.

    Raises:
        NotFoundError: there is nothing at the path.
        PermissionDeniedError: a folder above may not be entered.
    """
    passages: list[Any] = []
    n_documents, failed, notices = 0, list[Failure](), list[Notice]()
    with FileReader() as reader:
        for n_files, entry in enumerate(scan(path), start=1):
            for item in reader.read(entry) if isinstance(entry, SourceFile) else [entry]:
                if isinstance(item, Failure):
                    failed.append(item)
                elif isinstance(item, Notice):
                    notices.append(item)
                else:
                    n_documents += 1
                    passages += _passages(item, encoder, make)
            on_file(n_files)
    return Folder(tuple(passages), n_documents, tuple(failed), tuple(notices))


def _passages(document: Document, encoder: Encoder, make: Callable[..., Any]) -> list[Any]:
    """Cut a document without overlap: a sentence that asks for one passage must not stand in another one, too."""
    language, title = language_of(document.text), document.metadata.get("title", "")
    return [
        make(
            document.id,
            each.ordinal,
            language,
            document.text[each.start : each.end],
            title=title if isinstance(title, str) else "",
        )
        for each in chunk(document.text, encoder, overlap=0)
    ]
