"""An OpenAI-compatible server whose answers are written by a function: it says, pauses and dies as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

DIE: Literal["\0die"] = "\0die"
"""In place of words: the connection ends, without a last event."""
MODEL = "scripted"

Script = Callable[[Mapping[str, Any]], Iterable[str | float]]
"""Gets the body of a request; gives words, or seconds to wait."""


@dataclass
class ScriptedModel:
    """A server that runs.

    Attributes:
        url: before ``/chat/completions``.
        requests: bodies that it was sent.
        headers: of each of them, names in lower case.
        said: pieces that clients took.
        left: answers that a client left before their end.
    """

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    said: int = 0
    left: int = 0


@contextmanager
def scripted(script: Script, *, status: int = 200, location: str = "") -> Iterator[ScriptedModel]:
    """Serve from threads of this process.

    Args:
        script: what it says.
        status: of answers.
        location: where a redirect leads.
    """
    model = ScriptedModel("")
    server = _Server(("127.0.0.1", 0), _Handler)
    server.model, server.script, server.status, server.location = model, script, status, location
    model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Server(ThreadingHTTPServer):
    """What its handlers share."""

    daemon_threads = True
    model: ScriptedModel
    script: Script
    status: int
    location: str


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: _Server

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """List the models."""
        self._whole({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        """Answer."""
        body, model = json.loads(self.rfile.read(int(self.headers["content-length"]))), self.server.model
        model.requests.append(body)
        model.headers.append({name.lower(): value for name, value in self.headers.items()})
        if self.server.status != 200:
            self._refuse()
        elif body.get("stream"):
            self._streamed(self.server.script(body))
        else:
            self._whole(_completion("".join(each for each in self.server.script(body) if isinstance(each, str))))

    def _refuse(self) -> None:
        self.send_response(self.server.status)
        self.send_header("location", self.server.location)
        self.send_header("content-length", "0")
        self.end_headers()

    def _whole(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _streamed(self, words: Iterable[str | float]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        try:
            for each in words:
                if each == DIE:
                    return
                self._say(each)
            self._send("[DONE]")
        except OSError:
            self.server.model.left += 1

    def _say(self, each: str | float) -> None:
        if isinstance(each, float):
            time.sleep(each)
            return
        self._send(json.dumps(_chunk(each)))
        self.server.model.said += 1

    def _send(self, data: str) -> None:
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()


def _chunk(words: str) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": words}}]}


def _completion(words: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": words}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
