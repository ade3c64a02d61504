"""`lfm2-colbert collections`: what there is, and the two things one does to a whole collection."""

import click

from service.backend.base import backend_of
from service.cli import options
from service.cli.output import megabytes, print_json, print_line, print_table
from service.settings import Settings
from service.shapes import summary_as_json


@click.group(invoke_without_command=True)
@options.common_or_remote
@click.pass_context
def collections(context: click.Context, settings: Settings) -> None:
    """List collections; `delete` and `rename` them."""
    if context.invoked_subcommand:
        options.require_behind(context)
        return
    found = backend_of(settings).collections()
    if settings.as_json:
        print_json({"collections": [summary_as_json(summary) for summary in found]})
    elif found:
        print_table([(s.name, f"{s.documents:,} documents", megabytes(s.bytes), s.encoder) for s in found])
    else:
        print_line("no collections yet: lfm2-colbert index FOLDER")


@collections.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.common_or_remote
def delete(name: str, yes: bool, settings: Settings) -> None:
    """Remove a collection with all its documents."""
    backend = backend_of(settings)
    place = backend.place(name)
    if not yes:
        click.confirm(f"Delete {place} for good?", abort=True, err=True)
    backend.remove(name)
    print_json({"deleted": name}) if settings.as_json else print_line(f"deleted '{name}'")


@collections.command()
@click.argument("name")
@click.argument("new_name")
@options.common
def rename(name: str, new_name: str, settings: Settings) -> None:
    """Give a collection another name."""
    from index.catalog import rename as rename_collection

    rename_collection(settings.home, name, new_name)
    print_json({"renamed": name, "to": new_name}) if settings.as_json else print_line(f"'{name}' is now '{new_name}'")
