"""`lfm2-colbert pull`: weights of the hub, brought here, or to a machine without a network."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lfm2_colbert.errors import InvalidArgumentError, LicenceNotAcceptedError
from service.cli import options
from service.cli.output import megabytes, print_json, print_line, print_table
from service.settings import Settings

if TYPE_CHECKING:
    from lfm2_colbert.hub import HubModel

Bring = Callable[["HubModel", Path], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Brought:
    """A model that is where it was to be.

    Attributes:
        model: which.
        folder: where.
        sums: its files, with the sha256 of each.
    """

    model: "HubModel"
    folder: Path
    sums: dict[str, str]

    @property
    def bytes(self) -> int:
        """Size of all its files."""
        return sum((self.folder / name).stat().st_size for name in self.sums)


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--to", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Put a copy there, to be carried to a machine without a network.",
)  # fmt: skip
@click.option(
    "--from-dir", "source", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
    help="Take what --to put there, all of it or the models named, instead of asking the hub.",
)  # fmt: skip
@click.option("--accept-licence", "--yes", "yes", is_flag=True, help="Accept the licence of the weights unasked.")
@options.common
def pull(models: tuple[str, ...], to: Path | None, source: Path | None, yes: bool, settings: Settings) -> None:
    """Fetch encoders and language models from the hub at a pinned revision; interrupted, it goes on where it was.

    MODEL is lfm2-colbert-350m, lfm2.5-colbert-350m, or owner/name@ and the 40 digits of a commit. Language models, as
    lfm2-1.2b-rag, are named with the commit you trust: lfm2-1.2b-rag@COMMIT.
    """
    from lfm2_colbert.pulling.names import carried, pullable

    if to and source:
        raise InvalidArgumentError(
            "--to and --from-dir exclude each other", help="carry with --to, take with --from-dir"
        )
    wanted = carried(source, models) if source else [pullable(name) for name in models]
    if not wanted:
        raise InvalidArgumentError("no model was named", help=f"name one or more: {', '.join(_known())}")
    for licence in dict.fromkeys(model.licence for model in wanted):
        _require_accepted(licence, [model for model in wanted if model.licence == licence], yes, settings)
    brought = [_brought(model, to, source) for model in wanted]
    _show(brought, to, settings)


def _known() -> tuple[str, ...]:
    from lfm2_colbert.pulling.names import KNOWN

    return KNOWN


def _require_accepted(licence: str, models: list["HubModel"], yes: bool, settings: Settings) -> None:
    """Show the licence of weights that are about to come; ask, unless it was accepted before.

    Raises:
        LicenceNotAcceptedError: it is not accepted.
    """
    from lfm2_colbert.licences import SUMMARIES
    from service.licences import accept, accepted

    if licence not in SUMMARIES:
        for model in models:
            print_line(f"licence {model.repository}: {licence or 'not known here; its page on the hub says'}", err=True)
        return
    if licence in accepted(settings.home):
        return
    print_line(f"licence {licence}: {', '.join(model.repository for model in models)}", err=True)
    print_line(f"        {SUMMARIES[licence]}", err=True)
    print_line("        Its text is with the weights on the hub.", err=True)
    if not yes and not (sys.stdin.isatty() and click.confirm("Accept it?", err=True)):
        raise LicenceNotAcceptedError(
            f"the {licence} of these weights is not accepted", help="read it, and run again with --accept-licence"
        )
    accept(settings.home, licence)


def _brought(model: "HubModel", to: Path | None, source: Path | None) -> Brought:
    from lfm2_colbert.hub import cache_folder
    from lfm2_colbert.pulling.carrying import carry
    from lfm2_colbert.pulling.download import download
    from lfm2_colbert.pulling.placing import Place
    from service.cli.progress import progress_bars

    here = Place(cache_folder(), model)
    with progress_bars() as bars:
        print_line(f"pull    {model.repository}@{model.revision[:12]}", err=True)

        def told(done: int, total: int) -> None:
            bars.counted(model.name, "bytes", done, total)

        sums = carry(source / model.place, here, told) if source else download(here, told)
        if to is None:
            return Brought(model, here.folder, sums)
        there = Place(to, model)
        return Brought(model, there.folder, carry(here.folder, there, told))


def _show(brought: list[Brought], to: Path | None, settings: Settings) -> None:
    if settings.as_json:
        print_json({"models": [_as_json(each) for each in brought]})
        return
    print_table([row for each in brought for row in _rows(each)])
    if to:
        print_line(f"next    carry {to} to the other machine, and there: lfm2-colbert pull --from-dir {to.name}")
    elif encoders := [each.model.name for each in brought if "modules.json" in each.model.needed]:
        print_line(f"next    lfm2-colbert index FOLDER --model {encoders[0]}")
    else:
        print_line(f'next    lfm2-colbert ask --llm {brought[0].model.name} "your question"')


def _rows(each: Brought) -> Iterator[tuple[str, ...]]:
    yield each.model.name, megabytes(each.bytes), f"{len(each.sums)} files, sha256 ok", str(each.folder)


def _as_json(each: Brought) -> dict[str, Any]:
    model = each.model
    identity = {"name": model.name, "repository": model.repository, "revision": model.revision}
    return identity | {
        "licence": model.licence,
        "folder": str(each.folder),
        "bytes": each.bytes,
        "files": each.sums,
    }
