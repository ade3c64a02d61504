"""`lfm2-colbert status`: what a collection holds, and what is wrong with it."""

from dataclasses import asdict

import click

from service.cli import options
from service.cli.output import megabytes, print_json, print_line, print_table
from service.settings import Settings
from service.shapes import status_as_json


@click.command()
@options.collection
@click.option("--failed", is_flag=True, help="List the files that gave no document.")
@options.common
def status(collection_name: str, failed: bool, settings: Settings) -> None:
    """Show what a collection holds."""
    from index.home import collection_folder
    from index.recall_file import kept
    from index.records import DRIFT, RECALL
    from index.store import Store

    with Store.open(collection_folder(settings.home, collection_name), writable=False) as store:
        counts, built, failures, recall = store.counts(), store.settings, store.failures(), store.note(RECALL)
        fields, drift = store.fields.all(), store.note(DRIFT)
        live = kept(store.folder)
    if settings.as_json:
        known = (recall or {}) | ({"live": asdict(live)} if live else {})
        listed = {"failures": [asdict(f) for f in failures]} if failed else {}
        print_json(
            {
                **status_as_json(collection_name, counts, built, known),
                "drift": drift or {},
                "fields": [{**asdict(field), "documents": field.documents} for field in fields],
                **listed,
            }
        )
        return
    if failed:
        print_table([(f.path, f.code, f.message) for f in failures])
        return
    languages = "  ".join(f"{code} {n:,}" for code, n in sorted(counts.languages.items(), key=lambda item: -item[1]))
    pooling = f" · pool {built.pool}" if built.pool > 1 else ""
    print_line(f"collection  {collection_name}")
    print_line(f"documents   {counts.documents:,} ({counts.pending:,} pending, {counts.failed:,} files failed)")
    print_line(f"passages    {counts.passages:,} · {counts.tokens:,} tokens · {megabytes(counts.bytes)}")
    print_line(f"languages   {languages}")
    print_line(f"encoder     {built.encoder} · {built.dim} dimensions · {built.codec}{pooling}")
    listed_fields = [f"{field.name} ({', '.join(field.types)})" for field in fields]
    print_line(f"fields      {' · '.join(listed_fields)}")
    if recall:
        print_line(f"recall@10   {recall['recall_at_10']:.3f} of {recall['effort']} against exact search")
    if live:
        interval = f"{live.recall_at_10:.3f} ({live.low:.3f} to {live.high:.3f})"
        print_line(f"live        recall@10 {interval} of {live.queries} real queries")
    if drift:
        cosines = f"{drift['now']:.3f} now, {drift['trained']:.3f} when they were trained"
        print_line(f"drift       cosine of tokens with their centroids: {cosines}")
    if counts.pending:
        print_line("next        run `lfm2-colbert index` again: it finishes the pending documents")
