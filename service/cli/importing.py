"""`lfm2-colbert import`: a collection that was made elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.backend.base import Build
from service.cli import options
from service.cli.interrupting import INTERRUPTED, finishing_first
from service.cli.output import print_json, print_line
from service.settings import Settings

if TYPE_CHECKING:
    from index import IndexReport

SHOWN_FAILURES = 20


@click.command("import")
@click.argument("source", type=click.Path(path_type=Path), metavar="SOURCE")
@options.collection
@options.build
@click.option("--text-field", default="text", show_default=True, help="The field or column that holds the text.")
@click.option("--strict", is_flag=True, help="Exit with 3 if any row failed.")
@options.common
def import_source(
    source: Path, collection_name: str, build: Build, text_field: str, strict: bool, settings: Settings
) -> int:
    """Import what `export collection` wrote, or the texts of others' collections; nothing is removed.

    SOURCE is an export; a file .tsv (ColBERT: id, text, title), .jsonl or .parquet (an id and a text); a folder with
    BEIR's corpus.jsonl, or with the metadata.db of fast-plaid. An export's vectors are taken as they are where encoder,
    codec and pooling are the same; all other texts are encoded. Ctrl-C ends it after the batch; run again, it goes on.
    """
    from index.importing.run import collection_for, import_into, open_source
    from service.cli.progress import progress_bars

    origin = open_source(source, text_field)
    with (
        collection_for(
            origin, collection_name, encoder=build.model, codec=build.codec, pool=build.pool,
            home=settings.home, device=settings.device, threads=settings.threads,
        ) as collection,
        progress_bars() as bars,
        finishing_first() as stopped,
    ):  # fmt: skip
        report = import_into(
            collection,
            origin,
            on_documents=lambda n: bars.counted("read", "documents", n, n),
            on_progress=bars.encoded,
            on_clustered=bars.clustered,
            stopped=stopped,
        )
        interrupted = stopped()
    if settings.as_json:
        print_json(_as_json(report))
    else:
        _print(report, collection_name)
    if interrupted:
        return INTERRUPTED
    return 3 if strict and report.failed else 0


def _as_json(report: "IndexReport") -> dict[str, object]:
    return {
        "documents": report.documents,
        "passages": report.passages,
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "encoded_passages": report.encoded_passages,
        "truncated": report.truncated,
        "failed": [{"path": f.path, "code": f.code, "message": f.message} for f in report.failed],
        "warnings": [{"code": n.code, "message": n.message} for n in report.notices],
        "seconds": round(report.seconds, 3),
    }


def _print(report: "IndexReport", collection_name: str) -> None:
    print_line(f"done    {report.documents:,} documents, {report.passages:,} passages in '{collection_name}'")
    print_line(
        f"        added {report.added:,} · changed {report.changed:,} · unchanged {report.unchanged:,}"
        f" · encoded {report.encoded_passages:,} passages · {report.seconds:.1f} s"
    )
    for notice in report.notices:
        print_line(f"note    {notice.message}")
    for failure in report.failed[:SHOWN_FAILURES]:
        print_line(f"failed  {failure.path}: {failure.code}: {failure.message}")
    if len(report.failed) > SHOWN_FAILURES:
        print_line(f"        … and {len(report.failed) - SHOWN_FAILURES} more: --json")
