"""Documents of a collection: stored in bulk, looked up, walked through, removed."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request

from index.collection import Collection
from index.records import StoredDocument
from index.types import Document, Failure
from lfm2_colbert.errors import NotFoundError
from service.engine.engine import Engine
from service.http.access import Body, needs
from service.http.context import GuardedRoute, Json, Name, TheConfig, TheEngine, answers, validated
from service.http.documents import Line, document_of, lines_of, spellings
from service.http.guard import PARSED, PIECES
from service.http.schemas import Deleted, DocumentAnswer, DocumentsAnswer, DocumentsBody, StoredAnswer
from service.keys import Role

LINES_PER_COMMIT = 256
CHARACTERS_PER_COMMIT = 4_000_000
LISTED_FAILURES = 1000
SEARCHABLE_SECONDS = 600.0
LINES_DESCRIPTION = "One document a line, of any number; lines that are refused do not stop those behind them."
BODIES = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/DocumentsBody"}},
            "application/x-ndjson": {"schema": {"type": "string", "description": LINES_DESCRIPTION}},
        },
    }
}
DocumentId = Annotated[str, Path(max_length=1024)]
Wait = Annotated[Literal["durable", "searchable"], Query(description="Answer when stored, or when also searchable.")]

router = APIRouter(route_class=GuardedRoute, tags=["documents"])


@router.post(
    "/v1/collections/{name}/documents",
    responses=answers((200, StoredAnswer), (207, StoredAnswer), body=True, also=(409, 507)),
    response_model=None,
    openapi_extra=BODIES,
)
@needs(Role.WRITE, body=Body.STREAM, open_ended=True, scope="name")
async def add_documents(
    name: str, request: Request, engine: TheEngine, config: TheConfig, wait: Wait = "durable"
) -> Json:
    """Store documents, replacing those of the same id: JSON with a list, or one document a line (NDJSON).

    What is acknowledged survives a power cut. Each document is judged by itself; it becomes searchable behind the
    answer, unless `wait=searchable`. The status is 207 where some were refused: `items` says which, and why.
    """
    most = config.limits.document_bytes
    state = request.scope["state"]
    if PIECES in state:
        return answered(await _store_lines(engine, name, lines_of(state[PIECES], most), wait))
    body = validated(DocumentsBody, state[PARSED])
    lines = [Line(n, document_of(each, most)) for n, each in enumerate(body.documents, start=1)]
    intake = Intake(name, listed=("added", "changed", "unchanged", "failed"))
    await intake.store(engine, lines)
    return answered(await intake.answer(engine, wait))


@router.get("/v1/collections/{name}/documents", responses=answers((200, DocumentsAnswer)), response_model=None)
@needs(Role.READ, scope="name")
async def list_documents(
    name: Name,
    engine: TheEngine,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str, Query(max_length=1024, description="The id of the last document seen.")] = "",
    text: Annotated[bool, Query(description="Give texts, too.")] = False,
) -> Json:
    """Walk through documents in the order of their ids."""
    found = await engine.read(name, lambda collection: collection.documents(after=cursor, limit=limit))
    documents = [_shown(document, with_text=text) for document in found]
    return Json({"collection": name, "documents": documents, "cursor": found[-1].id if len(found) == limit else None})


@router.get(
    "/v1/collections/{name}/documents/{document_id:path}", responses=answers((200, DocumentAnswer)), response_model=None
)
@needs(Role.READ, scope="name")
async def get_document(name: Name, document_id: DocumentId, engine: TheEngine) -> Json:
    """Give a document as it is stored."""

    def ask(collection: Collection) -> StoredDocument | None:
        return next(filter(None, map(collection.get, spellings(document_id))), None)

    found = await engine.read(name, ask)
    if found is None:
        raise NotFoundError("no such document")
    return Json(_shown(found, with_text=True))


@router.delete(
    "/v1/collections/{name}/documents/{document_id:path}",
    responses=answers((200, Deleted), also=(409, 507)),
    response_model=None,
)
@needs(Role.WRITE, scope="name")
async def delete_document(name: Name, document_id: DocumentId, engine: TheEngine) -> Json:
    """Remove a document; the answer means that it is gone for good."""
    for each in spellings(document_id):
        if await engine.delete(name, each):
            return Json({"deleted": each})
    raise NotFoundError("no such document")


class Intake:
    """What has become of documents so far."""

    def __init__(self, name: str, listed: Sequence[str]) -> None:
        """Begin with none; of outcomes in `listed` each document is named."""
        self._name, self._listed = name, listed
        self._counts = dict.fromkeys(("added", "changed", "unchanged", "failed"), 0)
        self._items: list[dict[str, Any]] = []
        self._job: str | None = None

    async def store(self, engine: Engine, lines: Sequence[Line]) -> None:
        """Store what can be stored, in one commit."""
        documents = [line.content for line in lines if isinstance(line.content, Document)]
        stored = await engine.put(self._name, documents)
        self._job = stored.job or self._job
        outcomes = iter(stored.outcomes)
        for line in lines:
            outcome = line.content if isinstance(line.content, Failure) else next(outcomes)
            document_id = outcome.path if isinstance(outcome, Failure) else line.content.id  # type: ignore[union-attr]
            self._note(line.number, document_id, outcome)

    async def answer(self, engine: Engine, wait: str) -> dict[str, Any]:
        """Say what became of all."""
        if wait == "searchable" and self._job is not None:
            await engine.ended(self._job, SEARCHABLE_SECONDS)
        failed = self._counts["failed"] > 0
        return {"collection": self._name, **self._counts, "errors": failed, "items": self._items, "job": self._job}

    def _note(self, number: int, document_id: str, outcome: str | Failure) -> None:
        status = "failed" if isinstance(outcome, Failure) else str(outcome)
        self._counts[status] += 1
        if status in self._listed and len(self._items) < LISTED_FAILURES:
            item: dict[str, Any] = {"id": document_id or None, "status": status, "line": number}
            if isinstance(outcome, Failure):
                item["error"] = {"code": outcome.code, "message": outcome.message}
            self._items.append(item)


def answered(answer: dict[str, Any]) -> Json:
    """207 says that not all went well, also to who does not look into the answer."""
    return Json(answer, 207 if answer["errors"] else 200)


async def _store_lines(engine: Engine, name: str, lines: AsyncIterator[Line], wait: str) -> dict[str, Any]:
    """Store a stream, some hundred documents a commit; the client is read no faster than they are stored."""
    intake, batch, characters = Intake(name, listed=("failed",)), [], 0
    async for line in lines:
        batch.append(line)
        characters += len(line.content.text) if isinstance(line.content, Document) else 0
        if len(batch) >= LINES_PER_COMMIT or characters >= CHARACTERS_PER_COMMIT:
            await intake.store(engine, batch)
            batch, characters = [], 0
    if batch:
        await intake.store(engine, batch)
    return await intake.answer(engine, wait)


def _shown(document: StoredDocument, *, with_text: bool) -> dict[str, Any]:
    text = {"text": document.text} if with_text else {}
    return {"document_id": document.id, **text, "metadata": document.metadata, "pending": document.pending}
