"""What requests may hold and answers do hold, as OpenAPI shows it. A field that is not here is refused."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator
from typing_extensions import TypeAliasType

from index.queries import MAX_QUERY_CHARACTERS, require_query
from index.request import MAX_HITS
from service.http.strict_json import MAX_NAME_CHARACTERS

CREATED_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
MAX_QUERIES = 64
MAX_RERANKED = 1000
MAX_EMBEDDED = 256
MAX_FACETS = 1000


def _query(text: str) -> str:
    """Refuse what is no query under the code that it has everywhere, before anything is encoded."""
    require_query(text)
    return text


Query = Annotated[
    str,
    AfterValidator(_query),
    Field(
        min_length=1,
        json_schema_extra={"maxLength": MAX_QUERY_CHARACTERS},
        examples=["Wie lange habe ich Urlaub?"],
    ),
]
MemberName = Annotated[str, Field(max_length=MAX_NAME_CHARACTERS)]
AnyJson = TypeAliasType("AnyJson", "bool | int | float | str | list[AnyJson] | dict[MemberName, AnyJson] | None")
"""What a client chooses itself, described no tighter and no looser than `strict_json` takes it."""
AnyMembers = dict[MemberName, AnyJson]
Where = Annotated[
    str | AnyMembers | None,
    Field(description='A filter: `lang = "de" and year >= 2024`, or its JSON form.', examples=['lang = "de"']),
]


ONE: dict[str, JsonValue] = {
    "required": ["query"],
    "properties": {"query": {"type": "string"}, "queries": {"type": "null"}},
}
MANY: dict[str, JsonValue] = {
    "required": ["queries"],
    "properties": {"queries": {"type": "array"}, "query": {"type": "null"}, "cursor": {"type": "null"}},
}
"""In words of JSON Schema: either `query` or `queries`."""


class Asked(BaseModel):
    """A request's body: no unknown fields, no types that are nearly right."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _whole(value: Any) -> Any:
    """Read 3.0 as 3, as JSON Schema does; what is no number stays, and is refused."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]


class OpenlyAsked(BaseModel):
    """An object in a body that may hold more than is read."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"propertyNames": {"maxLength": MAX_NAME_CHARACTERS}})
    __pydantic_extra__: dict[str, AnyJson]


class SearchBody(Asked):
    """A search: one `query`, or up to 64 `queries` with the same options."""

    query: Query | None = None
    queries: Annotated[list[Query], Field(min_length=1, max_length=MAX_QUERIES)] | None = None
    k: Annotated[Whole, Field(ge=1, le=MAX_HITS, description="Documents wanted.")] = 10
    mode: Annotated[
        Literal["hybrid", "semantic", "lexical", "exact"],
        Field(description="By meaning and words, by meaning, by words; `exact`: by meaning, scoring every passage."),
    ] = "hybrid"
    effort: Literal["fast", "balanced", "exact"] = "balanced"
    fusion: Literal["convex", "rrf"] = "convex"
    where: Where = None
    group_by: Annotated[str, Field(max_length=256, description="`document`, `passage` or a metadata field.")] = (
        "document"
    )
    per_group: Annotated[Whole, Field(ge=1, le=MAX_HITS)] = 1
    collapse: Annotated[float, Field(gt=0, le=1, description="Leave near-duplicates out, as from 0.9.")] | None = None
    lang_balance: Annotated[bool, Field(description="Let languages take turns.")] = False
    cursor: Annotated[str, Field(max_length=1024)] | None = None
    neighbours: Annotated[int, Field(ge=0, le=10, description="Passages before and behind each hit's own.")] = 0
    highlight: Annotated[bool, Field(description="Say which words matched.")] = True
    explain: Annotated[bool, Field(description="Say where each token of the query was found.")] = False

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query": "Wie lange habe ich Urlaub?", "k": 3}], "oneOf": [ONE, MANY]}
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "SearchBody":
        if (self.query is None) == (self.queries is None):
            raise ValueError("give either query or queries")
        if self.queries is not None and self.cursor is not None:
            raise ValueError("a cursor goes with one query")
        return self


class FacetsBody(Asked):
    """Which values of a field there are."""

    field: Annotated[str, Field(min_length=1, max_length=256)]
    where: Where = None
    limit: Annotated[Whole, Field(ge=1, le=MAX_FACETS)] = 10

    model_config = ConfigDict(json_schema_extra={"examples": [{"field": "lang"}]})


class NewCollection(Asked):
    """A collection to be made. Its encoder is the server's: the operator chooses it."""

    name: Annotated[str, Field(pattern=CREATED_NAME)]
    codec: Literal["scalar4", "scalar4-coarse", "scalar2", "float16"] | None = None
    pool: Annotated[Whole, Field(ge=1, le=3, description="Store all vectors, about a half, or a third.")] | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "handbook"}]})


class AnchorBody(Asked):
    """Where a stretch of a text stands in its file: from `start`, in code points, to the next anchor."""

    start: Annotated[int, Field(ge=0)]
    place: Annotated[AnyMembers, Field(description="page, box, heading, slide, cell, line, part")]


class DocumentBody(Asked):
    """A document; one of the same id is replaced."""

    id: str
    text: str
    metadata: AnyMembers = {}
    anchors: Annotated[list[AnchorBody], Field(max_length=100_000)] = []


class DocumentsBody(Asked):
    """Documents to store."""

    documents: Annotated[list[DocumentBody], Field(min_length=1, max_length=1000)]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"documents": [{"id": "hr/policy.md", "text": "24 Tage Urlaub im Jahr.", "metadata": {"year": 2026}}]}
            ]
        }
    )


