"""`lfm2-colbert rerank`: put files in the order in which they answer a question, without a collection."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from index.types import Document, Failure, Hit, Notice, SearchResult, Span
from service.backend.base import backend_of
from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings

if TYPE_CHECKING:
    from index import Ranked


@click.command()
@click.argument("query")
@click.argument("paths", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Documents to show.")
@click.option("--model", metavar="NAME", help="Encoder: nano, a model folder, …  [default: nano]")
@click.option("--strict", is_flag=True, help="Exit with 3 if any file failed.")
@options.common_or_remote
def rerank(query: str, paths: tuple[Path, ...], k: int, model: str | None, strict: bool, settings: Settings) -> int:
    """Order files by how well they answer QUERY; nothing is stored.

    Reads what `index` reads; of a folder all it holds. The score orders these
    documents and is no probability.
    """
    given = _Given.of(paths)
    ranked = backend_of(settings).rerank(query, [document.text for document in given.documents], model, k)
    if settings.as_json:
        print_json({"query": query} | _as_json(ranked, given))
    else:
        _print(query, ranked, given)
    return 3 if strict and given.failed else 0


@dataclass(frozen=True, slots=True)
class _Given:
    """What the files hold, in their order."""

    documents: list[Document] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    @classmethod
    def of(cls, paths: Sequence[Path]) -> "_Given":
        """Read files and folders."""
        given = cls()
        for each in _read(paths):
            if isinstance(each, Document):
                given.documents.append(each)
            elif isinstance(each, Failure):
                given.failed.append(each)
            else:
                given.notices.append(each)
        return given


def _read(paths: Sequence[Path]) -> Iterator[Document | Failure | Notice]:
    """Give what is in files under the names that were typed, for two folders may hold files of the same name."""
    from index.reading.base import SourceFile
    from index.reading.files import FileReader
    from index.reading.scan import scan

    with FileReader() as reader:
        for path, entry in ((each, entry) for each in paths for entry in scan(each)):
            if isinstance(entry, SourceFile):
                yield from reader.read(SourceFile(entry.path, click.format_filename(entry.path)))
            elif isinstance(entry, Failure):
                place = path if entry.path == path.name else path / entry.path
                yield replace(entry, path=click.format_filename(place))
            else:
                yield entry


def _as_json(ranked: "Sequence[Ranked]", given: _Given) -> dict[str, Any]:
    from index.fusion import Mode
    from index.hits import uncalibrated

    results = [
        {"rank": rank, "document_id": document.id, **asdict(each), "text": document.text}
        for rank, each in enumerate(ranked, start=1)
        for document in (given.documents[each.index],)
    ]
    notices = [*given.notices, uncalibrated(Mode.SEMANTIC)]
    return {"results": results, "failed": list(map(asdict, given.failed)), "warnings": list(map(asdict, notices))}


def _print(query: str, ranked: "Sequence[Ranked]", given: _Given) -> None:
    from rich.console import Console

    from service.cli.hits import print_hits

    hits = [_hit(rank, each, given.documents[each.index]) for rank, each in enumerate(ranked, start=1)]
    print_hits(Console(highlight=False), SearchResult(query, tuple(hits)))
    for notice in given.notices:
        print_line(f"note    {notice.message}", err=True)
    for failure in given.failed:
        print_line(f"failed  {failure.path}: {failure.code}: {failure.message}", err=True)
    print_line(f"{len(hits)} of {len(given.documents):,} documents", err=True)


def _hit(rank: int, ranked: "Ranked", document: Document) -> Hit:
    """Show a document as a search would, if it were one passage."""
    from index.language import language_of

    return Hit(
        rank=rank,
        document_id=document.id,
        passage=0,
        score=ranked.score,
        raw_score=ranked.raw_score,
        text=document.text,
        span=Span(0, len(document.text)),
        language=language_of(document.text),
        metadata=document.metadata,
        highlights=ranked.highlights,
    )
