"""A recipe from texts to a checkpoint folder, each stage kept, so that a second call does what is missing."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.multiprocessing.spawn import spawn

from lfm2_colbert.checkpoint import open_checkpoint
from lfm2_colbert.config import from_mapping, to_json
from lfm2_colbert.errors import InvalidArgumentError, InvalidConfigError
from lfm2_colbert.training.batches import CLOZE, QUESTIONS, TRANSLATIONS, Material
from lfm2_colbert.training.beginning import begun, load_beginning, save_beginning
from lfm2_colbert.training.chart import CHART, write_chart
from lfm2_colbert.training.checkpoints import read_start, tokenizers_of, write_folder
from lfm2_colbert.training.corpus import ABOUT, DOCUMENT, QUERY, read_corpus, write_corpus
from lfm2_colbert.training.decontamination import Contamination, held_out
from lfm2_colbert.training.development import Tokenize, load_judged, read_judged, save_judged
from lfm2_colbert.training.lists import Candidates, Lists, Row, drawn_candidates, read_lists
from lfm2_colbert.training.loop import CURVE, OnTold, Told, run
from lfm2_colbert.training.recipe import Recipe
from lfm2_colbert.training.sources import (
    Pair,
    cloze,
    drawn,
    of_languages,
    read_documents,
    read_pairs,
    read_parallel,
    read_queries,
    require_shippable,
)
from lfm2_colbert.training.start import Start
from lfm2_colbert.training.targets import no_targets, read_targets, write_targets
from lfm2_colbert.training.teachers import load_teacher

CORPUS, TARGETS, BEGINNING, DEVELOPMENT = "corpus", "targets", "beginning.npz", "development.npz"
CHECKPOINT, RECIPE, REPORT = "checkpoint", "recipe.json", "training.json"
FREE_LICENCES = ("Apache-2.0", "MIT")
MEETING = "meeting"
"""File by which the processes of a run find each other."""
LARGEST_VOCABULARY = 2**16

OnPrepared = Callable[[str, int, int], None]
"""Told of a stage: its name, what is done of it, and all of it."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run made: the checkpoint folder, and the last line of its curve."""

    checkpoint: Path
    last: Told


def train(recipe: Recipe, folder: Path, on_prepared: OnPrepared, on_told: OnTold) -> Trained:
    """Make what a recipe says, in a folder that holds all it needs to go on after a kill.

    Raises:
        InvalidArgumentError: the folder holds another recipe's run.
        InvalidConfigError: the recipe cannot be followed.
        NotFoundError: a source is not there.
        UnsafeModelError: start or teacher hold what this program never loads.
    """
    require_device(recipe)
    require_same(recipe, folder)
    prepare(recipe, folder, on_prepared)
    if recipe.loop.processes == 1:
        _work(0, recipe, folder, on_told)
    else:
        (folder / MEETING).unlink(missing_ok=True)
        spawn(_joined, (recipe, folder, on_told), nprocs=recipe.loop.processes)  # type: ignore[no-untyped-call]
    lines = [Told(**json.loads(line)) for line in (folder / CURVE).read_text(encoding="utf-8").splitlines()]
    write_chart(folder / CHART, recipe.name, lines)
    write_report(recipe, folder, lines[-1])
    return Trained(folder / CHECKPOINT, lines[-1])


def require_device(recipe: Recipe) -> None:
    """Refuse a recipe that this machine cannot follow.

    Raises:
        InvalidConfigError: its device is not here, or is none.
    """
    if recipe.loop.device not in ("cpu", "cuda") or (recipe.loop.device == "cuda" and not torch.cuda.is_available()):
        raise InvalidConfigError(
            f"the device '{recipe.loop.device}' cannot be used here",
            help='write device = "cpu" in [loop], or carry the run to a machine that has it: recipes/carry.py',
        )


