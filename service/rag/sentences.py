"""The sentences of a text while it is still being written."""

from dataclasses import dataclass, field

from index.sentences import Sentence, sentences


@dataclass(slots=True)
class Writing:
    """A text that grows; gives each sentence once it is whole.

    Attributes:
        text: all that was written.
    """

    text: str = ""
    _done: int = field(default=0)

    def add(self, piece: str) -> list[Sentence]:
        """Write on; give the sentences that what follows shows to be whole."""
        self.text += piece
        found = self._open()
        return self._given(found[:-1])

    def skip(self) -> None:
        """Take all that was written for given."""
        self._done = len(self.text)

    def end(self) -> list[Sentence]:
        """Give what is left."""
        return self._given(self._open())

    def _open(self) -> list[Sentence]:
        start = self._done
        return [Sentence(each.start + start, each.end + start) for each in sentences(self.text[start:])]

    def _given(self, found: list[Sentence]) -> list[Sentence]:
        if found:
            self._done = found[-1].end
        return found
