"""`lfm2-colbert status`: what a collection holds, and what is wrong with it."""

from typing import Any

import click

from service.backend.base import backend_of
from service.cli import options
from service.cli.output import megabytes, print_json, print_line, print_table
from service.settings import Settings


@click.command()
@options.collection
@click.option("--failed", is_flag=True, help="List the files that gave no document.")
@options.common_or_remote
def status(collection_name: str, failed: bool, settings: Settings) -> None:
    """Show what a collection holds."""
    found = backend_of(settings).status(collection_name, failed=failed)
    if settings.as_json:
        print_json(found)
    elif failed:
        print_table([(each["path"], each["code"], each["message"]) for each in found["failures"]])
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    encoder, recall, drift = found["encoder"], found["recall"], found["drift"]
    by_count = sorted(found["languages"].items(), key=lambda item: -item[1])
    pooling = f" · pool {encoder['pool']}" if encoder["pool"] > 1 else ""
    print_line(f"collection  {found['collection']}")
    print_line(f"documents   {found['documents']:,} ({found['pending']:,} pending, {found['failed']:,} files failed)")
    print_line(f"passages    {found['passages']:,} · {found['tokens']:,} tokens · {megabytes(found['bytes'])}")
    print_line(f"languages   {'  '.join(f'{code} {n:,}' for code, n in by_count)}")
    print_line(f"encoder     {encoder['name']} · {encoder['dim']} dimensions · {encoder['codec']}{pooling}")
    fields = [f"{each['name']} ({', '.join(each['types'])})" for each in found["fields"]]
    print_line(f"fields      {' · '.join(fields)}")
    if "recall_at_10" in recall:
        print_line(f"recall@10   {recall['recall_at_10']:.3f} of {recall['effort']} against exact search")
    if live := recall.get("live"):
        interval = f"{live['recall_at_10']:.3f} ({live['low']:.3f} to {live['high']:.3f})"
        print_line(f"live        recall@10 {interval} of {live['queries']} real queries")
    if drift:
        cosines = f"{drift['now']:.3f} now, {drift['trained']:.3f} when they were trained"
        print_line(f"drift       cosine of tokens with their centroids: {cosines}")
    if found["pending"]:
        print_line("next        run `lfm2-colbert index` again: it finishes the pending documents")
