"""`lfm2-colbert score`: what teachers say of lists of candidates."""

from pathlib import Path

import click

from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.registry import lookup
from service.cli import options
from service.cli.output import print_json, print_line
from service.settings import Settings, judge_key

SCORING = {
    "read": "lfm2_colbert.training.lists:read_lists",
    "write": "lfm2_colbert.training.lists:write_lists",
    "endpoint": "lfm2_colbert.training.endpoint:Endpoint",
    "scorers": "lfm2_colbert.training.scorers:load_scorers",
    "score": "lfm2_colbert.training.scoring:score",
}
"""Loaded by name, as all of training is."""
KEPT, SCORED = ".scores", "scored"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR")
@click.option(
    "--teacher", "teachers", required=True, metavar="NAME[,NAME…]",
    help="nano, a model folder, dense:MODEL, cross-encoder:MODEL, judge; of several the mean, standardised.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Where the scored lists go.  [default: DIR/scored]",
)  # fmt: skip
@click.option("--judge-address", metavar="URL", help="Of the judge, as http://localhost:8000/v1.")
@click.option("--judge-model", metavar="NAME", help="Of the judge there; its key is read from LFM2_COLBERT_JUDGE_KEY.")
@options.common
def score(
    folder: Path,
    teachers: str,
    output: Path | None,
    judge_address: str | None,
    judge_model: str | None,
    settings: Settings,
) -> None:
    """Score the lists of DIR, as `mine` writes them and PyLate publishes them, for [data] lists of a recipe.

    What was scored is kept in DIR: after a kill, or for more lists, only what is new is asked for.
    """
    from service.cli.progress import progress_bars

    part = {name: lookup(SCORING, name, "part of training", extra="train") for name in SCORING}
    if (judge_address is None) != (judge_model is None):
        raise InvalidArgumentError(
            "a judge needs an address and a model", help="give --judge-address and --judge-model"
        )
    endpoint = None if judge_address is None else part["endpoint"](judge_address, judge_model, judge_key())
    lists = part["read"](folder)
    scorers = part["scorers"](teachers.split(","), endpoint, device=settings.device, threads=settings.threads)
    with progress_bars() as bars:
        scored = part["score"](
            lists, scorers, folder / KEPT, lambda name, *told: bars.counted(name[-20:], "lists", *told)
        )
    target = output or folder / SCORED
    part["write"](target, scored)
    names, n_scores = [each.name for each in scorers], sum(len(row.scores) for row in scored.rows)
    if settings.as_json:
        print_json({"folder": str(target), "lists": len(scored.rows), "scores": n_scores, "teachers": names})
        return
    print_line(f"done    {len(scored.rows):,} lists, {n_scores:,} scores by {', '.join(names)} in {target}")
