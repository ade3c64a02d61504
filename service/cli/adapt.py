"""`lfm2-colbert adapt`: an encoder for one's own documents, offered only where it is surely better on them."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lfm2_colbert.errors import InvalidArgumentError
from service.cli import options
from service.cli.output import print_json, print_line, print_table
from service.settings import Settings, judge_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.adapting.documents import Folder
    from service.adapting.held_out import Gain
    from service.adapting.stages import Questions

HEADINGS, SERVER = "headings", "server"
SHOWN_FAILURES = 5
UNSUPPORTED = "unsupported_file"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="FOLDER")
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False), required=False, metavar="[RECIPE.toml]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
    help="Where all of it lives; the same again goes on from where it was.",
)  # fmt: skip
@click.option("--model", default="nano", show_default=True, metavar="NAME", help="Encoder that is adapted.")
@click.option(
    "--questions", type=click.Choice([HEADINGS, SERVER]), default=HEADINGS, show_default=True,
    help="Headings, titles and first sentences ask, or a language model writes questions.",
)  # fmt: skip
@click.option("--address", metavar="URL", help="Of the language model, as http://localhost:8000/v1.")
@click.option("--server-model", metavar="NAME", help="Of the model there; its key is read from LFM2_COLBERT_JUDGE_KEY.")
@options.common
def adapt(
    folder: Path,
    recipe: Path | None,
    output: Path,
    model: str,
    questions: str,
    address: str | None,
    server_model: str | None,
    settings: Settings,
) -> None:
    """Adapt an encoder to the documents in FOLDER by questions that are made of them.

    A quarter of the documents is held out: their questions are asked of the index as it is served, before and after.
    DIR/model is written only if the 95 % interval of the gain is above zero.
    """
    from service.adapting.stages import Adaptation, Wanted
    from service.cli.evaluation.progress import progress
    from service.cli.progress import progress_bars
    from service.cli.trained import prepared, told

    wanted = Wanted(folder, output, model, recipe, _writer(questions, address, server_model))
    adaptation = Adaptation(wanted, device=settings.device, threads=settings.threads)
    with progress_bars() as bars:
        found = adaptation.read(bars)
        asked = adaptation.ask(found, bars)
    if not settings.as_json:
        _show_questions(found, asked)
    with progress_bars() as bars:
        mined = adaptation.mine(bars)
    touched = adaptation.train(prepared, told)
    if not settings.as_json:
        _show_learned(mined, touched)
    with progress() as tell:
        won = adaptation.compare(tell)
    place = adaptation.offer(won)
    if settings.as_json:
        print_json(_as_json(found, asked, won, place) | {"mined": dict(mined), "touched": dict(touched)})
    else:
        _show_gains(won, place, model)


def _writer(questions: str, address: str | None, server_model: str | None) -> tuple[str, str, str] | None:
    if questions == HEADINGS and (address or server_model):
        raise InvalidArgumentError("nobody is asked for questions", help="give --questions server too")
    if questions == HEADINGS:
        return None
    if not address or not server_model:
        raise InvalidArgumentError(
            "a language model needs an address and a name", help="give --address and --server-model"
        )
    return address, server_model, judge_key()


def _show_questions(found: "Folder", asked: "Questions") -> None:
    print_line(f"read    {found.documents:,} documents, {len(found.passages):,} passages")
    for notice in found.notices:
        print_line(f"note    {notice.message}")
    for failure in found.failed[:SHOWN_FAILURES]:
        print_line(f"{'skipped' if failure.code == UNSUPPORTED else 'failed':7} {failure.path}: {failure.message}")
    if len(found.failed) > SHOWN_FAILURES:
        print_line(f"        … and {len(found.failed) - SHOWN_FAILURES} more: --json lists them")
    print_table([*_kinds(asked)], right=range(1, 9))
    print_line(f"asked   {asked.training:,} questions to learn from, {asked.held_out:,} held out{_left_out(asked)}")


def _kinds(asked: "Questions") -> Iterator[tuple[str, ...]]:
    """Lay out what questions were made of, a line for each language."""
    names = list(next(iter(asked.by_language.values())))
    yield ("language", *names)
    for language, counts in asked.by_language.items():
        yield (language, *(f"{counts[name]:,}" for name in names))


def _left_out(asked: "Questions") -> str:
    named = [f"{count:,} {name}" for name, count in asked.left_out.items() if count]
    return f"; left out: {', '.join(named)}" if named else ""


def _show_learned(mined: "Mapping[str, int]", touched: "Mapping[str, int]") -> None:
    print_line(
        f"mined   left out {mined['false_negatives']:,} that score like an answer and {mined['duplicates']:,} that "
        f"read like one; {mined['unfound']:,} answers were not found; {mined['without']:,} questions have no negative"
    )
    if touched:
        named = ", ".join(f"{count:,} {'lists' if name == 'lists' else 'questions'}" for name, count in touched.items())
        print_line(f"learned left out for words that are held out, too: {named}")


def _show_gains(won: "tuple[Gain, ...]", place: Path | None, model: str) -> None:
    head = ("nDCG@10, held-out questions", "before", "after", "gain [95 %]")
    print_table([head, *(_line(each) for each in won)], right=(1, 2, 3))
    if place is None:
        print_line(f"done    adapting did not help: the gain of {won[0].mode} search is not surely above zero")
        print_line(f"        no model is offered; keep --model {model}")
    else:
        print_line(f"done    lfm2-colbert index FOLDER --model {place}")


def _line(gain: "Gain") -> tuple[str, ...]:
    found = gain.contrast
    interval = f"{found.difference:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
    return gain.mode, f"{found.a:.4f}", f"{found.b:.4f}", interval


def _as_json(found: "Folder", asked: "Questions", won: "tuple[Gain, ...]", place: Path | None) -> dict[str, Any]:
    return {
        "documents": found.documents,
        "passages": len(found.passages),
        "failed": [asdict(each) for each in found.failed],
        "warnings": [asdict(each) for each in found.notices],
        "questions": asdict(asked),
        "gains": {each.mode: asdict(each.contrast) for each in won},
        "helped": place is not None,
        "model": None if place is None else str(place),
    }
