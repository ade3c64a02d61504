"""The tools themselves: an assistant looks for passages, reads on, and asks why."""

from collections.abc import Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from pydantic import Field

from index.collection import Collection
from index.queries import MAX_QUERY_CHARACTERS
from index.records import StoredDocument
from index.request import Request
from index.types import MAX_ID_CHARACTERS, Hit
from service.engine.engine import Engine
from service.http.access import Caller
from service.http.guard import NOT_THERE, require_collection
from service.http.refusals import Refusal
from service.mcp.shapes import Explained, Fetched, Found, Held, KnownField, Listed, SearchFound, Warned
from service.shapes import scalars_of, source_of, title_of

MAX_RESULTS = 50
MAX_LISTED = 100
PASSAGE_CHARACTERS = 2_000
FETCHED_CHARACTERS = 20_000
SEPARATOR = "/"
"""Between collection and document in an id; no collection's name has one."""
QUIET_NOTICES = frozenset({"score_uncalibrated"})

Asked = Context[Any, Any]
Query = Annotated[
    str, Field(min_length=1, max_length=MAX_QUERY_CHARACTERS, description="A question or words, in any language.")
]
Where = Annotated[
    str | dict[str, Any] | None,
    Field(description='A filter, as: lang = "de" and year >= 2024. list_collections shows the fields.'),
]
Id = Annotated[str, Field(max_length=64 + MAX_ID_CHARACTERS, description="As search gave it: collection/document.")]


class Tools:
    """What an assistant may call; each call sees what its caller may see."""

    def __init__(self, engine: Engine, caller_of: Callable[[Asked], Caller]) -> None:
        """Work for whoever `caller_of` says is asking."""
        self._engine, self._caller_of = engine, caller_of

    async def search(
        self,
        query: Query,
        context: Asked,
        collection: Annotated[str | None, Field(max_length=64, description="May be left out if there is one.")] = None,
        k: Annotated[int, Field(ge=1, le=MAX_RESULTS, description="Documents wanted.")] = 10,
        where: Where = None,
    ) -> SearchFound:
        """Find the documents that answer a question best."""
        name = self._chosen(self._caller_of(context), collection)
        result = await self._engine.search(name, query, Request(k=k, where=where or None, highlight=False))
        noticed = [
            Warned(code=each.code, message=each.message) for each in result.warnings if each.code not in QUIET_NOTICES
        ]
        return SearchFound(collection=name, results=[_found(name, hit) for hit in result], warnings=noticed)

    async def fetch(
        self, id: Id, context: Asked, start: Annotated[int, Field(ge=0, description="Where to begin.")] = 0
    ) -> Fetched:
        """Give a document's text, or as much of it as an answer holds."""
        name, document_id = self._visible(context, id)
        document = await self._engine.read(name, _getting(document_id))
        if document is None:
            raise _not_there()
        text, end = document.text, min(start + FETCHED_CHARACTERS, len(document.text))
        return Fetched(
            id=id,
            title=title_of(document_id, document.metadata),
            url=source_of(document.metadata),
            text=text[start:end],
            start=start,
            end=max(start, end),
            characters=len(text),
            next_start=end if end < len(text) else None,
            metadata=scalars_of(document.metadata),
        )

    async def list_collections(self, context: Asked) -> Listed:
        """Say what there is to search."""
        names = self._names(self._caller_of(context))
        held = [_held(await self._engine.status(name)) for name in names[:MAX_LISTED]]
        return Listed(collections=held, more=max(len(names) - MAX_LISTED, 0))

    async def explain(self, query: Query, id: Id, context: Asked) -> Explained:
        """Say which words of a document a query found."""
        name, document_id = self._visible(context, id)
        wanted = Request(k=1, where={"type": "eq", "key": "id", "value": document_id})
        hits = (await self._engine.search(name, query, wanted)).hits
        if not hits:
            raise _not_there()
        return Explained.of(id, query, hits[0])

    def _names(self, caller: Caller) -> list[str]:
        return [name for name in self._engine.library.names() if caller.may_see(name)]

    def _chosen(self, caller: Caller, collection: str | None) -> str:
        """Give the collection that is named, or the only one; assistants write "" for what they leave out."""
        if collection:
            require_collection(caller, collection)
            return collection
        names = self._names(caller)
        if len(names) != 1:
            raise Refusal(
                422, "invalid_request", f"There are {len(names)} collections.", "name one of list_collections"
            )
        return names[0]

    def _visible(self, context: Asked, id: str) -> tuple[str, str]:
        name, separator, document_id = id.partition(SEPARATOR)
        if not separator:
            raise Refusal(422, "invalid_request", "This is no id of a document.", "pass on an id that search gave")
        require_collection(self._caller_of(context), name)
        return name, document_id


def _found(name: str, hit: Hit) -> Found:
    return Found(
        id=f"{name}{SEPARATOR}{hit.document_id}",
        title=title_of(hit.document_id, hit.metadata),
        url=source_of(hit.metadata),
        score=hit.score,
        language=hit.language,
        text=hit.text[:PASSAGE_CHARACTERS],
        text_cut=len(hit.text) > PASSAGE_CHARACTERS,
        start=hit.span.start,
        end=hit.span.end,
        metadata=scalars_of(hit.metadata),
    )


def _held(status: dict[str, Any]) -> Held:
    fields = [KnownField(name=each["name"], types=sorted(each["types"])) for each in status["fields"]]
    return Held(
        collection=status["collection"],
        documents=status["documents"],
        pending=status["pending"],
        languages=status["languages"],
        fields=fields,
    )


def _getting(document_id: str) -> Callable[[Collection], StoredDocument | None]:
    return lambda collection: collection.get(document_id)


def _not_there() -> Refusal:
    return Refusal(404, "not_found", NOT_THERE.detail, NOT_THERE.hint)
