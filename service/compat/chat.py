"""Chat programs that speak OpenAI's dialect, answered from a collection: it is the model that they choose."""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from index.home import COLLECTION_NAME
from index.queries import require_query
from index.types import Hit
from service.http.access import Body, needs
from service.http.context import GuardedRoute, Json, TheAnswerer, TheAnswerGate, TheCaller, TheEngine, answers
from service.http.event_stream import EventStream, Making
from service.http.guard import require_collection
from service.http.refusals import Refusal
from service.http.schemas import AnyJson, Asked, OpenlyAsked
from service.keys import Role
from service.rag.answer import Answer, AnswerSentence, Citation
from service.rag.answering import Asking
from service.rag.events import Answered, Event, SourcesFound, Words
from service.rag.generators.base import Turn
from service.rag.knowledge import Served
from service.rag.shapes import citation_as_json
from service.rag.wording import nothing_found
from service.shapes import source_of, title_of

MAX_MESSAGES = 256
MAX_CHARACTERS = 262_144
MAX_PARTS = 64
OWNER = "lfm2-colbert"
END = "data: [DONE]\n\n"
IGNORED = "Read, not obeyed."
Ignored = Annotated[AnyJson, Field(description=IGNORED)]

router = APIRouter(route_class=GuardedRoute, tags=["compatible"])


class Part(OpenlyAsked):
    """A part of a message; what is no text is passed over."""

    type: Annotated[str, Field(max_length=64)]
    text: Annotated[str, Field(max_length=MAX_CHARACTERS)] = ""


class Message(OpenlyAsked):
    """What was said. What a `system` says is not obeyed: the task is the server's own."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: (
        Annotated[str, Field(max_length=MAX_CHARACTERS)] | Annotated[list[Part], Field(max_length=MAX_PARTS)] | None
    ) = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class ChatBody(Asked):
    """A conversation; its last message is the question, `model` names a collection."""

    model: Annotated[str, Field(pattern=f"^{COLLECTION_NAME.pattern}$", max_length=64)]
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: Ignored = None
    temperature: Ignored = None
    top_p: Ignored = None
    top_k: Ignored = None
    min_p: Ignored = None
    n: Ignored = None
    stop: Ignored = None
    seed: Ignored = None
    max_tokens: Ignored = None
    max_completion_tokens: Ignored = None
    presence_penalty: Ignored = None
    frequency_penalty: Ignored = None
    repetition_penalty: Ignored = None
    logit_bias: Ignored = None
    logprobs: Ignored = None
    top_logprobs: Ignored = None
    response_format: Ignored = None
    tools: Ignored = None
    tool_choice: Ignored = None
    parallel_tool_calls: Ignored = None
    reasoning_effort: Ignored = None
    metadata: Ignored = None
    store: Ignored = None
    user: Ignored = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "handbook", "messages": [{"role": "user", "content": "Wie viel Urlaub?"}]}]
        }
    )

    def asking(self) -> Asking:
        """Give what an answerer is asked.

        Raises:
            Refusal: 422 ``invalid_request``: the last message is nobody's question.
            QueryTooLongError: it is too long to be searched for.
        """
        said = [message for message in self.messages if message.role in ("user", "assistant")]
        if not said or said[-1].role != "user":
            raise Refusal(422, "invalid_request", "The last message is no question.", "let a user message be the last")
        question = said[-1].text
        require_query(question)
        history = tuple(Turn(_role(each), each.text) for each in said[:-1])
        return Asking(question, history)


class ChatChoice(BaseModel):
    """The answer."""

    index: int
    message: dict[str, Any]
    finish_reason: str


class ChatCompletion(BaseModel):
    """An answer in OpenAI's shape; each citation is an annotation of its message."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]


