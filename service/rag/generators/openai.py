"""A language model behind an OpenAI-compatible address: vLLM, llama.cpp, Ollama, LM Studio, `transformers serve`.

The address is the operator's, and it alone is asked: no redirect is followed, no proxy of the environment taken. What
comes back is bounded in size and time, and read as data.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import httpx2

from lfm2_colbert.errors import GenerationFailedError
from lfm2_colbert.generators.models import Prompt, served_as
from service.client.address import Address
from service.client.wire import options_of
from service.rag.generators.base import Briefing, Piece, Turn
from service.rag.generators.choosing import Choice
from service.rag.generators.thinking import Thinking
from service.rag.prompt import documents_messages, messages, rewriting

PAUSE_SECONDS = 30.0
"""Until the first word, and between two."""
CONNECT_SECONDS = 5.0
ANSWER_BYTES = 4 * 1024 * 1024
LINE_BYTES = 256 * 1024
ANSWER_TOKENS = 1024
QUESTION_TOKENS = 128
TEMPERATURE = 0.1
DATA = "data:"
END = "[DONE]"


class OpenAI:
    """Asks a server for chat completions. See `Generator`."""

    rewrites = True

    def __init__(self, choice: Choice) -> None:
        """Connect to nothing yet.

        Raises:
            InvalidArgumentError: the address, or the key, cannot be one.
        """
        self._address = Address.of(choice.llm, choice.key or None)
        self._model = choice.model
        self.context_tokens = choice.context_tokens
        self._http: httpx2.AsyncClient | None = None

    @property
    def name(self) -> str:
        """The model's name on the server."""
        return self._model or "openai"

    async def write(self, briefing: Briefing) -> AsyncGenerator[Piece, None]:
        """Answer from the passages, as the server's words come."""
        await self._find_model()
        model = served_as(self._model)
        write = documents_messages if model and model.prompt is Prompt.DOCUMENTS else messages
        body = self._body(write(briefing), ANSWER_TOKENS) | {"stream": True}
        async with aclosing(self._streamed(body)) as words:
            async for each in words:
                yield Piece(each)

    async def rewrite(self, history: Sequence[Turn], question: str) -> str:
        """Make a question that is understood without what was said before."""
        await self._find_model()
        body = self._body(rewriting(history, question), QUESTION_TOKENS)
        answer = await self._asked("POST", "/chat/completions", body)
        written = _content(answer, "message")
        return Thinking().add(written).strip().partition("\n")[0]

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _find_model(self) -> None:
        if not self._model:
            self._model = _first_model(await self._asked("GET", "/models", None))

    def _body(self, said: Sequence[Mapping[str, str]], most_tokens: int) -> dict[str, Any]:
        """Write a request; of how words are chosen it says what every server reads."""
        model = served_as(self._model)
        chosen: dict[str, float] = {"temperature": model.sampling.temperature if model else TEMPERATURE}
        if model and model.sampling.top_p < 1:
            chosen["top_p"] = model.sampling.top_p
        return {"model": self._model, "messages": said, "max_tokens": most_tokens, **chosen}

    async def _streamed(self, body: Mapping[str, Any]) -> AsyncGenerator[str, None]:
        """Give words as they come; an answer that was not streamed comes at once."""
        try:
            async with self._request("POST", "/chat/completions", body) as response:
                _require_success(response)
                if not response.headers.get("content-type", "").startswith("text/event-stream"):
                    yield _content(_read(await _collected(response)), "message")
                    return
                async with aclosing(_events(response)) as events:
                    async for event in events:
                        yield _content(event, "delta")
        except httpx2.HTTPError as error:
            raise _failed(error) from error

    async def _asked(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        try:
            async with self._request(method, path, body) as response:
                _require_success(response)
                return _read(await _collected(response))
        except httpx2.HTTPError as error:
            raise _failed(error) from error

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        if self._http is None:  # it belongs to the loop that asks first
            timeout = httpx2.Timeout(PAUSE_SECONDS, connect=CONNECT_SECONDS)
            self._http = httpx2.AsyncClient(**options_of(self._address, None), timeout=timeout)
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        return self._http.stream(method, self._address.url + path, content=content, headers=headers)


async def _events(response: httpx2.Response) -> AsyncGenerator[Any, None]:
    """Read server-sent events until the end is told, by an end mark or by a reason to finish.

    Raises:
        GenerationFailedError: the connection ended before that, or an event cannot be read.
    """
    waiting, n_bytes, finished = b"", 0, False
    async for piece in response.aiter_raw():
        n_bytes += len(piece)
        waiting += piece
        if n_bytes > ANSWER_BYTES or len(waiting) > LINE_BYTES + len(piece):
            raise GenerationFailedError("the language model's answer is too long", help="take another model")
        *lines, waiting = waiting.split(b"\n")
        for line in lines:
            data = _data(line)
            if data == END:
                return
            if data:
                event = _read(data.encode())
                finished = finished or _is_last(event)
                yield event
    if not finished:  # `transformers serve` ends without an end mark
        raise GenerationFailedError("the language model broke off", help="its server's log may say why")


def _is_last(event: Any) -> bool:
    """Whether a chunk says why there are no more words."""
    choices = event.get("choices") if isinstance(event, dict) else None
    return isinstance(choices, list) and any(isinstance(each, dict) and each.get("finish_reason") for each in choices)


def _data(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return text.removeprefix(DATA).strip() if text.startswith(DATA) else ""


async def _collected(response: httpx2.Response) -> bytes:
    pieces, n_bytes = [], 0
    async for piece in response.aiter_raw():
        n_bytes += len(piece)
        if n_bytes > ANSWER_BYTES:
            raise GenerationFailedError("the language model's answer is too long", help="take another model")
        pieces.append(piece)
    return b"".join(pieces)


def _require_success(response: httpx2.Response) -> None:
    """Refuse redirects and refusals, and what is packed, which was not asked for."""
    if not response.is_success:
        raise GenerationFailedError(
            f"the language model's server answered {response.status_code}", help="check its address, model and key"
        )
    if response.headers.get("content-encoding", "identity") != "identity":
        raise GenerationFailedError("the language model's answer is packed", help="let it be sent as it is")


def _read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise GenerationFailedError("the language model's server answered no JSON", help="check its address") from error


def _content(value: Any, where: str) -> str:
    """Read words out of a completion; reasoning, calls of tools and events without words hold none.

    Raises:
        GenerationFailedError: it is an error, or nothing of that kind.
    """
    if isinstance(value, dict) and value.get("error"):
        raise GenerationFailedError("the language model's server reports an error", help="its log says more")
    try:
        choices = value["choices"]
        content = choices[0][where].get("content") if choices else None
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise GenerationFailedError(
            "the language model's server answered in another shape", help="is it OpenAI-compatible? URLs end in /v1"
        ) from error
    return content if isinstance(content, str) else ""


def _first_model(value: Any) -> str:
    try:
        return str(value["data"][0]["id"])
    except (KeyError, IndexError, TypeError) as error:
        raise GenerationFailedError(
            "the language model's server lists no models", help="name one: --llm-model NAME"
        ) from error


def _failed(error: httpx2.HTTPError) -> GenerationFailedError:
    """Say what happened to a connection, without what was sent on it."""
    late = isinstance(error, httpx2.TimeoutException)
    unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
    what = "cannot be reached" if unsent else "took too long" if late else "broke off"
    return GenerationFailedError(f"the language model's server {what}", help="is it running, at this address?")
