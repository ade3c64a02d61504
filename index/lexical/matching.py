"""Which words of a passage a query's words found: what a search by words shows."""

from index.lexical.analysis import Token, tokens_of
from index.types import Match, Span


def match_words(query: str, text: str, start: int) -> tuple[Match, ...]:
    """Find every stretch of the text that shares a term with the query.

    Args:
        query: words that are asked for.
        text: of a passage.
        start: of the passage in the document, where its spans count.

    Returns:
        In the order of the text, each beside the first stretch of the query it came from; the score is 1.
    """
    asked = {term: token for token in reversed(list(tokens_of(query))) for term in token.terms}
    found = []
    for token in tokens_of(text):
        source = next((asked[term] for term in token.terms if term in asked), None)
        if source is not None:
            found.append(Match(_span(source), _span(token).moved(start), 1.0))
    return tuple(found)


def _span(token: Token) -> Span:
    return Span(token.start, token.end)
