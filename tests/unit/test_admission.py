"""So many at once, a few more wait, the rest is refused: counted one by one."""

import asyncio
from functools import partial

import pytest

from service.http.admission import DELAYED, Gate
from service.http.refusals import Refusal


async def asked_at_once(gate: Gate, n: int) -> tuple[list[str], int]:
    """Let `n` come at the same time; give what became of each, and how many were inside at once at most."""
    inside: list[int] = []
    most = 0

    async def ask(number: int) -> str:
        nonlocal most
        try:
            async with gate.pass_through():
                inside.append(number)
                most = max(most, len(inside))
                await asyncio.sleep(0.001)
                inside.remove(number)
        except Refusal as refusal:
            return refusal.code
        return "answered"

    return await asyncio.gather(*(ask(number) for number in range(n))), most


@pytest.mark.parametrize(("answering", "waiting"), [(1, 0), (2, 3), (3, 0)])
def test_the_first_are_answered_and_the_rest_is_refused(answering: int, waiting: int) -> None:
    async def walk() -> None:
        gate, room = Gate(answering, waiting, 0.0), answering + waiting
        for _ in range(2):  # nothing is left of the first time
            assert await asked_at_once(gate, room + 4) == (["answered"] * room + ["overloaded"] * 4, answering)

    asyncio.run(walk())


def test_who_is_on_the_way_takes_room_until_the_loop_has_come_to_him() -> None:
    async def walk() -> None:
        gate = Gate(1, 1, 0.0)
        gate.expect()
        assert not gate.is_full()
        gate.expect()
        assert gate.is_full()
        await gate.require_room()  # for those who are on the way
        await asyncio.sleep(0)
        assert not gate.is_full()

    asyncio.run(walk())


def test_who_goes_while_he_waits_leaves_room() -> None:
    async def walk() -> None:
        gate = Gate(1, 1, 0.0)
        async with gate.pass_through():
            waiting = asyncio.ensure_future(gate.pass_through().__aenter__())
            await asyncio.sleep(0)
            assert gate.is_full()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert not gate.is_full()

    asyncio.run(walk())


def test_refusals_are_late_in_their_order_and_at_once_where_too_many_wait() -> None:
    async def walk() -> None:
        gate, said = Gate(1, 0, 0.03), list[int]()
        for number in range(DELAYED + 1):
            gate.in_time(partial(said.append, number))
        assert said == [DELAYED]
        await asyncio.sleep(0.01)
        gate.in_time(partial(said.append, -1))
        assert said == [DELAYED, -1]
        while len(said) < DELAYED + 2:
            await asyncio.sleep(0.001)
        assert said[2:] == list(range(DELAYED))
        gate.in_time(partial(said.append, -2))
        assert said[-1] != -2
        while said[-1] != -2:
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(walk(), 30))
