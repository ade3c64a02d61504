"""The loop: batches to losses to weights, in one process or several that share the work; it can stop at any step.

Own, and not a library's trainer: texts of like lengths go through in one shape on one thread each, as a CPU needs it.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.training.batches import Chosen, ListBatch, TrainingBatch, batches_of, made
from lfm2_colbert.training.corpus import Corpus
from lfm2_colbert.training.losses import (
    contrastive,
    decoupled_top_k,
    maxsim,
    maxsim_of_lists,
    ranking_divergence,
    token_distillation,
)
from lfm2_colbert.training.optimizers import average, optimizers_of, set_rates
from lfm2_colbert.training.recipe import LossConfig, Recipe
from lfm2_colbert.training.start import Start, read_start
from lfm2_colbert.training.state import STATE, load_state, save_state
from lfm2_colbert.training.targets import Targets

CURVE, PROJECTION = "curve.jsonl", "start_projection.npy"
PROJECTION_WEIGHT = "projection.weight"
FITTED_BATCHES, RIDGE = 60, 1e-3
QUERY_SHARE = 0.4
"""Of the token loss; documents have the rest."""
CLIP = 1.0


@dataclass(frozen=True, slots=True)
class Losses:
    """Parts of a step's loss, and their weighed sum; None: the step has no such part."""

    loss: Tensor
    token: Tensor
    ranking: Tensor | None = None
    contrastive: Tensor | None = None
    lists: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the curve: means since the line before, of a part over the steps that have it."""

    step: int
    steps: int
    tokens: int
    loss: float
    token: float
    ranking: float
    contrastive: float
    tokens_per_s: float
    lists: float = 0.0


OnTold = Callable[[Told], None]


def planned(corpus: Corpus, targets: Targets, recipe: Recipe) -> list[Chosen]:
    """Give the batches of all steps until the recipe's tokens are seen; that of step s in process p is s·n + p."""
    plan: list[Chosen] = []
    tokens, number = 0, 0
    while tokens < recipe.loop.tokens:
        for chosen in batches_of(corpus, targets, recipe.loop.tokens_per_step, recipe.seed, number):
            if tokens >= recipe.loop.tokens:
                break
            plan.append(chosen)
            tokens += chosen.n_tokens(corpus)
        number += 1
    return plan[: len(plan) // recipe.loop.processes * recipe.loop.processes]


def run(recipe: Recipe, corpus: Corpus, targets: Targets, folder: Path, rank: int, on_told: OnTold) -> ColBERTModel:
    """Train from the folder's state, or from the recipe's start, to the end; give the model.

    Args:
        recipe: what is trained.
        corpus: pairs and lists.
        targets: the teacher's part.
        folder: for states and the curve, which process 0 writes.
        rank: of this process.
        on_told: told of each line of the curve, in process 0.
    """
    torch.manual_seed(recipe.seed)
    model = start_model(recipe, folder)
    optimizers = optimizers_of(model, recipe.loop)
    first = load_state(folder / STATE, model, optimizers)
    plan, n = planned(corpus, targets, recipe), recipe.loop.processes
    steps = len(plan) // n
    curve = _Curve(folder / CURVE, first, steps, on_told) if rank == 0 else None
    for step in range(first, steps):
        set_rates(optimizers, recipe.loop, step, steps)
        batch = made(corpus, targets, plan[step * n + rank])
        losses = losses_of(model, batch, recipe.loss, step / steps, autocast=recipe.loop.autocast)
        for optimizer in optimizers:
            optimizer.zero_grad()
        losses.loss.backward()  # type: ignore[no-untyped-call]
        if n > 1:
            average(model)
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        for optimizer in optimizers:
            optimizer.step()
        if curve is not None:
            curve.add(step + 1, losses, batch.n_tokens * n, recipe.loop.tell_every)
            if (step + 1) % recipe.loop.keep_every == 0 or step + 1 == steps:
                save_state(folder / STATE, model, optimizers, step + 1)
    return model


def losses_of(
    model: ColBERTModel, batch: TrainingBatch | ListBatch, config: LossConfig, progress: float, *, autocast: bool
) -> Losses:
    """Compute the losses of a batch; `progress` is the share of the steps that are done."""
    queries, documents = batch.queries, batch.documents
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        q, d = model(queries.ids, queries.masks), model(documents.ids, documents.masks)
    token = QUERY_SHARE * token_distillation(q, queries.targets, queries.taught)
    token = token + (1 - QUERY_SHARE) * token_distillation(d, documents.targets, documents.taught)
    loss = config.token * token
    if progress < config.ranking_from:
        return Losses(loss, token)
    if isinstance(batch, ListBatch):
        student = config.student_scale * maxsim_of_lists(q, queries.present, d, documents.present)
        lists = divergence(student, config.list_scale * batch.scores, config)
        return Losses(loss + config.lists * lists, token, lists=lists)
    if not config.ranking and not config.contrastive:
        return Losses(loss, token)
    student = config.student_scale * maxsim(q, queries.present, d, documents.present)
    ranking = divergence(student, teacher_logits(batch, config), config)
    contrast = contrastive(student, batch.same)
    return Losses(loss + config.ranking * ranking + config.contrastive * contrast, token, ranking, contrast)


def divergence(student: Tensor, teacher: Tensor, config: LossConfig) -> Tensor:
    """Give the divergence of logits ``(B, C)`` that the recipe asks for."""
    if config.top_k:
        return decoupled_top_k(student, teacher, config.top_k, config.top_k_temperature)
    return ranking_divergence(student, teacher)


def teacher_logits(batch: TrainingBatch, config: LossConfig) -> Tensor:
    """Give the teacher's logits ``(B, B)``: mean-MaxSim of its token vectors, and the cosine of its text vectors."""
    queries, documents = batch.queries, batch.documents
    tokens = maxsim(queries.targets, queries.taught, documents.targets, documents.taught)
    return config.teacher_maxsim_scale * tokens + config.teacher_dense_scale * (queries.dense @ documents.dense.T)


def start_of(recipe: Recipe) -> Start:
    """Read what the recipe begins with."""
    return read_start(recipe.start, recipe.shape, np.random.default_rng(recipe.seed))


def start_model(recipe: Recipe, folder: Path) -> ColBERTModel:
    """Build the model of the recipe's start, with the projection that was fitted to the targets, if one was."""
    start = start_of(recipe)
    tensors = {name: torch.tensor(value) for name, value in start.tensors.items()}
    if (folder / PROJECTION).exists():
        tensors[PROJECTION_WEIGHT] = torch.from_numpy(np.load(folder / PROJECTION))
    model = ColBERTModel.from_tensors(start.config.backbone, start.config.dim, tensors)
    return model.train().requires_grad_(True)


def fit_projection(recipe: Recipe, corpus: Corpus, targets: Targets, folder: Path) -> None:
    """Fit the start's projection to the targets by ridge regression, so that training begins near them."""
    if (folder / PROJECTION).exists():
        return
    model = start_model(recipe, folder).eval()
    size = model.projection.in_features
    products, wanted = torch.zeros(size, size), torch.zeros(size, model.projection.out_features)
    for chosen in batches_of(corpus, targets, recipe.loop.tokens_per_step, recipe.seed, 0)[:FITTED_BATCHES]:
        batch = made(corpus, targets, chosen)
        for side in (batch.queries, batch.documents):
            with torch.inference_mode():
                states = model.backbone(side.ids, side.masks)[side.taught]
            products += states.T @ states
            wanted += states.T @ side.targets[side.taught]
    ridge = RIDGE * products.diagonal().mean() * torch.eye(size)
    np.save(folder / PROJECTION, torch.linalg.solve(products + ridge, wanted).T.contiguous().numpy())


class _Curve:
    """The lines of the curve, in a file that a run which goes on cuts back to its first step."""

    def __init__(self, path: Path, first: int, steps: int, on_told: OnTold) -> None:
        self._path, self._steps, self._on_told = path, steps, on_told
        kept = [line for line in _lines(path) if json.loads(line)["step"] <= first]
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._tokens = json.loads(kept[-1])["tokens"] if kept else 0
        self._sums: list[Losses] = []
        self._since, self._last_tokens = time.perf_counter(), self._tokens

    def add(self, step: int, losses: Losses, n_tokens: int, every: int) -> None:
        self._tokens += n_tokens
        self._sums.append(losses)
        if step % every and step < self._steps:
            return
        means = {f.name: _mean([getattr(each, f.name) for each in self._sums]) for f in fields(Losses)}
        spent = time.perf_counter() - self._since
        told = Told(step, self._steps, self._tokens, **means, tokens_per_s=(self._tokens - self._last_tokens) / spent)
        line: dict[str, Any] = asdict(told)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._on_told(told)
        self._sums, self._since, self._last_tokens = [], time.perf_counter(), self._tokens


def _mean(values: list[Tensor | None]) -> float:
    """Give the mean over the steps that have the part; 0 where none has."""
    there = [value.detach() for value in values if value is not None]
    return float(torch.stack(there).mean()) if there else 0.0


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
