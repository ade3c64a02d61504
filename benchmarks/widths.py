"""What do the beginnings of vectors find? Trained runs, their vectors cut to fewer dimensions.

`python -m benchmarks.widths PACK RUN BEFORE` writes ``results/widths.json``. PACK is the unpacked folder of a run
(`recipes/carry.py`), RUN and BEFORE are written ``FOUND/name``: a run that was learned with `loss.dims`, and the same
without, whose weights came back in FOUND. nDCG@10 of the development sets by exact MaxSim, and the difference by paired
bootstrap over the queries.
"""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmarks.command import allow_dirty, run
from benchmarks.results_file import ROOT, measured, measured_commit, write
from benchmarks.training import SEED, difference, means
from lfm2_colbert.config import EncoderConfig, from_mapping
from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.training.archive import Arrays, read_archive
from lfm2_colbert.training.development import compared, encoded, load_judged, ndcg_at_10
from lfm2_colbert.training.packed import DEVELOPMENT, RUNS, START
from lfm2_colbert.training.quantised import from_rows, restored
from lfm2_colbert.training.recipe import Recipe
from lfm2_colbert.training.start import drawn

WIDTHS = (128, 96, 64, 32)
CPU = torch.device("cpu")

Found = dict[str, NDArray[np.float64]]
"""nDCG@10 of every query, by set."""


@click.command()
@click.argument("pack", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("learned", type=click.Path(path_type=Path))
@click.argument("before", type=click.Path(path_type=Path))
@allow_dirty
def main(pack: Path, learned: Path, before: Path, allow_dirty: bool) -> None:
    """Measure the runs LEARNED and BEFORE at every width."""
    commit = measured_commit(allow_dirty=allow_dirty)
    runs = [(where.name, found_by(pack, where)) for where in (before, learned)]
    rows = [row for width in WIDTHS for row in rows_of(width, [(name, found[width]) for name, found in runs])]
    for row in rows:
        click.echo(row)
    command = f"python -m benchmarks.widths PACK FOUND/{learned.name} FOUND/{before.name}"  # wherever these lay
    click.echo(write(measured("widths", rows, commit=commit, command=command, seed=SEED)).relative_to(ROOT))


def rows_of(width: int, runs: list[tuple[str, Found]]) -> list[dict[str, Any]]:
    """Give the rows of a width: the run before, and the one that is held against it."""
    (base, before), (name, after) = runs
    rows: list[dict[str, Any]] = [
        {"run": each, "width": width} | means({key: float(own.mean()) for key, own in found.items()})
        for each, found in runs
    ]
    rows[1] |= {"against": base} | difference(prefixed(base, before), base, prefixed(name, after), name)
    return rows


def found_by(pack: Path, where: Path) -> dict[int, Found]:
    """Give nDCG@10 of every query, by width and set."""
    model, found = model_of(pack, where), dict[int, Found]({width: {} for width in WIDTHS})
    for task in load_judged(pack / DEVELOPMENT):
        asked, answering = (encoded(model, texts, CPU) for texts in (task.queries, task.documents))
        for width in WIDTHS:
            cut = [(functional.normalize(vectors[..., :width], dim=-1), there) for vectors, there in (asked, answering)]
            found[width][task.name] = ndcg_at_10(compared(*cut), task.judged)
        click.echo(f"{where.name} {task.name}")
    return found


def model_of(pack: Path, where: Path) -> ColBERTModel:
    """Load the weights of a run that came back."""
    found, name = where.parent, where.name
    runs = json.loads((found / RUNS).read_text(encoding="utf-8"))
    recipe = from_mapping(Recipe, next(each["recipe"] for each in runs if each["recipe"]["name"] == name))
    assert recipe.shape is not None, "nothing is packed without one"
    config = from_mapping(EncoderConfig, json.loads((pack / START).read_text(encoding="utf-8")))
    shaped = drawn(config, Path(), recipe.shape, np.random.default_rng(recipe.seed)).config
    arrays: Arrays = {}
    for part in sorted(found.glob(f"{name}.[0-9]*.npz")):
        arrays |= read_archive(part)
    tensors = {key: torch.from_numpy(own) for key, own in restored(arrays, from_rows).items()}
    return ColBERTModel.from_tensors(shaped.backbone, shaped.dim, tensors)


def prefixed(name: str, found: Found) -> Found:
    """Name sets as `benchmarks.training.difference` wants them."""
    return {f"{name}/{key}": own for key, own in found.items()}


if __name__ == "__main__":
    run(main)
