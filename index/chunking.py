"""A document's passages, cut where the encoder's own tokens say that its budget ends.

What an encoder does not read cannot be found, so nothing is cut off: every visible code point of the text lies in a
passage, and every passage fits the budget as the encoder itself counts.
"""

from dataclasses import dataclass

import numpy as np
import regex

from index.blocks import Blocks
from index.language import language_of, language_within
from index.types import Passage, Span
from lfm2_colbert.encoders.base import Encoder, Spans
from lfm2_colbert.errors import InvalidArgumentError

WINDOW_CODE_POINTS = 50_000
# A pattern may look this far around a cut; enough for a heading's mark and a sentence's closing brackets.
CONTEXT_CODE_POINTS = 24
MOST_CODE_POINTS_OF_A_TOKEN = 16
"""On average; what is longer than that many for each token of the budget is not counted."""

# Before one of these is no grapheme boundary, unless a control character stands there; after PREPEND there is none
# before a space (UAX 29, rules GB4 to GB9b). That is all that a cut next to space or punctuation has to know.
EXTENDING = r"\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}"
CLOSING = r"\)\]\"'»”’」』）】〕》〉］"
LEADING_SPACE = regex.compile(rf"(?:[\t-\r\x1c-\x1f\x85\u2028\u2029]|\s(?![{EXTENDING}]))++")
PREPEND = regex.compile(r"\p{GCB=Prepend}")

SENTENCE_END = rf"""(?<=[.!?…‽][{CLOSING}]{{0,3}})(?=\s+[^\s\p{{Ll}}])
    | (?<=[。！？｡．؟۔।॥።፧။។៕༎][{CLOSING}]{{0,3}})(?![{CLOSING}{EXTENDING}])"""


@dataclass(frozen=True, slots=True)
class Boundary:
    """A kind of place to cut at.

    Attributes:
        place: matches the empty string there.
        least_fill: share of the passage's room that has to lie before it, else a weaker boundary is better.
    """

    place: "regex.Pattern[str]"
    least_fill: float


def _boundary(place: str, least_fill: float) -> Boundary:
    return Boundary(regex.compile(rf"(?r)(?:{place})", regex.VERBOSE), least_fill)


PARAGRAPH = _boundary(r"(?<=\n[\ \t\r]{0,16}\n) | (?<=\n)(?=\#{1,6}\s)", 0.5)
LINE = _boundary(r"(?<=[\n\v\f\x85\u2028\u2029])(?!\p{Ll})", 0.5)  # a small letter goes on with a wrapped line
SENTENCE = _boundary(SENTENCE_END, 0.4)
CLAUSE = _boundary(rf"(?<=[,;:–—])(?=\s) | (?<=[、，；：،؛፣፤])(?![{CLOSING}{EXTENDING}])", 0.6)
# Also what Thai and Lao have: they set a space where other scripts end a sentence.
SPACE = _boundary(r"(?<!\p{GCB=Prepend})(?=\s)", 0.25)
BOUNDARIES = (PARAGRAPH, LINE, SENTENCE, CLAUSE, SPACE)


def chunk(text: str, encoder: Encoder, *, budget: int | None = None, overlap: float = 0.2) -> list[Passage]:
    """Cut a text into passages of at most `budget` tokens, in reading order.

    A passage ends at the strongest boundary that leaves it reasonably full: paragraph, line, sentence, clause, space,
    grapheme cluster. A table or a block of code that fits into a passage is not cut. No passage begins or ends with
    white space. Time grows with the length of the text alone.

    Args:
        text: the document's text.
        encoder: whose tokens are counted.
        budget: tokens of a passage at most; by default all that the encoder reads of a document.
        overlap: share of the budget up to which a passage begins again with the last sentence of the one before,
            within a paragraph; 0 for none.

    Returns:
        No passage for a text of nothing but white space. A single code point that alone takes more tokens than the
        budget is a passage whose `tokens` say so.

    Raises:
        InvalidArgumentError: the budget is below 1, or the overlap not from 0 to 0.5.
    """
    budget = encoder.max_document_tokens if budget is None else budget
    if budget < 1:
        raise InvalidArgumentError(
            f"a passage needs a budget of at least 1 token, not {budget}", help="raise the budget"
        )
    if not 0 <= overlap <= 0.5:
        raise InvalidArgumentError(f"overlap must be from 0 to 0.5, not {overlap}", help="0.2 is the default")
    tokens = _TokenWindow(text, encoder, budget)
    blocks = Blocks(text)
    language = language_of(text)
    passages: list[Passage] = []
    fresh = start = _skip_space(text, 0)  # `fresh`: first code point that no passage holds yet
    while fresh < len(text):
        end, count = _passage_end(tokens, blocks, start, fresh)
        if end <= fresh:  # with the repeated sentence nothing new would fit
            start = fresh
            continue
        passages.append(Passage(len(passages), start, end, count, language_within(text[start:end], language)))
        fresh = _skip_space(text, end)
        start = _repeated_sentence(tokens, start, end, round(overlap * budget)) or fresh
    return passages


