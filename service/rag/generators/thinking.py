"""What a model thinks before it answers is no part of the answer: `<think>…</think>` at its beginning is left out."""

OPENING, CLOSING = "<think>", "</think>"


class Thinking:
    """Leaves thoughts out of a text that comes in pieces."""

    def __init__(self) -> None:
        """Begin a text."""
        self._waiting = ""
        self._answering = False

    def add(self, piece: str) -> str:
        r"""Give what belongs to the answer.

        Example:
            >>> thinking = Thinking()
            >>> [thinking.add(piece) for piece in ("\n<thi", "nk>Hm", "m</think>", "\n\nYes", ".")]
            ['', '', '', 'Yes', '.']
        """
        if self._answering:
            return piece
        self._waiting += piece
        text = self._waiting.lstrip()
        if OPENING.startswith(text[: len(OPENING)]) and CLOSING not in text:
            return ""  # thoughts, or what may become some
        self._answering = not text.startswith(OPENING) or bool(text.partition(CLOSING)[2].strip())
        if not self._answering:
            return ""
        return text.partition(CLOSING)[2].lstrip() if text.startswith(OPENING) else self._waiting

    def end(self) -> str:
        """Give what waited and was no thought."""
        return "" if self._answering or self._waiting.lstrip().startswith(OPENING) else self._waiting