def require_same(recipe: Recipe, folder: Path) -> None:
    """Keep the recipe in the folder, or refuse a folder of another one.

    Raises:
        InvalidArgumentError: the folder holds another recipe's run.
        InvalidConfigError: the recipe learns from what its licence forbids.
    """
    if recipe.licence in FREE_LICENCES:
        require_shippable((*recipe.data.sources, *recipe.data.query_sources, *recipe.data.parallel_sources))
    path, written = folder / RECIPE, to_json(recipe) + "\n"
    if path.exists() and from_mapping(Recipe, json.loads(path.read_text(encoding="utf-8"))) != recipe:
        raise InvalidArgumentError(f"{folder} holds a run of another recipe", help="give another folder: -o FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(written, encoding="utf-8")


def prepare(recipe: Recipe, folder: Path, on_prepared: OnPrepared) -> None:
    """Read and tokenise the texts, let the teacher read them, and find where to begin, unless that was done."""
    start = read_start(recipe.start, recipe.shape, np.random.default_rng(recipe.seed))
    prepare_texts(recipe, start, folder, on_prepared)
    if not recipe.teacher or (folder / BEGINNING).exists():
        return
    corpus, device = read_corpus(folder / CORPUS), torch.device(recipe.loop.device)
    teacher = load_teacher(recipe.teacher, start, recipe.teacher_prefixes, device)
    rng = np.random.default_rng(recipe.seed)
    write_targets(folder / TARGETS, corpus, teacher, start.config.dim, rng, partial(on_prepared, "teacher"))
    material = Material.on(device, corpus, read_targets(folder / TARGETS))
    save_beginning(folder / BEGINNING, begun(start, material, recipe, teacher))


def prepare_texts(recipe: Recipe, start: Start, folder: Path, on_prepared: OnPrepared) -> None:
    """Read and tokenise what is learned from and what the curve shows, unless that was done."""
    if start.config.backbone.vocab_size > LARGEST_VOCABULARY:
        raise InvalidConfigError("vocabularies of more than 65,536 pieces cannot be trained", help="use a smaller one")
    queries, documents = tokenizers_of(start)
    if not (folder / CORPUS / ABOUT).exists():
        _write_corpus(recipe, folder, queries, documents, on_prepared)
    if recipe.data.development and not (folder / DEVELOPMENT).exists():
        save_judged(folder / DEVELOPMENT, read_judged(Path(recipe.data.development), queries, documents))


def _write_corpus(
    recipe: Recipe, folder: Path, queries: Tokenize, documents: Tokenize, on_prepared: OnPrepared
) -> None:
    rng = np.random.default_rng(recipe.seed)
    contamination = held_out(Path(recipe.data.held_out)) if recipe.data.held_out else Contamination()
    kinds = _kinds(recipe, contamination, rng)
    lists, n_lists = _lists(recipe, contamination, rng)
    about = {
        "left out": contamination.touched,
        "pairs": {name: len(own) for name, own in kinds},
        "lists": {"read": n_lists, "learned from": len(lists)},
    }
    tokenize = {QUERY: queries, DOCUMENT: documents}
    corpus = write_corpus(folder / CORPUS, kinds, lists, lambda role, texts: tokenize[role](texts), about)
    on_prepared("texts", corpus.n_texts, corpus.n_texts)


def _kinds(recipe: Recipe, contamination: Contamination, rng: np.random.Generator) -> list[tuple[str, list[Pair]]]:
    """Read, clean and draw pairs, by kind."""
    data = recipe.data
    found = of_languages(read_pairs(Path(data.pairs), data.sources), data.languages)
    found += read_documents(Path(data.documents)) if data.documents else ()
    clean = _clean(found, contamination)
    kinds = [("pairs", drawn(clean, data.pairs_taken, data.exponent, rng))]
    if data.cloze_taken:
        kinds.append((CLOZE, drawn(cloze(clean), data.cloze_taken, data.exponent, rng)))
    if data.query_sources:
        asked = of_languages(read_queries(Path(data.pairs), data.query_sources), data.languages)
        kinds.append((QUESTIONS, drawn(_clean(asked, contamination), data.queries_taken, data.exponent, rng)))
    if data.parallel_sources:
        parallel = of_languages(read_parallel(Path(data.parallel), data.parallel_sources), data.languages)
        chosen = drawn(parallel, data.parallel_taken, data.exponent, rng)
        kinds.append((TRANSLATIONS, [_turned(pair, rng) for pair in _clean(chosen, contamination)]))
    return kinds


def _lists(recipe: Recipe, contamination: Contamination, rng: np.random.Generator) -> tuple[list[Candidates], int]:
    """Read and draw the candidates that are learned from; give them, and the number of lists there were."""
    data = recipe.data
    if not data.lists:
        return [], 0
    read = read_lists(Path(data.lists))
    found = drawn_candidates(_clean_lists(read, contamination), data.list_size, rng)
    if not found:
        raise InvalidConfigError(
            f"{data.lists} has no list of {data.list_size} candidates that may be learned from",
            help="give a smaller list_size",
        )
    return found, len(read.rows)


def _clean_lists(lists: Lists, contamination: Contamination) -> Lists:
    """Leave out candidates that share a text with what is held out, and lists whose query does, and count these."""
    if not contamination.whole:
        return lists
    held = {document_id for document_id, text in lists.documents.items() if contamination.touches(text)}
    rows = []
    for row in lists.rows:
        kept = [(key, score) for key, score in zip(row.document_ids, row.scores, strict=True) if key not in held]
        if kept and not contamination.touches(lists.queries[row.query_id]):
            ids, scores = zip(*kept, strict=True)
            rows.append(Row(row.query_id, ids, scores))
        else:
            contamination.count("lists")
    return Lists(lists.queries, lists.documents, tuple(rows))


def _clean(pairs: list[Pair], contamination: Contamination) -> list[Pair]:
    """Leave out pairs that share a text with what is held out, and count them by source."""
    kept = []
    for pair in pairs:
        if contamination.whole and (contamination.touches(pair.query) or contamination.touches(pair.document)):
            contamination.count(pair.source)
        else:
            kept.append(pair)
    return kept


def _turned(pair: Pair, rng: np.random.Generator) -> Pair:
    """Ask in either language."""
    return Pair(pair.document, pair.query, pair.group, pair.source) if rng.random() < 0.5 else pair


def _joined(rank: int, recipe: Recipe, folder: Path, on_told: OnTold) -> None:
    """Meet the other processes, then work as one of them."""
    meeting = f"file://{(folder / MEETING).resolve()}"
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=recipe.loop.processes)
    _work(rank, recipe, folder, on_told)
    torch.distributed.destroy_process_group()


