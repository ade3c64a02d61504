"""A body may come in any pieces: what is read of it is the same, up to the same bound."""

import asyncio
from collections.abc import Iterator, Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from service.http.bodies import Message, pieces_of
from service.http.refusals import Refusal


async def read(pieces: Sequence[bytes], most_bytes: int) -> tuple[bytes, str]:
    """Give what was read, and the code of the refusal that ended it."""
    coming: Iterator[Message] = (
        {"type": "http.request", "body": piece, "more_body": n < len(pieces)} for n, piece in enumerate(pieces, start=1)
    )

    async def receive() -> Message:
        return next(coming)

    found = b""
    try:
        async for piece in pieces_of(receive, most_bytes, 10.0):
            found += piece
    except Refusal as refusal:
        return found, refusal.code
    return found, ""


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8), st.integers(1, 100))
@example([b"x" * 40], 10)
def test_how_a_body_is_cut_decides_nothing(pieces: list[bytes], most_bytes: int) -> None:
    body = b"".join(pieces)
    expected = (body[:most_bytes], "body_too_large" if len(body) > most_bytes else "")
    assert asyncio.run(read(pieces, most_bytes)) == expected
