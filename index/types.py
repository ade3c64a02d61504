"""The words of the index: documents go in, hits come out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
MAX_ID_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a stretch of a document stands in the file it was read from; it reaches to the next anchor.

    Attributes:
        start: its first code point in the document's text.
        place: some of ``page`` (from 1) and ``box`` (left, bottom, right, top in points from the page's lower left
            corner), ``heading`` (the path of headings), ``slide`` (from 1), ``cell`` (``Sheet!A1:C9``), ``line`` (of
            the stretch's beginning, from 1), ``part`` (of a message or book).
    """

    start: int
    place: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """A text under a stable id.

    Attributes:
        id: unique in a collection; for files the path relative to the indexed folder.
        text: what is searched. Spans of hits are code points into it.
        metadata: JSON values, kept and returned.
        anchors: where the text stands in its file, by ascending starts.
    """

    id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    anchors: tuple[Anchor, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document that one set of token vectors stands for.

    Attributes:
        ordinal: place among the passages of its document, from 0.
        start: first code point in the document's text.
        end: one past the last code point.
        tokens: tokens of the encoder in it.
        language: ISO 639-1 code, guessed from the passage alone; "und" where it holds no letters.
    """

    ordinal: int
    start: int
    end: int
    tokens: int
    language: str


@dataclass(frozen=True, slots=True)
class Span:
    """Code points ``start:end`` of a document's text."""

    start: int
    end: int

    def moved(self, by: int) -> "Span":
        """Give the span as one counts that begins `by` code points earlier."""
        return Span(self.start + by, self.end + by)


@dataclass(frozen=True, slots=True)
class Match:
    """A token of the query, the token of the passage it found, and their cosine. `query` counts in the query's text."""

    query: Span
    passage: Span
    score: float


@dataclass(frozen=True, slots=True)
class Highlight:
    """A stretch of the document that query words matched, with the best cosine in it."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the caller should know that was no failure."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A file, or a row of one, that could not become a document; nothing else is touched by it."""

    path: str
    code: str
    message: str


DOCUMENT, PASSAGE = "document", "passage"
"""What `SearchOptions.group_by` may name besides a field of the metadata."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run of `add` or `add_files` did.

    Attributes:
        documents: in the collection after the run.
        passages: searchable ones in the collection after the run.
        encoded_passages: encoded in this run.
        added: documents new in this run.
        changed: documents whose text or metadata differs from before.
        unchanged: documents looked at and found as they were.
        removed: documents whose file, or row in it, is gone.
        renamed: files that were there under another name; their documents kept their vectors.
        failed: files and rows that gave no document, and why.
        truncated: passages that the encoder could not read whole.
        notices: what else a person should know.
        seconds: wall time.
    """

    documents: int
    passages: int
    encoded_passages: int
    added: int
    changed: int
    unchanged: int
    removed: int
    failed: tuple[Failure, ...]
    truncated: int
    notices: tuple[Notice, ...]
    seconds: float
    renamed: int = 0


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How hits are chosen from all that match, which is walked from the best down.

    Attributes:
        group_by: ``document``; ``passage``: no groups at all; else a field of the metadata: documents with the same
            value there are a group, one without the field is a group by itself.
        per_group: hits of one group at most: passages of a document, documents of a field's value.
        collapse: leave out what is nearly the same text as a better hit: Jaccard similarity of their five-character
            shingles from here on, above 0 to 1; None: leave nothing out.
        lang_balance: let languages take turns, each with its best that is left.
        cursor: of the page before (`SearchResult.cursor`); None: the first page.
        neighbours: passages before and behind a hit's own that come with it (`Hit.around`), 0 to 10.
    """

    group_by: str = DOCUMENT
    per_group: int = 1
    collapse: float | None = None
    lang_balance: bool = False
    cursor: str | None = None
    neighbours: int = 0


@dataclass(frozen=True, slots=True)
class Around:
    """A hit's passage with its neighbours: code points ``start:end`` of the document, and their text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A document found, shown by its best passage; or a passage, where these were asked for.

    Attributes:
        rank: from 1, over all pages; ties are broken by document id.
        document_id: the document.
        passage: ordinal of the passage shown.
        score: 0..1: how likely such a match answers a question (`index.calibration`); before that was measured, what
            orders hits.
        raw_score: MaxSim, the sum over query vectors of the best dot product; BM25 where words alone were asked for.
        text: the passage's text.
        span: where it stands in the document.
        language: guessed language of the passage.
        metadata: the document's.
        highlights: matched words, in reading order, code points into the document.
        matches: each token of the query and where it was found, code points into the document.
        anchor: where the passage stands in the file it was read from (`Anchor.place`); empty where that is not known.
        around: the passage with its neighbours, where these were asked for.
    """

    rank: int
    document_id: str
    passage: int
    score: float
    raw_score: float
    text: str
    span: Span
    language: str
    metadata: Mapping[str, Any]
    highlights: tuple[Highlight, ...] = ()
    matches: tuple[Match, ...] = ()
    anchor: Mapping[str, Any] = field(default_factory=dict)
    around: Around | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The hits of one query, best first; walking it walks the hits.

    Attributes:
        query: as it was asked.
        hits: best first.
        warnings: what was noticed on the way.
        timings_ms: wall time of each step and stage.
        counts: passages that each stage scored.
        mode: ``hybrid``, ``semantic`` or ``lexical``.
        cursor: for the next page, where there may be one.
    """

    query: str
    hits: tuple[Hit, ...]
    warnings: tuple[Notice, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    mode: str = "semantic"
    cursor: str | None = None

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a field, and how many documents with a passage that was wanted hold it."""

    value: bool | int | float | str
    documents: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """A text and what it is worth to the query.

    Attributes:
        index: its place among the texts that were given.
        score: MaxSim per vector of the query, clipped to 0..1; 0 for an empty text. It orders the texts of one call and
            is no probability: what a score means is measured in a collection (`index.calibration`), and here is none.
        raw_score: MaxSim of its best passage, the sum over the query's vectors of the best dot product; 0 for an empty
            text.
        highlights: matched words of that passage, in reading order, code points into the whole text.
    """

    index: int
    score: float
    raw_score: float
    highlights: tuple[Highlight, ...]
