"""Where the sentences of a text are, in any script.

Latin, Arabic, Cyrillic and Devanagari end sentences by marks, Chinese and Japanese without a space behind them; Thai,
Lao and Khmer have none and set a space. A line is a sentence wherever it ends, since lists have no marks.
"""

from dataclasses import dataclass
from itertools import pairwise

import regex

from index.chunking import CLOSING, EXTENDING

SHORT = (
    r"(?:\b(?:\p{Lu}|\p{L}\.\p{L}|Dr|Mr|Mrs|Ms|Prof|St|Sr|Sra|Jr|Nr|No|Art|Abs|Bd|bzw|ca|vgl|etc|vs|z|Fig|Abb|Mme|Nº|pág"
    r"|Mt|Gen|Col|Lt|Hr|Fr|Inc|Ltd|Co|approx|ggf|usw|inkl|max|min|ul|св|ул|г|им)|(?<![\p{N}.,])\p{N}{1,2})"
)
"""What a full stop belongs to: initials, abbreviations, and ordinals as German writes them."""
END = regex.compile(
    rf"""(?<=[!?…‽][{CLOSING}“]{{0,3}})(?=\s+[^\s\p{{Ll}}])
    | (?<=\.[{CLOSING}“]{{0,3}})(?<!(?:^|[\s(\[«„“"']){SHORT}\.)(?=\s+[^\s\p{{Ll}}])
    | (?<=[。！？｡．؟۔।॥።፧။។៕༎][{CLOSING}]{{0,3}})(?![{CLOSING}{EXTENDING}])
    | (?<=[\p{{Thai}}\p{{Lao}}\p{{Khmer}}\p{{N}}]{{12}})(?=\s+[\p{{Thai}}\p{{Lao}}\p{{Khmer}}])
    | (?=[\n\v\f\x85\u2028\u2029])""",
    regex.VERBOSE,
)
LETTER = regex.compile(r"[\p{L}\p{N}]")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Code points ``start:end`` of a text, without white space at either end."""

    start: int
    end: int


def sentences(text: str) -> list[Sentence]:
    """Find the sentences of a text; what holds neither letter nor digit belongs to none.

    Example:
        >>> text = "Am 3. Mai kam Dr. Wu. 東京は首都です。「はい。」"
        >>> [text[each.start : each.end] for each in sentences(text)]
        ['Am 3. Mai kam Dr. Wu.', '東京は首都です。', '「はい。」']
    """
    places = [0, *dict.fromkeys(int(match.start()) for match in END.finditer(text)), len(text)]
    pieces = (_trimmed(text, start, end) for start, end in pairwise(places))
    return [piece for piece in pieces if LETTER.search(text, piece.start, piece.end)]


def _trimmed(text: str, start: int, end: int) -> Sentence:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    return Sentence(start + left, max(start + left, end - len(piece) + len(piece.rstrip())))
