"""One model of several that began as one: the mean of their weights (model soups; Wortsman et al., 2022).

The uniform soup is the mean of all. The greedy soup (their recipe 1) begins with the checkpoint that finds most, and
takes each other one in, best first, unless less is found with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from lfm2_colbert.checkpoint import open_checkpoint
from lfm2_colbert.config import to_json
from lfm2_colbert.encoders.torch import usable_device
from lfm2_colbert.errors import AlreadyExistsError, InvalidArgumentError
from lfm2_colbert.tokenization import piece_ids, tokenizer_specification
from lfm2_colbert.training.checkpoints import read_start, tokenizers_of, write_folder
from lfm2_colbert.training.development import mean, ndcg, read_judged
from lfm2_colbert.training.start import Start, Tensors

CHECKPOINT, REPORT = "checkpoint", "merging.json"

Measure = Callable[[str, Tensors], float]
"""What is measured, by name, and its weights → mean nDCG@10 on the development sets."""
OnMeasured = Callable[[str, float], None]
"""Told what was measured, and its mean nDCG@10."""


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A checkpoint that was asked for.

    Attributes:
        name: as it was given.
        fingerprint: of its files.
        is_merged: whether it is a part of the mean.
        ndcg: its own mean nDCG@10; None: not measured.
        ndcg_with_it: that of the mean of all that were taken before and of it; None: not measured.
    """

    name: str
    fingerprint: str
    is_merged: bool
    ndcg: float | None = None
    ndcg_with_it: float | None = None


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of `n` models of one shape, kept as their sum in float32."""

    total: Tensors
    n: int = 1

    def plus(self, tensors: Tensors) -> "Mean":
        """Take one more in."""
        return Mean({name: own + tensors[name] for name, own in self.total.items()}, self.n + 1)

    @property
    def weights(self) -> Tensors:
        """Divide."""
        return {name: own / np.float32(self.n) for name, own in self.total.items()}


@dataclass(frozen=True, slots=True)
class Soup:
    """Weights, what went in and what was left out, and mean nDCG@10 of the weights; None: not measured."""

    weights: Tensors
    ingredients: tuple[Ingredient, ...]
    ndcg: float | None


@dataclass(frozen=True, slots=True)
class Merged:
    """What was made of what, as ``merging.json`` says it.

    Attributes:
        kind: ``uniform`` or ``greedy``.
        created: UTC.
        checkpoint: fingerprint of the model folder.
        development: folder of the sets that were measured on; None: nothing was measured.
        ndcg: mean nDCG@10 of the mean there.
        ingredients: as they were named, or of a greedy soup best first.
    """

    kind: str
    created: str
    checkpoint: str
    development: str | None
    ndcg: float | None
    ingredients: tuple[Ingredient, ...]


def merge(
    names: Sequence[str],
    folder: Path,
    *,
    development: Path | None = None,
    is_greedy: bool = False,
    device: str = "auto",
    threads: int | None = None,
    on_measured: OnMeasured = lambda what, found: None,
) -> Merged:
    """Write the mean of checkpoints into ``folder/checkpoint``, and what went in into ``folder/merging.json``.

    Args:
        names: of checkpoints, as `read_start` takes them; two or more.
        folder: to be written.
        development: folder of sets that checkpoints and mean are measured on; None: nothing is measured.
        is_greedy: whether a checkpoint with which less is found is left out.
        device: ``cpu``, ``cuda`` or ``auto``: where what is measured runs.
        threads: of it; None: as torch chooses.
        on_measured: told of every figure.

    Raises:
        AlreadyExistsError: the folder holds a checkpoint.
        InvalidArgumentError: there are fewer than two checkpoints, one differs in shape, contract or vocabulary, or a
            greedy soup has nothing to go by.
        NotFoundError: there are no development sets in the folder.
        UnknownEncoderError: there is no checkpoint of a name.
        UnsafeModelError: a checkpoint holds what this program never loads.
    """
    if (folder / CHECKPOINT).exists():
        raise AlreadyExistsError(f"{folder / CHECKPOINT} is there already", help="give another folder: -o FOLDER")
    if threads is not None:
        torch.set_num_threads(threads)
    base = _common(names)
    measure = None if development is None else _measure(base, development, device, on_measured)
    if not is_greedy:
        soup = uniform(names, measure)
    elif measure is None:
        raise InvalidArgumentError("a greedy soup goes by what is found", help="give --development SETS")
    else:
        soup = greedy(names, measure)
    folder.mkdir(parents=True, exist_ok=True)
    write_folder(base, soup.weights, folder / CHECKPOINT)
    made = Merged(
        kind="greedy" if is_greedy else "uniform",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        checkpoint=open_checkpoint(folder / CHECKPOINT).fingerprint,
        development=None if development is None else str(development),
        ndcg=soup.ndcg,
        ingredients=soup.ingredients,
    )
    (folder / REPORT).write_text(to_json(made) + "\n", encoding="utf-8")
    return made


def uniform(names: Sequence[str], measure: Measure | None) -> Soup:
    """Take the mean of all checkpoints, one in memory at a time."""
    taken: Mean | None = None
    ingredients = []
    for name in names:
        start = _read(name)
        own = None if measure is None else measure(name, start.tensors)
        ingredients.append(Ingredient(name, start.fingerprint, True, own))
        taken = Mean(start.tensors) if taken is None else taken.plus(start.tensors)
    assert taken is not None, "no names were refused before"
    return Soup(taken.weights, tuple(ingredients), None if measure is None else measure("mean", taken.weights))


def greedy(names: Sequence[str], measure: Measure) -> Soup:
    """Take the best, then each other one, best first, unless less is found with it; of equals, the first named."""
    own = [measure(name, _read(name).tensors) for name in names]
    best, *others = sorted(range(len(names)), key=lambda place: -own[place])
    start = _read(names[best])
    taken, found = Mean(start.tensors), own[best]
    ingredients = [Ingredient(names[best], start.fingerprint, True, found)]
    for place in others:
        start = _read(names[place])
        tried = taken.plus(start.tensors)
        with_it = measure(f"with {names[place]}", tried.weights)
        is_merged = with_it >= found
        ingredients.append(Ingredient(names[place], start.fingerprint, is_merged, own[place], with_it))
        if is_merged:
            taken, found = tried, with_it
    return Soup(taken.weights, tuple(ingredients), found)


def _read(name: str) -> Start:
    return read_start(name, None, np.random.default_rng(0))  # nothing is drawn without a shape


def _common(names: Sequence[str]) -> Start:
    """Give the first checkpoint, if all others have its shape, contract and vocabulary."""
    if len(names) < 2:
        raise InvalidArgumentError("one checkpoint is its own mean", help="name two or more")
    base = _read(names[0])
    wanted = _traits(base)
    for name in names[1:]:
        other = _traits(_read(name))
        differing = [what for what in wanted if other[what] != wanted[what]]
        if differing:
            raise InvalidArgumentError(
                f"{name} has another {' and another '.join(differing)} than {names[0]}",
                help="merge checkpoints of runs that began with one model",
            )
    return base


def _traits(start: Start) -> dict[str, object]:
    """Give what must be the same for a mean to mean something."""
    config = start.config
    return {
        "shape": (config.backbone, config.dim),
        "token contract": (config.tokens, config.markers),
        "vocabulary": piece_ids(tokenizer_specification(start.tokenizer)),
    }


def _measure(base: Start, development: Path, device: str, on_measured: OnMeasured) -> Measure:
    """Read the development sets, and give what measures on them."""
    tasks = read_judged(development, *tokenizers_of(base))
    place = usable_device(device)

    def measured(what: str, tensors: Tensors) -> float:
        found = mean(ndcg(replace(base, tensors=tensors).model().to(place), tasks))
        on_measured(what, found)
        return found

    return measured
