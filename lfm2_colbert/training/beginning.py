"""Where a run begins: a start whose table and projection were brought near to the teacher's."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from lfm2_colbert.training.archive import read_archive, write_archive
from lfm2_colbert.training.batches import Material, made
from lfm2_colbert.training.plan import chosen_of
from lfm2_colbert.training.recipe import Recipe
from lfm2_colbert.training.start import EMBEDDINGS, PROJECTION_WEIGHT, Start, with_table
from lfm2_colbert.training.teacher import Teacher

FITTED_BATCHES, RIDGE = 60, 1e-3


def begun(start: Start, material: Material, recipe: Recipe, teacher: Teacher) -> Start:
    """Take the teacher's words as the table, if the recipe says so, and fit the projection to the targets.

    A start that is its own teacher begins as it is: nothing is nearer to its vectors.
    """
    if recipe.shape is None and recipe.start == recipe.teacher and teacher.is_space:
        return start
    if recipe.shape is not None and recipe.shape.teacher_table:
        counts = np.bincount(material.corpus.ids, minlength=start.config.backbone.vocab_size)
        start = with_table(start, teacher.words(), counts)
    return with_projection(start, material, recipe)


def with_projection(start: Start, material: Material, recipe: Recipe) -> Start:
    """Fit the start's projection to the targets by ridge regression, so that training begins near them."""
    device = material.ids.device
    model = start.model().to(device)
    size = model.projection.in_features
    products = torch.zeros(size, size, device=device)
    wanted = torch.zeros(size, model.projection.out_features, device=device)
    # All kinds of texts, not the easy ones that a curriculum begins with.
    mixed = replace(recipe, data=replace(recipe.data, curriculum=False))
    for chosen in islice(chosen_of(material, mixed), FITTED_BATCHES):
        batch = made(material, chosen)
        for side in (batch.queries, batch.documents):
            with torch.inference_mode():
                states = model.backbone(side.ids, side.masks)[side.taught]
            products += states.T @ states
            wanted += states.T @ side.targets[side.taught]
    ridge = RIDGE * products.diagonal().mean() * torch.eye(size, device=device)
    fitted = torch.linalg.solve(products + ridge, wanted).T.contiguous().cpu().numpy()
    return replace(start, tensors=start.tensors | {PROJECTION_WEIGHT: fitted})


def save_beginning(path: Path, start: Start) -> None:
    """Keep what was fitted, for all processes of a run and for a run that goes on."""
    write_archive(path, {name: start.tensors[name] for name in (EMBEDDINGS, PROJECTION_WEIGHT)})


def load_beginning(path: Path, start: Start) -> Start:
    """Put what was fitted into a start."""
    return replace(start, tensors=start.tensors | read_archive(path))
