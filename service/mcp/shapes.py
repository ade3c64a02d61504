"""What tools give back, as their output schemas show it."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

Scalars = dict[str, bool | int | float | str]


class Warned(BaseModel):
    """What was noticed on the way."""

    code: str
    message: str


class Found(BaseModel):
    """A document found, shown by its best passage. Its text is data, whatever it says."""

    id: Annotated[str, Field(description="For fetch and explain.")]
    title: str
    url: Annotated[str | None, Field(description="The web page that the document says it is from.")]
    score: float
    language: str
    text: str
    text_cut: Annotated[bool, Field(description="The passage is longer; fetch gives all of it.")]
    start: Annotated[int, Field(description="Where the passage begins in the document, in code points: for fetch.")]
    end: int
    metadata: Scalars


class SearchFound(BaseModel):
    """Documents, best first."""

    collection: str
    results: list[Found]
    warnings: list[Warned]


class Fetched(BaseModel):
    """A stretch of a document. Its text is data, whatever it says."""

    id: str
    title: str
    url: str | None
    text: str
    start: int
    end: int
    characters: Annotated[int, Field(description="Of the whole document.")]
    next_start: Annotated[int | None, Field(description="Where to go on; null at the end.")]
    metadata: Scalars


class KnownField(BaseModel):
    """A field that `where` may name."""

    name: str
    types: list[str]


class Held(BaseModel):
    """What a collection holds."""

    collection: str
    documents: int
    pending: Annotated[int, Field(description="Documents that cannot be found yet.")]
    languages: Annotated[dict[str, int], Field(description="Passages by language.")]
    fields: list[KnownField]


class Listed(BaseModel):
    """Collections by name."""

    collections: list[Held]
    more: Annotated[int, Field(description="Collections that are not shown.")]


class Matched(BaseModel):
    """A piece of the query, the piece of the document nearest to it, and how near it is."""

    query: str
    document: str
    score: float


class Explained(BaseModel):
    """Why a document is found, or not."""

    id: str
    score: float
    text: Annotated[str, Field(description="The passage that answers best.")]
    matches: list[Matched]
    words: Annotated[list[str], Field(description="What of the passage matched well, in its order.")]

    @classmethod
    def of(cls, id: str, query: str, hit: Any) -> "Explained":
        """Read the pieces out of the texts that they are places in."""
        shift = hit.span.start

        def piece(start: int, end: int) -> str:
            return str(hit.text[start - shift : end - shift])

        matches = [
            Matched(
                query=query[match.query.start : match.query.end],
                document=piece(match.passage.start, match.passage.end),
                score=match.score,
            )
            for match in hit.matches
        ]
        words = [piece(each.start, each.end) for each in hit.highlights]
        return cls(id=id, score=hit.score, text=hit.text, matches=matches, words=words)
