"""An answer's text, made so that whoever shows it as Markdown or HTML loads nothing and follows nothing.

A poisoned document may have a language model write an image whose address holds what it read (EchoLeak,
CVE-2025-32711). So links and images are no links and images any more: a space parts what would make one. The words
stay. Pages that show answers still put them into text nodes; this is for chat programs that are not ours.
"""

import regex

UNSEEN = regex.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing around."""
BREAKS = (
    (regex.compile(r"\](?=[(\[:])"), "] "),  # [text](address), ![image](address), [text][name], [name]: address
    (regex.compile(r"<(?=[\p{L}/!?])"), "< "),  # <img>, </a>, <!-- -->, <https://…>
    (regex.compile(r"(?<=[A-Za-z]):(?=//)"), ": "),  # https://…, which many programs make a link of
    (regex.compile(r"(?i)(www)\.(?!\s)"), r"\1 ."),
    (regex.compile(r"(?i)(javascript|data|vbscript|file):(?!\s)"), r"\1: "),
)
UNDECIDED = regex.compile(r"(?i)(?:[\]<]+[a-z]{0,16}|[a-z]{1,16})(?::/?|\.)?$")
"""The end of a piece of text that may be the beginning of something to be parted: it waits for what follows."""
MOST_WAITING = 64


def harmless(text: str) -> str:
    """Make a whole text harmless.

    Example:
        >>> harmless("![x](http://evil.example/?q=1) <img src=//e> a < b")
        '![x] (http: //evil.example/?q=1) < img src=//e> a < b'
    """
    text = UNSEEN.sub("", text)
    for pattern, instead in BREAKS:
        text = pattern.sub(instead, text)
    return text


class Harmless:
    """Makes a text harmless that comes in pieces, whatever they are cut at."""

    def __init__(self) -> None:
        """Begin a text."""
        self._waiting = ""

    def add(self, piece: str) -> str:
        """Give what is decided."""
        text = self._waiting + UNSEEN.sub("", piece)
        undecided = UNDECIDED.search(text, max(0, len(text) - MOST_WAITING))
        cut = undecided.start() if undecided else len(text)
        self._waiting = text[cut:]
        return harmless(text[:cut])

    def end(self) -> str:
        """Give the rest."""
        rest, self._waiting = self._waiting, ""
        return harmless(rest)
