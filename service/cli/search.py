"""`lfm2-colbert search`: ask a collection."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from service.backend.base import Searching, backend_of
from service.cli import options
from service.cli.output import print_json, print_line
from service.cli.runs import Query, read_queries, write_run
from service.settings import Settings
from service.shapes import result_as_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from index import SearchResult
    from index.types import FacetValue

QUIET_NOTICES = frozenset({"score_uncalibrated"})
"""Told to programs in every answer; a person has it in `--help`."""


@click.command()
@click.argument("query", required=False)
@options.collection
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Documents to find.")
@click.option(
    "--effort",
    default="balanced",
    show_default=True,
    type=click.Choice(["fast", "balanced", "exact"]),
    help="How hard to look; exact scores every passage with every stored bit.",
)
@click.option("--where", metavar="FILTER", help='Only such passages, as in: lang = "de" and year >= 2024')
@click.option("--facet", "facets", multiple=True, metavar="FIELD", help="Count the documents there are by this field.")
@click.option(
    "--mode",
    default="hybrid",
    show_default=True,
    type=click.Choice(["hybrid", "semantic", "lexical"]),
    help="Go by meaning and words, by meaning alone, or by words alone.",
)
@click.option("--explain", is_flag=True, help="Show whole passages and where each word of the query was found.")
@options.shown
@options.batch
@options.common_or_remote
def search(
    query: str | None,
    collection_name: str,
    k: int,
    effort: str,
    where: str | None,
    facets: tuple[str, ...],
    mode: str,
    explain: bool,
    shown: options.Shown,
    batch: options.Batch,
    settings: Settings,
) -> None:
    """Find the documents that answer QUERY best, in whatever language they are written.

    The score lies between 0 and 1; `optimize` gives it a meaning. Nothing in QUERY is an operator.
    """
    from index.types import SearchOptions

    _require_one(query, facets, batch)
    wanted: dict[str, Any] = {
        "k": k,
        "effort": effort,
        "mode": mode,
        "where": where,
        "options": SearchOptions(**asdict(shown)),
    }
    with backend_of(settings).searching(collection_name) as collection:
        if query is None:
            assert batch.queries is not None
            _Batch(collection, read_queries(batch.queries), wanted, settings).run(batch.trec, explain=explain)
            return
        result = collection.search(query, **wanted)
        counted = {field: collection.facets(field, where=where) for field in facets}
        passages = collection.counts().passages
    if settings.as_json:
        print_json(result_as_json(result, collection_name, explain=explain) | _facets_as_json(counted))
        return
    _print(result, passages, explain=explain)
    for field, values in counted.items():
        print_line(f"{field}: {' · '.join(f'{_shown(each.value)} {each.documents:,}' for each in values)}")


def _require_one(query: str | None, facets: tuple[str, ...], batch: options.Batch) -> None:
    if (query is None) == (batch.queries is None):
        raise click.UsageError("give either a QUERY or --queries FILE")
    if batch.trec is not None and batch.queries is None:
        raise click.UsageError("--trec goes with --queries")
    if batch.queries is not None and facets:
        raise click.UsageError("--facet does not go with --queries")


@dataclass(frozen=True, slots=True)
class _Batch:
    """Many questions to a collection."""

    collection: Searching
    queries: list[Query]
    wanted: dict[str, Any]
    settings: Settings

    def run(self, trec: "Path | None", *, explain: bool) -> None:
        """Write a run, or print the hits of each question as they come: with --json an object a line."""
        if trec is not None:
            n_queries = write_run(trec, self._answers(highlight=False))
            if self.settings.as_json:
                print_json({"collection": self.collection.name, "queries": n_queries, "run": str(trec)})
            else:
                print_line(f"done    {n_queries:,} queries · {trec}")
            return
        passages = self.collection.counts().passages
        for query, result in self._answers(highlight=True):
            if self.settings.as_json:
                print_json({"_id": query.query_id, **result_as_json(result, self.collection.name, explain=explain)})
            else:
                print_line(f"{query.query_id}  {query.text}")
                _print(result, passages, explain=explain)

    def _answers(self, *, highlight: bool) -> Iterator[tuple[Query, "SearchResult"]]:
        results = self.collection.search_batch(
            [query.text for query in self.queries], highlight=highlight, **self.wanted
        )
        return zip(self.queries, results, strict=True)


def _facets_as_json(counted: "Mapping[str, list[FacetValue]]") -> dict[str, Any]:
    if not counted:
        return {}
    return {"facets": {field: [asdict(each) for each in values] for field, values in counted.items()}}


def _shown(value: bool | int | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _print(result: "SearchResult", n_passages: int, *, explain: bool) -> None:
    from rich.console import Console

    from service.cli.hits import print_hits

    print_hits(Console(highlight=False), result, whole=explain)
    for notice in result.warnings:
        if notice.code not in QUIET_NOTICES:
            print_line(f"warning[{notice.code}] {notice.message}", err=True)
    steps = ("encode", "search", "explain")
    spent = " · ".join(f"{name} {result.timings_ms[name]:.0f}" for name in steps)
    print_line(f"{len(result)} of {n_passages:,} passages · ms: {spent}", err=True)
