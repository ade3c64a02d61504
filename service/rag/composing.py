"""An answer as it is composed: words come in, words and judged sentences go out."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from index.sentences import Sentence
from lfm2_colbert.encoders.base import Encoder
from service.rag.answer import AnswerSentence
from service.rag.events import Judged, Words
from service.rag.generators.base import Piece
from service.rag.generators.thinking import Thinking
from service.rag.grounds import Ground
from service.rag.harmless import Harmless
from service.rag.knowledge import Knowledge
from service.rag.sentences import Writing
from service.rag.support import Verdict, judge

QUOTED = 1.0
"""Score of a sentence that was taken from where it is cited."""


@dataclass(slots=True)
class Composing:
    """What has been written of an answer.

    Attributes:
        knowledge: whose threads judge.
        encoder: of the collection.
        grounds: what sentences may cite; nothing else can be cited.
        most_characters: after so many, the rest is not taken.
        sentences: that are whole.
        cut: whether there was more.
    """

    knowledge: Knowledge
    encoder: Encoder
    grounds: Sequence[Ground]
    most_characters: int
    sentences: list[AnswerSentence] = field(default_factory=list)
    cut: bool = False
    _writing: Writing = field(default_factory=Writing)
    _harmless: Harmless = field(default_factory=Harmless)
    _thinking: Thinking = field(default_factory=Thinking)

    @property
    def text(self) -> str:
        """All words so far."""
        return self._writing.text

    async def take(self, piece: Piece) -> AsyncIterator[Words | Judged]:
        """Write on."""
        room = self.most_characters - len(self.text)
        self.cut = self.cut or len(piece.text) > room
        if piece.citation is not None:
            if not self.cut:
                for event in self._quoted(piece):
                    yield event
            return
        said = self._thinking.add(piece.text[:room])
        async for event in self._write(self._harmless.add(said)):
            yield event

    async def finish(self) -> AsyncIterator[Words | Judged]:
        """Judge what is left."""
        rest = self._harmless.add(self._thinking.end()) + self._harmless.end()
        async for event in self._write(rest):
            yield event
        for sentence in self._writing.end():
            yield await self._judged(sentence)

    def _quoted(self, piece: Piece) -> list[Words | Judged]:
        """Take a sentence that brings its own citation; it need not be judged."""
        text = self._harmless.add(piece.text) + self._harmless.end()
        start = len(self.text) + len(text) - len(text.lstrip())
        self._writing.text += text
        shown = text.strip()
        citations = (piece.citation,) if piece.citation else ()
        sentence = AnswerSentence(shown, start, start + len(shown), True, QUOTED, citations)
        self.sentences.append(sentence)
        self._writing.skip()
        return [Words(text), Judged(sentence)]

    async def _write(self, text: str) -> AsyncIterator[Words | Judged]:
        if not text:
            return
        whole = self._writing.add(text)
        yield Words(text)
        for sentence in whole:
            yield await self._judged(sentence)

    async def _judged(self, sentence: Sentence) -> Judged:
        text = self.text[sentence.start : sentence.end]
        verdict = await self.knowledge.run(lambda: judge(text, self.grounds, self.encoder))
        judged = _sentence(text, sentence, verdict)
        self.sentences.append(judged)
        return Judged(judged)


def _sentence(text: str, place: Sentence, verdict: Verdict) -> AnswerSentence:
    """Cite where the words are; what has nothing near it cites nothing."""
    citations = verdict.citations if verdict.near else ()
    missing = verdict.missing_numbers if verdict.near else ()
    return AnswerSentence(text, place.start, place.end, verdict.supported, verdict.score, citations, missing)