class _TokenWindow:
    """Where tokens begin, for a stretch of the text at a time: a large text never has all its tokens in memory."""

    def __init__(self, text: str, encoder: Encoder, budget: int) -> None:
        self.text = text
        self.budget = budget
        self._encoder = encoder
        self._begin = self._end = 0
        self._token_starts = np.empty(0, np.int64)

    def spans(self, start: int, end: int) -> Spans:
        """Give the spans of the stretch as a text of its own: what the encoder will see."""
        return self._encoder.token_spans([self.text[start:end]])[0]

    def reach(self, start: int) -> int:
        """Give the place where the budget ends for a passage that begins at `start`, as the whole text is tokenised."""
        last = self._first_token(start) + self.budget
        if last >= len(self._token_starts) and self._end < len(self.text) and self._begin < start:
            self._move(start)
            last = self.budget
        if last >= len(self._token_starts):
            return self._end
        return int(self._token_starts[last])

    def count(self, start: int, end: int) -> int:
        """Count the tokens that begin in a stretch of the passage found last."""
        return int(np.subtract(*np.searchsorted(self._token_starts, (end, start))))

    def _first_token(self, position: int) -> int:
        if position >= self._end:
            self._move(position)
        return int(np.searchsorted(self._token_starts, position))

    def _move(self, begin: int) -> None:
        self._begin, self._end = begin, min(begin + WINDOW_CODE_POINTS, len(self.text))
        self._token_starts = begin + self.spans(begin, self._end)[:, 0]


def _passage_end(tokens: _TokenWindow, blocks: Blocks, start: int, fresh: int) -> tuple[int, int]:
    """Find where the passage ends and how many tokens it then has.

    A part is not always tokenised as it was within the whole, so the count that decides is that of the part.
    """
    text = tokens.text
    kept = _end_if_fitting(tokens, blocks.at(start)) or 0  # nothing is cut before the end of such a block
    limit, fresh = max(tokens.reach(start), kept), max(fresh, kept - 1)
    while True:
        end = len(text) if limit >= len(text) else _cut(text, start, fresh, limit)
        end = _beside_block(tokens, blocks.cut_by(end), fresh, limit) or end
        end = _trim(text, start, end)
        spans = tokens.spans(start, end)
        if len(spans) <= tokens.budget or end <= start + 1:
            return end, len(spans)
        limit = max(start + 1, kept, min(start + int(spans[tokens.budget, 0]), end - 1))


def _beside_block(tokens: _TokenWindow, block: Span | None, fresh: int, limit: int) -> int | None:
    """Cut behind a block that a cut would part, if there is room for it, or before it, if it fits into a passage."""
    if block is None:
        return None
    if block.end <= limit:
        return block.end
    is_next = _skip_space(tokens.text, fresh) < block.start
    return block.start if is_next and _end_if_fitting(tokens, block) else None


def _end_if_fitting(tokens: _TokenWindow, block: Span | None) -> int | None:
    """Give the end of a block that fits into a passage."""
    if block is None or block.end - block.start > MOST_CODE_POINTS_OF_A_TOKEN * tokens.budget:
        return None
    return block.end if len(tokens.spans(block.start, block.end)) <= tokens.budget else None


def _cut(text: str, start: int, fresh: int, limit: int) -> int:
    """Choose the last place up to `limit` of the strongest boundary that offers one; after `fresh` if that can be."""
    for boundary in BOUNDARIES:
        least = max(fresh + 1, start + int(boundary.least_fill * (limit - start)))
        place = _last_place(boundary, text, least, limit)
        if place is not None:
            return place
    return _last_grapheme_end(text, start, limit)


def _last_place(boundary: Boundary, text: str, least: int, limit: int) -> int | None:
    # The pattern sees only what is handed over, hence the margins.
    margin = CONTEXT_CODE_POINTS
    for match in boundary.place.finditer(text, max(0, least - margin), min(len(text), limit + margin)):
        if match.start() < least:
            return None
        if match.start() <= limit:
            return int(match.start())
    return None


def _last_grapheme_end(text: str, start: int, limit: int) -> int:
    """Cut between grapheme clusters; a cluster that alone is over the budget is cut between code points."""
    end = start
    for match in regex.finditer(r"\X", text, pos=start, endpos=limit + 1):  # one more shows whether the last goes on
        if match.end() > limit:
            break
        end = match.end()
    return end if end > start else limit


def _repeated_sentence(tokens: _TokenWindow, start: int, end: int, room: int) -> int | None:
    """Give the start of the passage's last sentence, if the text flows on and the sentence is short."""
    text = tokens.text
    following = text[end : _skip_space(text, end)]
    if room == 0 or "\n" in following:
        return None
    # Look back no further than a sentence of `room` tokens can reach.
    least = max(start + 1, end - (end - start) // 2)
    places = [_last_place(boundary, text, least, end - 1) for boundary in (PARAGRAPH, LINE, SENTENCE)]
    sentence = _skip_space(text, max((place for place in places if place is not None), default=end))
    return sentence if sentence < end and tokens.count(sentence, end) <= room else None


def _skip_space(text: str, position: int) -> int:
    # A space that carries a combining mark is no white space, but the visible base of the mark.
    space = LEADING_SPACE.match(text, position)
    return int(space.end()) if space else position


def _trim(text: str, start: int, end: int) -> int:
    trimmed = start + max(1, len(text[start:end].rstrip()))
    return trimmed + 1 if trimmed < end and PREPEND.match(text, trimmed - 1) else trimmed
