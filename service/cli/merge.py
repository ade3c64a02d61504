"""`lfm2-colbert merge`: one model of several checkpoints that began as one."""

from dataclasses import asdict
from pathlib import Path

import click

from lfm2_colbert.registry import lookup
from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings

MERGING = {"merge": "lfm2_colbert.training.merging:merge"}
"""Loaded by name, as all of training is."""
CHECKPOINT = "checkpoint"


@click.command()
@click.argument("checkpoints", nargs=-1, required=True, metavar="CHECKPOINT CHECKPOINT...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
    help="Gets the checkpoint, and merging.json: what went in.",
)  # fmt: skip
@click.option(
    "--development", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="SETS",
    help="Folder of evaluation sets, <set>/<language>/: the mean and all checkpoints are measured there.",
)  # fmt: skip
@click.option("--greedy", is_flag=True, help="Take checkpoints in, best first, unless less is found with them.")
@options.common
def merge(
    checkpoints: tuple[str, ...], output: Path, development: Path | None, *, greedy: bool, settings: Settings
) -> None:
    """Write the mean of the weights of CHECKPOINTs, which are of one shape and vocabulary, into DIR/checkpoint.

    Runs of one start that differ in seed, order or losses often make a better model together than the best of them.
    """
    merged = lookup(MERGING, "merge", "part of training", extra="train")(
        checkpoints,
        output,
        development=development,
        is_greedy=greedy,
        device=settings.device,
        threads=settings.threads,
        on_measured=_measured,
    )
    if settings.as_json:
        print_json({**asdict(merged), "folder": str(output / CHECKPOINT)})
        return
    for own in merged.ingredients:
        print_line(f"{'merged' if own.is_merged else 'left':8}{own.name}")
    found = "" if merged.ndcg is None else f"nDCG@10 {merged.ndcg:.4f} · "
    print_line(f"{'done':8}{found}lfm2-colbert index FOLDER --model {output / CHECKPOINT}")


def _measured(what: str, ndcg: float) -> None:
    print_line(f"{'found':8}{ndcg:.4f} nDCG@10 · {what}", err=True)
