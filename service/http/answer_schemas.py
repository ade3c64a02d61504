"""What a question holds, and an answer, as OpenAPI shows them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.http.schemas import Asked, Hit, Query, Warned, Where, Whole

MAX_TURNS = 64
MAX_TURN_CHARACTERS = 32_768
MAX_PASSAGES = 20


class TurnBody(Asked):
    """What was said before."""

    role: Literal["user", "assistant"]
    content: Annotated[str, Field(max_length=MAX_TURN_CHARACTERS)]


class AnswerBody(Asked):
    """A question. Which language model answers is the operator's choice alone."""

    question: Query
    history: Annotated[list[TurnBody], Field(max_length=MAX_TURNS, default_factory=list)]
    where: Where = None
    k: Annotated[Whole, Field(ge=1, le=MAX_PASSAGES, description="Documents that the answer may rest on.")] = 6
    rewrite: Annotated[bool, Field(description="Take the history into what is searched for.")] = True
    stream: Annotated[bool, Field(description="Answer as server-sent events.")] = False

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": "Wie lange habe ich Urlaub?"}]})


class CitationModel(BaseModel):
    """Code points `start:end` of a document, which a sentence rests on."""

    document_id: str
    passage: int
    start: int
    end: int
    text: str


class SentenceModel(BaseModel):
    """A sentence of an answer; `start:end` are its code points there."""

    text: str
    start: int
    end: int
    supported: bool
    score: float
    citations: list[CitationModel]
    missing_numbers: list[str]


class AnswerModel(BaseModel):
    """An answer, each sentence of which was held against the passages it cites."""

    question: str
    query: str
    collection: str
    answer: str
    sentences: list[SentenceModel]
    sources: list[Hit]
    warnings: list[Warned]
    model: str
    timings_ms: dict[str, float]
