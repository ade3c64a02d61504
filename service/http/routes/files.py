"""Files: read by the server as `lfm2-colbert index` reads them, and stored as the documents they hold."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from index.reading.formats import SHOWN, format_of
from index.types import Document, Failure
from service.engine.engine import Engine
from service.http.access import Body, needs
from service.http.context import GuardedRoute, Json, Name, TheConfig, TheEngine, answers
from service.http.documents import Line, judged
from service.http.guard import BODY
from service.http.routes.documents import Intake, Wait, answered
from service.http.schemas import StoredAnswer
from service.keys import Role

BODIES = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
FilePath = Annotated[
    str, Query(min_length=1, max_length=512, description="Name of the file; its suffix says what it is.")
]

router = APIRouter(route_class=GuardedRoute, tags=["documents"])


@router.post(
    "/v1/collections/{name}/files",
    responses=answers((200, StoredAnswer), (207, StoredAnswer), body=True, also=(409, 507)),
    response_model=None,
    openapi_extra=BODIES,
)
@needs(Role.WRITE, body=Body.RAW, open_ended=True, scope="name")
async def add_file(
    name: Name, path: FilePath, request: Request, engine: TheEngine, config: TheConfig, wait: Wait = "durable"
) -> Json:
    """Store what a file holds: one document under its name, or one for each row."""
    engine.library.readers.require(name)
    found = await _documents_in(request.scope["state"][BODY], path, engine)
    most = config.limits.document_bytes
    lines = [Line(number, _judged(each, most)) for number, each in enumerate(found, start=1)]
    intake = Intake(name, listed=("added", "changed", "unchanged", "failed"))
    await intake.store(engine, lines)
    return answered(await intake.answer(engine, wait))


async def _documents_in(content: bytes, name: str, engine: Engine) -> list[Document | Failure]:
    """Read a file: its name decides nothing but the reader, and what documents are called."""
    if format_of(name) is None:
        return [Failure(name, "unsupported_file", f"no reader knows this format; known: {SHOWN}")]
    return await engine.documents_in(content, name)


def _judged(found: Document | Failure, most_bytes: int) -> Document | Failure:
    return found if isinstance(found, Failure) else judged(found, most_bytes)
