"""The programmes of `benchmarks.serving`, a little of each; whole they make ``benchmarks/results/service.json``."""

import json

import pytest

from benchmarks.results_file import RESULTS, ROOT
from benchmarks.serving.poison import FACETS, HONEST, Hostile, feed, hand_made
from benchmarks.serving.programmes import PROGRAMMES
from index.selection import FacetValue
from service.engine.engine import Engine

HARMLESS = ("S1", "S2", "S6", "S7", "S8", "S13")
"""Those whose short form takes seconds."""


@pytest.mark.parametrize("name", HARMLESS)
def test_a_server_stands_it(name: str) -> None:
    outcome = PROGRAMMES[name].brief()
    assert outcome.runs > 0
    assert outcome.violations == []


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMMES)
def test_a_server_stands_all_of_it(name: str) -> None:
    assert PROGRAMMES[name].run(PROGRAMMES[name].size).violations == []


def test_there_are_as_many_hostile_requests_as_were_promised() -> None:
    assert len({(each.method, each.path, each.body, each.headers, each.query) for each in hand_made()}) >= 400


def test_the_harness_sees_a_server_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*asked: object) -> list[FacetValue]:
        raise KeyError

    monkeypatch.setattr(Engine, "facets", broken)
    honest = Hostile("honest", "POST", FACETS, json.dumps(HONEST[FACETS]).encode())
    assert feed(iter([honest])).violations == ["honest: status 500"]


def test_every_programme_is_in_the_published_figures() -> None:
    rows = {row["test"]: row for row in json.loads((ROOT / RESULTS / "service.json").read_text("utf-8"))["rows"]}
    assert rows.keys() >= PROGRAMMES.keys()
