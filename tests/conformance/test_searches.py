"""Threads and processes answer alike, and as the collection itself does."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from index import Collection, Document
from index.home import list_collections
from index.queries import Question, by_words, encode_questions
from index.request import Request
from index.types import SearchOptions, SearchResult
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import (
    CursorExpiredError,
    EnvironmentFault,
    InvalidFilterError,
    ModelMismatchError,
    NotFoundError,
    OverloadedError,
    QueryTooLongError,
)
from service.engine import processes
from service.engine.engine import Engine
from service.engine.processes import SearchProcesses
from service.engine.readers import Readers
from service.engine.searching import Searches, SearchThreads

ENCODER = HashingEncoder()
PETS = "pets"
TEXTS = {
    "de": "Der Hund schläft im Garten. Die Straße ist nass.",
    "ja": "犬は庭で眠る。東京は日本の首都です🐕‍🦺",
    "ar": "ينام الكلب في الحديقة. القاهرة عاصمة مصر",
    "ko": "개는 정원에서 잔다. 서울은 수도이다",
    "th": "สุนัขนอนในสวน กรุงเทพเป็นเมืองหลวง",
    "zh": "狗在花园里睡觉。北京是首都",
    "e\u0301": "Un chien dort. L'e\u0301te\u0301 est long 👩‍👧",
}
QUESTIONS = (
    "Wo schläft der Hund?", "東京 首都", "الكلب", "서울", "กรุงเทพ", "狗", "e\u0301te\u0301 👩‍👧", "Hund 犬 " * 400,
)  # fmt: skip
REQUESTS = (
    Request(),
    Request(k=2, mode="semantic", explain=False),
    Request(k=3, effort="exact", mode="semantic", where="n >= 2"),
    Request(mode="hybrid", fusion="rrf", highlight=False, where={"type": "eq", "key": "lang", "value": "ja"}),
    Request(k=4, options=SearchOptions(group_by="passage", neighbours=1, collapse=0.9, lang_balance=True)),
)
WAYS = ("threads", "processes")


@asynccontextmanager
async def searches_of(way: str, home: Path) -> AsyncIterator[Searches]:
    readers = Readers(home, 2, lambda name: Collection.open(name, encoder=ENCODER, home=home, threads=1))
    executor = ThreadPoolExecutor(2)
    threads = SearchThreads(readers, executor, lambda: list_collections(home))
    searches: Searches = threads if way == "threads" else SearchProcesses(home, 2)
    await searches.start()
    try:
        yield searches
    finally:
        await asyncio.to_thread(searches.close)
        readers.close()
        executor.shutdown()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pets(tmp_path: Path) -> Iterator[Collection]:
    with Collection.open(PETS, create=True, encoder=ENCODER, home=tmp_path) as collection:
        collection.add(documents())
        yield collection


def documents() -> list[Document]:
    return [
        Document(f"{language}/{n}", f"{text} {n}", {"n": n, "lang": language, "deep": {"x": [1, None, "ü🐈"]}})
        for language, text in TEXTS.items()
        for n in range(4)
    ]


def run(way: str, home: Path, ask: Callable[[Searches], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with searches_of(way, home) as searches:
            await asyncio.wait_for(ask(searches), 120)

    asyncio.run(whole())


def encoded(*texts: str) -> list[Question]:
    return encode_questions(texts, ENCODER, with_spans=True)


async def first(searches: Searches, text: str = "Hund", request: Request = REQUESTS[0]) -> SearchResult:
    (result,) = await searches.answer(PETS, encoded(text), request, None)
    return result


def told(result: SearchResult) -> SearchResult:
    """Leave out what differs from reader to reader."""
    return replace(result, timings_ms={}, cursor=None)


def test_answers_are_those_of_the_collection(way: str, pets: Collection, tmp_path: Path) -> None:
    async def ask(searches: Searches) -> None:
        for request in REQUESTS:
            found = await searches.answer(PETS, encoded(*QUESTIONS), request, None)
            for question, result in zip(QUESTIONS, found, strict=True):
                expected = pets.search(
                    question, k=request.k, effort=request.effort, mode=request.mode, fusion=request.fusion,
                    where=request.where, highlight=request.highlight, explain=request.explain, options=request.options,
                )  # fmt: skip
                assert told(result) == told(expected)
                assert result.timings_ms.keys() == expected.timings_ms.keys() - {"encode"}
        lexical = Request(mode="lexical")
        (by_word,) = await searches.answer(PETS, [by_words("Hund")], lexical, None)
        assert told(by_word) == told(pets.search("Hund", mode="lexical"))
        assert await searches.answer(PETS, [], lexical, None) == []

    run(way, tmp_path, ask)


def test_pages_go_on_where_they_began_whoever_else_asks(way: str, pets: Collection, tmp_path: Path) -> None:
    async def ask(searches: Searches) -> None:
        request, seen, beside = Request(k=5), list[str](), []
        cursor: str | None = None
        while True:
            beside.append(asyncio.create_task(first(searches, "東京")))
            number, _, own = (cursor or "").partition(".")
            asked = replace(request, options=SearchOptions(cursor=own or None))
            (page,) = await searches.answer(PETS, encoded("Hund"), asked, int(number) if number else None)
            seen += [hit.document_id for hit in page.hits]
            cursor = page.cursor
            if cursor is None:
                break
        await asyncio.gather(*beside)
        expected = pets.search("Hund", k=len(documents()))
        assert len(set(seen)) == len(seen) == len(expected.hits)

    run(way, tmp_path, ask)


def test_mistakes_have_the_error_they_have_without_a_server(way: str, pets: Collection, tmp_path: Path) -> None:
    async def ask(searches: Searches) -> None:
        with pytest.raises(NotFoundError):
            await searches.answer("none", encoded("Hund"), Request(), None)
        with pytest.raises(InvalidFilterError, match="no document has a field 'nothing'") as said:
            await searches.answer(PETS, encoded("Hund"), Request(where="nothing = 1"), None)
        assert said.value.help
        with pytest.raises(QueryTooLongError):
            await searches.answer(PETS, [by_words("x" * 9000)], Request(mode="lexical"), None)
        with pytest.raises(ModelMismatchError):
            await searches.answer(PETS, [replace(encoded("Hund")[0], encoder="another")], Request(), None)
        cursor = (await first(searches, request=Request(k=2))).cursor
        assert cursor is not None
        pets.add([Document("new", "Hund")])
        other = replace(Request(k=2), options=SearchOptions(cursor=cursor.partition(".")[2]))
        with pytest.raises(CursorExpiredError):  # the other reader does not hold the state it goes on in
            await searches.answer(PETS, encoded("Hund"), other, 1 - int(cursor.partition(".")[0]))

    run(way, tmp_path, ask)


def test_what_is_committed_is_found_by_the_next_question(way: str, pets: Collection, tmp_path: Path) -> None:
    async def ask(searches: Searches) -> None:
        for n in range(6):
            pets.add([Document(f"new{n}", f"Wombat{n}")])
            found = await asyncio.gather(*(first(searches, f"Wombat{n}") for _ in range(4)))
            assert {each.hits[0].document_id for each in found} == {f"new{n}"}
            pets.delete(f"new{n}")
            assert (await first(searches, f"Wombat{n}")).hits[0].document_id != f"new{n}"

    run(way, tmp_path, ask)


def test_who_goes_away_leaves_the_others_their_answers(way: str, pets: Collection, tmp_path: Path) -> None:
    async def ask(searches: Searches) -> None:
        asked = [asyncio.create_task(first(searches, f"Hund {n % 7}")) for n in range(40)]
        await asyncio.sleep(0)
        for place, each in enumerate(asked):
            if place % 3 == 0:
                each.cancel()
            if place % 8 == 0:
                await asyncio.sleep(0.002)
        found = await asyncio.gather(*asked, return_exceptions=True)
        for n, result in enumerate(found):
            if isinstance(result, SearchResult):
                assert told(result) == told(pets.search(f"Hund {n % 7}"))
            else:
                assert isinstance(result, asyncio.CancelledError)
        again = await asyncio.gather(*(first(searches) for _ in range(6)))
        assert [told(each) for each in again] == [told(pets.search("Hund"))] * 6

    run(way, tmp_path, ask)


def test_a_collection_that_was_dropped_may_come_again(way: str, tmp_path: Path) -> None:
    async def ask(searches: Searches) -> None:
        for name in ("one", "two"):
            with Collection.open(PETS, create=True, encoder=ENCODER, home=tmp_path) as made:
                made.add([Document(name, "Hund")])
            assert [hit.document_id for hit in (await first(searches)).hits] == [name]
            await searches.drop(PETS)
            for file in sorted((tmp_path / PETS).rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
            (tmp_path / PETS).rmdir()

    run(way, tmp_path, ask)


def pids(searches: Searches) -> list[int]:
    assert isinstance(searches, SearchProcesses)
    return searches.pids()


def test_a_process_that_is_killed_takes_no_answer_with_it(
    pets: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "AGAIN_SECONDS", 0.01)

    async def ask(searches: Searches) -> None:
        before, expected = pids(searches), told(pets.search("Hund"))
        for pid in before:  # while nobody asks
            os.kill(pid, signal.SIGKILL)
        assert [told(each) for each in await asyncio.gather(*(first(searches) for _ in range(8)))] == [expected] * 8
        while not set(before).isdisjoint(pids(searches)):
            await asyncio.sleep(0.02)
        await asyncio.gather(*(first(searches) for _ in range(8)))
        asked = [asyncio.create_task(first(searches)) for _ in range(30)]
        await asyncio.sleep(0.005)
        os.kill(pids(searches)[1], signal.SIGKILL)
        assert [told(each) for each in await asyncio.gather(*asked)] == [expected] * 30

    run("processes", tmp_path, ask)


def test_a_question_that_kills_each_process_is_refused_and_others_are_answered(
    pets: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "AGAIN_SECONDS", 0.01)

    async def ask(searches: Searches) -> None:
        with monkeypatch.context() as spoilt:
            spoilt.setattr("service.engine.processes.of_asked", lambda asked: b"\x02" + bytes(15) + b"{]")
            with pytest.raises(OverloadedError):
                await first(searches)
        assert told(await first(searches)) == told(pets.search("Hund"))

    run("processes", tmp_path, ask)


def test_processes_end_with_the_server(pets: Collection, tmp_path: Path) -> None:
    began: list[int] = []

    async def ask(searches: Searches) -> None:
        began.extend(pids(searches))
        os.kill(began[0], signal.SIGTERM)  # as to a whole group, when a server is stopped
        os.kill(began[1], signal.SIGINT)
        assert told(await first(searches)) == told(pets.search("Hund"))
        assert pids(searches) == began

    run("processes", tmp_path, ask)
    for pid in began:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_none_begins_after_the_end(pets: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "AGAIN_SECONDS", 0.3)
    searches = SearchProcesses(tmp_path, 2)

    async def whole() -> None:
        await searches.start()
        os.kill(searches.pids()[0], signal.SIGKILL)
        await asyncio.sleep(0.1)  # another one is to take its place
        await asyncio.to_thread(searches.close)
        await asyncio.sleep(0.4)

    asyncio.run(whole())
    for pid in searches.pids():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_one_that_cannot_begin_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "COMMAND", (sys.executable, "-c", "raise SystemExit(1)"))
    searches = SearchProcesses(tmp_path, 2)
    with pytest.raises(EnvironmentFault, match="before it was ready"):
        asyncio.run(searches.start())
    searches.close()


@pytest.mark.parametrize("n_processes", [0, 1])
def test_a_collection_that_another_process_rebuilds_is_searched_on(tmp_path: Path, n_processes: int) -> None:
    with Collection.open(PETS, create=True, encoder="hashing", home=tmp_path) as made:
        made.add(documents()[:2])

    async def whole() -> None:
        engine = Engine(tmp_path, "hashing", search_processes=n_processes)
        await engine.start()
        try:
            before = await engine.search(PETS, "Wo schläft der Hund?", Request())
            with Collection.open(PETS, home=tmp_path) as collection:
                assert told(before) == told(collection.search("Wo schläft der Hund?"))
                collection.rebuild("nano")
                after = await engine.search(PETS, "Wo schläft der Hund?", Request())
                expected = collection.search("Wo schläft der Hund?")
            scores = {hit.document_id: hit.raw_score for hit in expected}  # its encoder has other threads
            assert {hit.document_id: hit.raw_score for hit in after} == pytest.approx(scores, rel=1e-5)
            assert [hit.raw_score for hit in after] != [hit.raw_score for hit in before]
        finally:
            await asyncio.to_thread(engine.close)

    asyncio.run(whole())
