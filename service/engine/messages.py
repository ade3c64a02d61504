"""What goes between a server and its search processes: two lengths, JSON, and the vectors of queries as they are.

Answers have the shape that every surface shows (`service.shapes`).
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.queries import Question, Window
from index.recall_file import Estimate
from index.request import Request
from index.types import SearchOptions, SearchResult
from lfm2_colbert.encoders.base import Spans
from lfm2_colbert.errors import Lfm2ColbertError, class_of
from service.results import result_of
from service.shapes import result_as_json

LENGTHS = struct.Struct("<QQ")
"""Bytes of JSON and of vectors."""
FLOATS = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a search process is asked.

    Attributes:
        collection: its name.
        questions: encoded; none: the collection is to be closed.
        request: what is wanted; None where nothing is asked.
    """

    collection: str
    questions: Sequence[Question]
    request: Request | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a search process says.

    Attributes:
        results: in the order of the questions.
        recall: what it knows about the recall of real queries of this collection.
        error: what went wrong instead.
    """

    results: Sequence[SearchResult] = ()
    recall: Estimate | None = None
    error: Lfm2ColbertError | None = None


def packed(message: Mapping[str, Any], vectors: bytes = b"") -> bytes:
    """Give a message as it goes over the wire."""
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return b"%b%b%b" % (LENGTHS.pack(len(body), len(vectors)), body, vectors)


def read_asked(body: bytes, vectors: bytes) -> Asked:
    """Read what is asked."""
    message = _read(body)
    values = iter(_arrays(vectors, message["shapes"]))
    questions = [
        Question(
            each["text"],
            tuple(Window(own["text"], own["start"], next(values), _spans(own["spans"])) for own in each["windows"]),
            each["encoder"],
        )
        for each in message["questions"]
    ]
    wanted = message["request"]
    request = wanted and Request(**{**wanted, "options": SearchOptions(**wanted["options"])})
    return Asked(message["collection"], questions, request)


def of_asked(asked: Asked) -> bytes:
    """Give the message that asks."""
    windows = [window for question in asked.questions for window in question.windows]
    message = {
        "collection": asked.collection,
        "questions": [_of_question(question) for question in asked.questions],
        "request": asked.request and asdict(asked.request),
        "shapes": [window.vectors.shape for window in windows],
    }
    return packed(message, b"".join(window.vectors.astype(FLOATS).tobytes() for window in windows))


def of_answered(answered: Answered, collection: str) -> bytes:
    """Give the message that answers."""
    error = answered.error
    return packed(
        {
            "results": [result_as_json(result, collection, explain=True) for result in answered.results],
            "recall": answered.recall and asdict(answered.recall),
            "error": error and {"code": error.code, "message": error.message, "help": error.help},
        }
    )


def read_answered(body: bytes) -> Answered:
    """Read an answer."""
    message = _read(body)
    recall, said = message["recall"], message["error"]
    error = said and (class_of(said["code"]) or Lfm2ColbertError)(said["message"], help=said["help"])
    return Answered(list(map(result_of, message["results"])), recall and Estimate(**recall), error)


def _of_question(question: Question) -> dict[str, Any]:
    windows = [
        {"text": own.text, "start": own.start, "spans": None if own.spans is None else own.spans.tolist()}
        for own in question.windows
    ]
    return {"text": question.text, "encoder": question.encoder, "windows": windows}


def _arrays(content: bytes, shapes: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
    """Cut vectors apart, each ``(n_q, dim)``."""
    sizes = [rows * columns for rows, columns in shapes]
    pieces = np.split(np.frombuffer(content, FLOATS), np.cumsum(sizes)[:-1]) if sizes else []
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def _spans(value: Any) -> Spans | None:
    return None if value is None else np.array(value, np.int64).reshape(-1, 2)


def _read(body: bytes) -> Any:
    return json.loads(body.decode("utf-8", "surrogatepass"))