class EmbedBody(Asked):
    """Texts whose token vectors are wanted."""

    input: Annotated[list[Annotated[str, Field(max_length=65536)]], Field(min_length=1, max_length=MAX_EMBEDDED)]
    kind: Literal["query", "document"] = "document"

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"input": ["東京は日本の首都です。"], "kind": "document"}]}
    )


class RankBody(Asked):
    """Texts that are to be put in order."""

    query: Query
    texts: Annotated[list[str], Field(min_length=1, max_length=MAX_RERANKED)]
    top_n: Annotated[int, Field(ge=1, description="Give so many; left out: all.")] | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"query": "日本の首都", "texts": ["Der Hund schläft.", "東京は日本の首都です。"]}]
        }
    )


class Problem(BaseModel):
    """What a request gets that is not carried out (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    request_id: str
    errors: list["FieldProblem"] | None = None


class FieldProblem(BaseModel):
    """A field that is wrong, and why."""

    field: str
    reason: str


class Span(BaseModel):
    """Code points `start:end` of a document's text."""

    start: int
    end: int


class Highlight(Span):
    """A stretch that words of the query matched."""

    score: float


class Match(BaseModel):
    """A token of the query, and the token that it found."""

    query: Span
    passage: Span
    score: float


class Around(BaseModel):
    """A hit's passage with its neighbours, in code points of the document."""

    start: int
    end: int
    text: str


class Hit(BaseModel):
    """A document found, shown by its best passage."""

    rank: int
    document_id: str
    passage: int
    score: float
    raw_score: float
    text: str
    span: Span
    anchor: Annotated[
        dict[str, Any], Field(description="Where the passage stands in its file: page, heading, slide, cell or line.")
    ]
    language: str
    metadata: dict[str, Any]
    highlights: list[Highlight]
    matches: list[Match] | None = None
    around: Around | None = None


class Warned(BaseModel):
    """What was noticed on the way."""

    code: str
    message: str


class SearchAnswer(BaseModel):
    """The hits of a query, best first."""

    query: str
    collection: str
    mode: str
    hits: list[Hit]
    warnings: list[Warned]
    timings_ms: dict[str, float]
    counts: dict[str, int]
    cursor: str | None


class SearchAnswers(BaseModel):
    """The answers to many queries, in their order."""

    results: list[SearchAnswer]


class FacetValue(BaseModel):
    """A value, and how many documents have it."""

    value: bool | int | float | str
    documents: int


class FacetsAnswer(BaseModel):
    """The values of a field, most first."""

    collection: str
    field: str
    values: list[FacetValue]


class CollectionSummary(BaseModel):
    """A collection in a list."""

    collection: str
    documents: int
    bytes: int
    encoder: str


class Collections(BaseModel):
    """The collections that the key may see."""

    collections: list[CollectionSummary]


class BuiltWith(BaseModel):
    """What a collection was built with."""

    name: str
    fingerprint: str
    dim: int
    codec: str
    pool: int


class KnownField(BaseModel):
    """A field that documents can be filtered by."""

    name: str
    types: dict[str, int]
    documents: int


class CollectionStatus(BaseModel):
    """What a collection holds."""

    collection: str
    documents: int
    passages: int
    tokens: int
    bytes: int
    languages: dict[str, int]
    pending: int
    failed: int
    encoder: BuiltWith
    recall: dict[str, Any]
    drift: dict[str, Any]
    fields: list[KnownField]


class ItemProblem(BaseModel):
    """Why a document was not stored."""

    code: str
    message: str


class Item(BaseModel):
    """What became of a document; `line` counts from 1 in a stream."""

    id: str | None
    status: Literal["added", "changed", "unchanged", "failed"]
    error: ItemProblem | None = None
    line: int | None = None


class StoredAnswer(BaseModel):
    """What became of documents. Of a stream, only those that failed are listed, a thousand at most."""

    collection: str
    added: int
    changed: int
    unchanged: int
    failed: int
    errors: bool
    items: list[Item]
    job: str | None


class DocumentAnswer(BaseModel):
    """A document as it is stored."""

    document_id: str
    text: str | None = None
    metadata: dict[str, Any]
    pending: bool


class DocumentsAnswer(BaseModel):
    """A page of documents in the order of their ids; `cursor` leads to the next."""

    collection: str
    documents: list[DocumentAnswer]
    cursor: str | None


class Deleted(BaseModel):
    """What is no longer there."""

    deleted: str


class JobAnswer(BaseModel):
    """Work that takes longer than a request."""

    job: str
    kind: str
    collection: str
    state: Literal["running", "done", "failed"]
    progress: dict[str, float]
    result: dict[str, Any] | None
    error: ItemProblem | None
    started: float
    ended: float | None


class JobsAnswer(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobAnswer]


class Begun(BaseModel):
    """A job that was begun."""

    job: str


class RankedText(BaseModel):
    """A text by its place among those that were sent; highlights are code points of it."""

    index: int
    score: float
    raw_score: float
    highlights: list[Highlight]


class RankAnswer(BaseModel):
    """Texts, the best first."""

    model: str
    results: list[RankedText]


class Embedding(BaseModel):
    """The token vectors of a text."""

    index: int
    vectors: list[list[float]]
    spans: Annotated[list[list[int]], Field(description="Code points of each vector; -1, -1 where it is of no text.")]


class EmbedAnswer(BaseModel):
    """Token vectors of texts, in their order."""

    model: str
    dim: int
    data: list[Embedding]
    warnings: Annotated[list[Warned], Field(description="Texts that are longer than the encoder reads.")]
