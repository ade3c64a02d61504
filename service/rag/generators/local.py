"""A language model of the LFM2 family in this process: loaded when it is first asked, one answer at a time."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from lfm2_colbert.generators.base import Writer
from lfm2_colbert.generators.chat import Message
from lfm2_colbert.generators.loading import load_writer, model_of
from lfm2_colbert.generators.models import Prompt
from service.rag.generators.base import Briefing, Piece, Turn
from service.rag.generators.choosing import Choice
from service.rag.generators.thinking import Thinking
from service.rag.prompt import documents_messages, messages, rewriting

ANSWER_TOKENS = 1024
QUESTION_TOKENS = 128
SEED = 0


class Local:
    """Asks a model in memory. See `Generator`."""

    rewrites = True

    def __init__(self, choice: Choice) -> None:
        """Load nothing yet.

        Raises:
            UnknownNameError: there is no model of this name.
        """
        self._choice = choice
        self._prompt = model_of(choice.llm, choice.model).prompt
        self._writer: Writer | None = None
        self._turn = asyncio.Lock()
        self.name = choice.model or choice.llm.rpartition("/")[2].partition("@")[0]
        self.context_tokens = choice.context_tokens

    async def write(self, briefing: Briefing) -> AsyncGenerator[Piece, None]:
        """Answer from the passages, as the words are generated."""
        write = documents_messages if self._prompt is Prompt.DOCUMENTS else messages
        async with aclosing(self._said(write(briefing), ANSWER_TOKENS)) as words:
            async for each in words:
                yield Piece(each)

    async def rewrite(self, history: Sequence[Turn], question: str) -> str:
        """Make a question that is understood without what was said before."""
        async with aclosing(self._said(rewriting(history, question), QUESTION_TOKENS)) as words:
            written = "".join([each async for each in words])
        return Thinking().add(written).strip().partition("\n")[0]

    async def close(self) -> None:
        """Let go of the model."""
        self._writer = None

    async def _said(self, prompt: Sequence[dict[str, str]], most_tokens: int) -> AsyncGenerator[str, None]:
        """Have a thread generate; when nobody listens any more, it stops before its next token."""
        loop, stopped = asyncio.get_running_loop(), threading.Event()
        words: asyncio.Queue[str | None] = asyncio.Queue()
        said = [Message(each["role"], each["content"]) for each in prompt]  # type: ignore[arg-type]

        def told(some: str) -> None:
            loop.call_soon_threadsafe(words.put_nowait, some)

        def generate() -> None:
            try:
                writer = self._loaded()
                writer.write(
                    said,
                    told,
                    stopped=stopped.is_set,
                    most_tokens=most_tokens,
                    seed=SEED,
                )
            finally:
                loop.call_soon_threadsafe(words.put_nowait, None)

        async with self._turn:
            generating = loop.run_in_executor(None, generate)
            try:
                while (each := await words.get()) is not None:
                    yield each
                await generating
            finally:
                stopped.set()
                await asyncio.wait({generating})

    def _loaded(self) -> Writer:
        if self._writer is None:
            choice = self._choice
            self._writer = load_writer(choice.llm, choice.model, device=choice.device, threads=choice.threads)
        return self._writer
