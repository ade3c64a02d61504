"""The loop: batches to losses to weights, in one process or several that share the work; it can stop at any step.

Own, and not a library's trainer: texts of like lengths go through in one shape on one thread each, as a CPU needs it.
"""

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.registry import lookup
from lfm2_colbert.training.batches import ListBatch, Material, TrainingBatch, made
from lfm2_colbert.training.development import Judged, mean, ndcg
from lfm2_colbert.training.gradients import LOSS, Parts, add_gradients
from lfm2_colbert.training.losses import (
    contrastive,
    decoupled_top_k,
    margin_mse,
    maxsim,
    maxsim_of_lists,
    ranking_divergence,
    token_distillation,
)
from lfm2_colbert.training.memory import RELEASE_EVERY, release_freed
from lfm2_colbert.training.optimizers import average, optimizers_of, set_rates
from lfm2_colbert.training.plan import Step, planned
from lfm2_colbert.training.recipe import LoopConfig, LossConfig, Recipe
from lfm2_colbert.training.start import Start
from lfm2_colbert.training.state import STATE, load_state, save_state

CURVE = "curve.jsonl"
QUERY_SHARE = 0.4
"""Of the token loss; documents have the rest."""
CLIP = 1.0
ADAPTERS = {
    "add": "lfm2_colbert.training.adapters:add_adapters",
    "merge": "lfm2_colbert.training.adapters:merge_adapters",
}
"""Loaded by name: only recipes that ask for adapters need their library."""


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the curve: means since the line before, of a loss over the steps that have it.

    Attributes:
        step: steps done.
        tokens: tokens seen by all processes, markers included.
        tokens_in_all: that the recipe asks for.
        tokens_per_s: since the line before, measuring on the development sets included.
        loss: the weighed sum.
        token: unweighed, as the others.
        ranking: 0 where no step had it.
        contrastive: the same.
        lists: the same.
        margins: the same.
        alignment: the same.
        ndcg: on the development sets, where it was measured.
    """

    step: int
    tokens: int
    tokens_in_all: int
    tokens_per_s: float
    loss: float
    token: float = 0.0
    ranking: float = 0.0
    contrastive: float = 0.0
    lists: float = 0.0
    margins: float = 0.0
    alignment: float = 0.0
    ndcg: float | None = None


OnTold = Callable[[Told], None]
Compare = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""`losses.maxsim`, compiled or not."""


def run(
    recipe: Recipe,
    start: Start,
    material: Material,
    folder: Path,
    on_told: OnTold,
    *,
    rank: int = 0,
    development: Sequence[Judged] = (),
) -> ColBERTModel:
    """Train from the folder's state, or from a start, to the end; give the model.

    Args:
        recipe: what is trained.
        start: what with.
        material: pairs, lists and the teacher's part, on the device that trains.
        folder: for states and the curve, which process 0 writes.
        on_told: told of each line of the curve, in process 0.
        rank: of this process.
        development: sets for the curve.
    """
    torch.manual_seed(recipe.seed)
    loop, device = recipe.loop, material.ids.device
    model = start.model().to(device).train()
    if recipe.lora is None:
        model.requires_grad_(True)
    else:
        lookup(ADAPTERS, "add", "part of training", extra="train")(model, recipe.lora)
    compare = compiled(model) if loop.compiled else maxsim
    optimizers = optimizers_of(model, loop)
    first = load_state(folder / STATE, model, optimizers)
    curve = _Curve(folder / CURVE, first, loop, on_told) if rank == 0 else None
    for step in islice(planned(material, recipe), first, None):
        _learn(model, optimizers, material, step, recipe, rank, curve, compare)
        done, is_last = step.number + 1, step.before + step.n_tokens >= loop.tokens
        if device.type == "cpu" and (done % RELEASE_EVERY == 0 or is_last):
            release_freed()
        if curve is None:
            continue
        if done % loop.tell_every == 0 or is_last:
            is_due = development and (is_last or (loop.develop_every and done % loop.develop_every == 0))
            curve.tell(done, mean(ndcg(model, development)) if is_due else None)
        if done % loop.keep_every == 0 or is_last:
            save_state(folder / STATE, model, optimizers, done)
    if recipe.lora is not None:
        lookup(ADAPTERS, "merge", "part of training", extra="train")(model)
    return model.eval().requires_grad_(False)


def compiled(model: ColBERTModel) -> Compare:
    """Compile the layers of a model, in place, and the comparison, for texts of any number and length.

    A layer at a time: those of one kind share what is compiled.
    """
    for layer in model.backbone.layers:
        layer.compile(dynamic=True)
    return torch.compile(maxsim, dynamic=True)


def losses_of(
    q: Tensor,
    d: Tensor,
    batch: TrainingBatch | ListBatch,
    config: LossConfig,
    progress: float,
    compare: Compare = maxsim,
) -> Parts:
    """Compute the losses of a batch and their weighed sum, `LOSS`.

    With `LossConfig.dims` each is the mean over the vectors and their beginnings (Kusupati et al., 2022).

    Args:
        q: ``(B, Q, dim)``, vectors of the queries.
        d: ``(C, D, dim)``, those of the documents.
        batch: whose vectors they are.
        config: of the losses.
        progress: share of the tokens that have been seen.
        compare: of all queries with all documents.
    """
    is_ranked = progress >= config.ranking_from
    teacher = None
    if is_ranked and config.ranking and isinstance(batch, TrainingBatch):
        teacher = teacher_logits(batch, config, compare)
    by_width = [
        _parts(_cut(q, width), _cut(d, width), batch, config, teacher, compare, is_ranked=is_ranked)
        for width in (q.shape[-1], *config.dims)
    ]
    means = {name: torch.stack([parts[name] for parts in by_width]).mean(0) for name in by_width[0]}
    return means | {LOSS: torch.stack([getattr(config, name) * value for name, value in means.items()]).sum()}