class ChatModel(BaseModel):
    """A collection."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ChatModels(BaseModel):
    """The collections that the key may see."""

    object: Literal["list"]
    data: list[ChatModel]


@router.get("/v1/models", responses=answers((200, ChatModels)), response_model=None)
@needs(Role.READ)
async def list_models(engine: TheEngine, caller: TheCaller) -> Json:
    """List the collections that the key may see as models (OpenAI)."""
    created = await engine.created([name for name in engine.library.names() if caller.may_see(name)])
    data = [{"id": name, "object": "model", "created": at, "owned_by": OWNER} for name, at in sorted(created.items())]
    return Json({"object": "list", "data": data})


@router.post(
    "/v1/chat/completions",
    responses=answers(body=True, also=(409,)) | {200: {"model": ChatCompletion, "content": {"text/event-stream": {}}}},
    response_model=None,
)
@needs(Role.READ, body=Body.JSON, open_ended=True)
async def complete_chat(
    body: ChatBody, request: Request, engine: TheEngine, caller: TheCaller, answerer: TheAnswerer, gate: TheAnswerGate
) -> Json | EventStream:
    """Answer the last message of a conversation from a collection (OpenAI)."""
    require_collection(caller, body.model)
    knowledge, asking = Served(engine, body.model), body.asking()
    completion = Completion(body.model, f"{request.scope['scheme']}://{request.headers['host']}")
    if body.stream:
        making = Making(answerer.events(knowledge, asking), gate)
        return EventStream(making, await making.first(), completion.written, completion.failed, END)
    async with gate.pass_through():
        return Json(completion.whole(await answerer.answer(knowledge, asking)))


@dataclass(slots=True)
class Completion:
    """Gives an answer OpenAI's shape, whole or in chunks.

    Attributes:
        model: the collection.
        home: address of this server, as the client calls it.
    """

    model: str
    home: str
    _id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    _created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """Give it at once."""
        content = answer.answer + _behind(answer)
        message = {"role": "assistant", "content": content, "refusal": None, "annotations": self._annotations(answer)}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return self._named("chat.completion", [choice])

    def written(self, event: Event) -> str:
        """Write what an event becomes; the first one begins the message."""
        if isinstance(event, Words):
            return self._chunk({"content": event.text})
        if isinstance(event, Answered):
            last = {"content": _behind(event.answer), "annotations": self._annotations(event.answer)}
            return self._chunk(last) + self._chunk({}, "stop")
        return self._chunk({"role": "assistant", "content": ""}) if isinstance(event, SourcesFound) else ""

    def failed(self, refusal: Refusal) -> str:
        """Write what OpenAI's clients raise as an error."""
        error = {"message": refusal.detail, "type": "server_error", "code": refusal.code, "param": None}
        return f"data: {json.dumps({'error': error}, ensure_ascii=False)}\n\n"

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return f"data: {json.dumps(self._named('chat.completion.chunk', [choice]), ensure_ascii=False)}\n\n"

    def _named(self, kind: str, choices: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self.model, "choices": choices}

    def _annotations(self, answer: Answer) -> list[dict[str, Any]]:
        sources = {hit.document_id: hit for hit in answer.sources}
        return [
            self._annotation(sentence, citation, sources[citation.document_id])
            for sentence in answer.sentences
            if sentence.supported
            for citation in sentence.citations
        ]

    def _annotation(self, sentence: AnswerSentence, citation: Citation, hit: Hit) -> dict[str, Any]:
        """Say which stretch of the content rests on what; `citation` is ours, the rest OpenAI's."""
        own = f"{self.home}/v1/collections/{quote(self.model, safe='')}/documents/{quote(hit.document_id, safe='/')}"
        return {
            "type": "url_citation",
            "url_citation": {
                "start_index": sentence.start,
                "end_index": sentence.end,
                "title": title_of(hit.document_id, hit.metadata),
                "url": source_of(hit.metadata) or own,
            },
            "citation": citation_as_json(citation),
        }


def _behind(answer: Answer) -> str:
    """Say what programs that show no annotations must say too: what no passage says, or that none was found."""
    if not answer.sentences and not answer.answer.strip():
        return nothing_found(answer.question)
    doubtful = [f"⚠ “{sentence.text}”" for sentence in answer.sentences if not sentence.supported]
    return "\n\n" + "\n".join(doubtful) if doubtful else ""


def _role(message: Message) -> Literal["user", "assistant"]:
    return "user" if message.role == "user" else "assistant"
