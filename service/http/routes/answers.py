"""Answers out of a collection."""

from itertools import count
from typing import Any

from fastapi import APIRouter

from service.http.access import Body, needs
from service.http.answer_schemas import AnswerBody, AnswerModel
from service.http.context import GuardedRoute, Json, Name, TheAnswerer, TheAnswerGate, TheEngine, answers
from service.http.event_stream import EventStream, Making, written
from service.http.refusals import Refusal
from service.keys import Role
from service.rag.answering import Asking
from service.rag.events import Answered, Event, Judged, SourcesFound, Words
from service.rag.generators.base import Turn
from service.rag.knowledge import Served
from service.rag.shapes import answer_as_json, sentence_as_json, sources_as_json, warnings_as_json

router = APIRouter(route_class=GuardedRoute, tags=["answers"])
STREAMED = "Or, with `stream`, events `sources`, `delta`, `citation` and at last `done` or `failed`."


@router.post(
    "/v1/collections/{name}/answer",
    responses=answers(body=True, also=(409,))
    | {200: {"model": AnswerModel, "description": STREAMED, "content": {"text/event-stream": {}}}},
    response_model=None,
)
@needs(Role.READ, body=Body.JSON, open_ended=True, scope="name")
async def answer(
    name: Name, body: AnswerBody, engine: TheEngine, answerer: TheAnswerer, gate: TheAnswerGate
) -> Json | EventStream:
    """Answer a question from the collection; each sentence says which passages it rests on."""
    knowledge, asking = Served(engine, name), asking_of(body)
    if body.stream:
        making = Making(answerer.events(knowledge, asking), gate)
        events = Events()
        return EventStream(making, await making.first(), events.written, events.failed)
    async with gate.pass_through():
        return Json(answer_as_json(await answerer.answer(knowledge, asking)))


def asking_of(body: AnswerBody) -> Asking:
    """Give what an answerer is asked."""
    history = tuple(Turn(turn.role, turn.content) for turn in body.history)
    return Asking(body.question, history, body.where, body.k, body.rewrite)


class Events:
    """Writes what happens as events with ascending ids."""

    def __init__(self) -> None:
        """Count from 1."""
        self._numbers = count(1)

    def written(self, event: Event) -> str:
        """Write an event."""
        name, data = _named(event)
        return written(name, data, next(self._numbers))

    def failed(self, refusal: Refusal) -> str:
        """Write that there is no more to come, and why."""
        data = {"code": refusal.code, "message": refusal.detail, "hint": refusal.hint}
        return written("failed", data, next(self._numbers))


def _named(event: Event) -> tuple[str, dict[str, Any]]:
    if isinstance(event, SourcesFound):
        sources, warnings = sources_as_json(event.sources), warnings_as_json(event.warnings)
        return "sources", {"query": event.query, "sources": sources, "warnings": warnings}
    if isinstance(event, Words):
        return "delta", {"text": event.text}
    if isinstance(event, Judged):
        return "citation", sentence_as_json(event.sentence)
    return "done", _done(event)


def _done(event: Answered) -> dict[str, Any]:
    """Give the end of an answer; its sources were told at the start."""
    whole = answer_as_json(event.answer)
    return {name: whole[name] for name in ("answer", "sentences", "warnings", "model", "timings_ms")}