def _work(rank: int, recipe: Recipe, folder: Path, on_told: OnTold) -> None:
    torch.set_num_threads(1)  # a second thread helps one process little, a second process much
    start = read_start(recipe.start, recipe.shape, np.random.default_rng(recipe.seed))
    corpus = read_corpus(folder / CORPUS)
    targets = read_targets(folder / TARGETS) if recipe.teacher else no_targets(corpus, start.config.dim)
    if recipe.teacher:
        start = load_beginning(folder / BEGINNING, start)
    material = Material.on(torch.device(recipe.loop.device), corpus, targets)
    development = load_judged(folder / DEVELOPMENT) if recipe.data.development else []
    model = run(recipe, start, material, folder, on_told, rank=rank, development=development)
    if rank == 0:
        tensors = {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}
        write_folder(start, tensors, folder / CHECKPOINT)


def write_report(recipe: Recipe, folder: Path, last: Told) -> None:
    """Say what was made of what; the curve and the recipe lie beside it."""
    report = {
        "name": recipe.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": asdict(recipe),
        "data": json.loads((folder / CORPUS / ABOUT).read_text(encoding="utf-8")),
        "start": read_start(recipe.start, recipe.shape, np.random.default_rng(recipe.seed)).fingerprint,
        "checkpoint": open_checkpoint(folder / CHECKPOINT).fingerprint,
        "last": asdict(last),
    }
    (folder / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
