"""`lfm2-colbert rebuild`: every document encoded anew, from its stored text."""

import click

from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings


@click.command()
@options.collection
@click.option("--model", metavar="NAME", help="Encoder from now on.  [default: the one it has]")
@click.option("--codec", metavar="NAME", help="How vectors are stored from now on.  [default: as they are]")
@options.common
def rebuild(collection_name: str, model: str | None, codec: str | None, settings: Settings) -> None:
    """Encode all documents again, with another model if you like; the files they came from are not needed.

    The present index answers until the new one is complete. If it is interrupted, run it again: it goes on.
    """
    from index.collection import Collection
    from service.cli.progress import progress_bars

    with (
        Collection.open(
            collection_name, home=settings.home, device=settings.device, threads=settings.threads
        ) as collection,
        progress_bars() as bars,
    ):
        report = collection.rebuild(model, codec=codec, on_progress=bars.encoded)
        built = collection.settings
    if settings.as_json:
        print_json(
            {
                "collection": collection_name,
                "documents": report.documents,
                "passages": report.passages,
                "truncated": report.truncated,
                "encoder": {"name": built.encoder, "fingerprint": built.fingerprint},
                "codec": built.codec,
            }
        )
        return
    print_line(f"done    {report.documents:,} documents, {report.passages:,} passages encoded with {built.encoder}")