def divergence(student: Tensor, teacher: Tensor, config: LossConfig) -> Tensor:
    """Give the divergence of logits ``(B, C)`` that the recipe asks for."""
    if config.top_k:
        return decoupled_top_k(student, teacher, config.top_k, config.top_k_temperature)
    return ranking_divergence(student, teacher)


def teacher_logits(batch: TrainingBatch, config: LossConfig, compare: Compare = maxsim) -> Tensor:
    """Give the teacher's logits ``(B, B)``: mean-MaxSim of its token states, and the cosine of its text vectors."""
    queries, documents = batch.queries, batch.documents
    with torch.no_grad():
        tokens = compare(queries.states, queries.taught, documents.states, documents.taught)
        return config.teacher_maxsim_scale * tokens + config.teacher_dense_scale * (queries.dense @ documents.dense.T)


def _learn(
    model: ColBERTModel,
    optimizers: Sequence[torch.optim.Optimizer],
    material: Material,
    step: Step,
    recipe: Recipe,
    rank: int,
    curve: "_Curve | None",
    compare: Compare,
) -> None:
    """Make one step of all processes."""
    loop, progress = recipe.loop, step.before / recipe.loop.tokens
    set_rates(optimizers, loop, step.number, progress)
    batch = made(material, step.chosen[rank])
    for optimizer in optimizers:
        optimizer.zero_grad()
    losses = partial(losses_of, batch=batch, config=recipe.loss_at(progress), progress=progress, compare=compare)
    parts = add_gradients(model, batch, losses, chunk=loop.chunk, autocast=loop.autocast)
    if loop.processes > 1:
        average(model)
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    for optimizer in optimizers:
        optimizer.step()
    if curve is not None:
        curve.add(parts, step.n_tokens)


def _parts(
    q: Tensor,
    d: Tensor,
    batch: TrainingBatch | ListBatch,
    config: LossConfig,
    teacher: Tensor | None,
    compare: Compare,
    *,
    is_ranked: bool,
) -> Parts:
    """Compute the losses of vectors ``(B, Q, width)`` and ``(C, D, width)``."""
    queries, documents = batch.queries, batch.documents
    parts: Parts = {}
    if config.token:
        of_queries, of_documents = (
            token_distillation(vectors, _cut(side.targets, vectors.shape[-1]), side.taught)
            for vectors, side in ((q, queries), (d, documents))
        )
        parts["token"] = QUERY_SHARE * of_queries + (1 - QUERY_SHARE) * of_documents
    if not is_ranked:
        return parts
    if isinstance(batch, ListBatch):
        student = config.student_scale * maxsim_of_lists(q, queries.present, d, documents.present)
        wanted = config.list_scale * batch.scores
        parts["lists"] = divergence(student, wanted, config)
        if config.margins:
            parts["margins"] = margin_mse(student, wanted)
        return parts
    return parts | _ranked(q, d, batch, config, teacher, compare)


def _ranked(
    q: Tensor, d: Tensor, batch: TrainingBatch, config: LossConfig, teacher: Tensor | None, compare: Compare
) -> Parts:
    """Compute the losses that compare every query of a batch with every document."""
    queries, documents = batch.queries, batch.documents
    parts: Parts = {}
    if not (config.ranking or config.contrastive or config.alignment):
        return parts
    student = config.student_scale * compare(q, queries.present, d, documents.present)
    if teacher is not None:
        parts["ranking"] = divergence(student, teacher, config)
    if config.contrastive:
        parts["contrastive"] = contrastive(student, batch.same)
    if config.alignment and batch.are_translations:
        back = config.student_scale * compare(d, documents.present, q, queries.present)
        parts["alignment"] = (contrastive(student, batch.same) + contrastive(back, batch.same)) / 2
    return parts


def _cut(vectors: Tensor, width: int) -> Tensor:
    """Keep the beginnings of vectors, of unit norm again."""
    return vectors if vectors.shape[-1] == width else functional.normalize(vectors[..., :width], dim=-1)


class _Curve:
    """The lines of the curve, in a file that a run which goes on cuts back to its first step."""

    def __init__(self, path: Path, first: int, loop: LoopConfig, on_told: OnTold) -> None:
        self._path, self._in_all, self._on_told = path, loop.tokens, on_told
        kept = [line for line in _lines(path) if json.loads(line)["step"] <= first]
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self._tokens = json.loads(kept[-1])["tokens"] if kept else 0
        self._forget()

    def add(self, parts: Parts, n_tokens: int) -> None:
        """Count a step in."""
        self._tokens += n_tokens
        for name, value in parts.items():
            self._parts[name].append(value)

    def tell(self, step: int, ndcg: float | None) -> None:
        """Write a line."""
        means = {name: float(torch.stack(values).mean()) for name, values in self._parts.items()}
        rate = (self._tokens - self._last_tokens) / (time.perf_counter() - self._since)
        told = Told(step, self._tokens, self._in_all, rate, ndcg=ndcg, **means)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(told)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._on_told(told)
        self._forget()

    def _forget(self) -> None:
        self._parts: dict[str, list[Tensor]] = defaultdict(list)
        self._since, self._last_tokens = time.perf_counter(), self._tokens


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
