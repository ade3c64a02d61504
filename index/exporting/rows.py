"""The lines of an export as JSON Lines: what `index.exporting.jsonl` writes and `index.importing.exported` reads."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from index.exporting.contents import Whole
from index.types import Anchor, Document, Passage

DOCUMENTS, PASSAGES = "documents.jsonl", "passages.jsonl"
VECTORS, CODES = "vectors.safetensors", "codes.safetensors"
OFFSETS = "offsets"


@dataclass(frozen=True, slots=True)
class AnchorRow:
    """Where a stretch of a document stands in its file; fields as of `Anchor`."""

    start: int
    place: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document; `passages` counts its lines among the passages, None where it waits for its vectors."""

    id: str
    text: str
    metadata: dict[str, Any]
    anchors: tuple[AnchorRow, ...]
    passages: int | None

    @classmethod
    def of(cls, whole: Whole) -> "DocumentRow":
        """Take what is stored."""
        document = whole.document
        anchors = tuple(AnchorRow(anchor.start, dict(anchor.place)) for anchor in whole.anchors)
        passages = None if document.pending else whole.n_passages
        return cls(document.id, document.text, dict(document.metadata), anchors, passages)

    def document(self) -> Document:
        """Give what was stored."""
        anchors = tuple(Anchor(row.start, row.place) for row in self.anchors)
        return Document(self.id, self.text, self.metadata, anchors)


@dataclass(frozen=True, slots=True)
class PassageRow:
    """A passage of a document; fields as of `Passage`, the ordinal under the name that hits give it."""

    document_id: str
    passage: int
    start: int
    end: int
    tokens: int
    language: str

    @classmethod
    def of(cls, document_id: str, passage: Passage) -> "PassageRow":
        """Take what is stored."""
        return cls(document_id, passage.ordinal, passage.start, passage.end, passage.tokens, passage.language)

    def as_passage(self) -> Passage:
        """Give what was stored."""
        return Passage(self.passage, self.start, self.end, self.tokens, self.language)


def line_of(row: DocumentRow | PassageRow) -> str:
    """Write a row as one line of JSON."""
    return json.dumps(asdict(row), ensure_ascii=False, separators=(",", ":")) + "\n"
