"""A run on a machine that has nothing but torch: what `packing.py` packed goes in, weights of a few megabytes come out.

    python run.py OUT 'name;loss.ranking=0.5;weights=true' …

Each argument is a run: its name, and what differs from the pack's recipe. All runs share the texts and the teacher's
states. OUT gets ``runs.json`` with their curves, ``queries.npz`` with nDCG@10 of every development query, and the
weights of the runs that ask for it, in files of at most 16 MiB.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lfm2_colbert.config import EncoderConfig, from_mapping
from lfm2_colbert.errors import InvalidConfigError
from lfm2_colbert.training.archive import Arrays, read_archive, write_archive
from lfm2_colbert.training.batches import CLOZE, QUESTIONS, TRANSLATIONS, Material
from lfm2_colbert.training.beginning import begun
from lfm2_colbert.training.bert import Bert, BertConfig
from lfm2_colbert.training.corpus import Corpus, read_corpus
from lfm2_colbert.training.development import Judged, load_judged, ndcg
from lfm2_colbert.training.loop import CURVE, Told, run
from lfm2_colbert.training.quantised import CODES, SCALES, from_four_bits, restored, to_rows
from lfm2_colbert.training.recipe import Recipe
from lfm2_colbert.training.start import EMBEDDINGS, drawn
from lfm2_colbert.training.targets import Targets, read_targets, write_targets
from lfm2_colbert.training.teacher import BertTeacher, Pieces

CORPUS, DEVELOPMENT, RECIPE, START, TEACHER = "corpus", "development.npz", "recipe.json", "start.json", "teacher.npz"
RUNS, QUERIES = "runs.json", "queries.npz"
SEPARATOR, WEIGHTS = ";", "weights"
LARGEST_FILE = 15 * 2**20


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that is asked for."""

    recipe: Recipe
    keeps_weights: bool


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """What all runs share."""

    config: EncoderConfig
    corpus: Corpus
    targets: Targets
    teacher: BertTeacher
    development: list[Judged]


def main(folder: Path, arguments: Sequence[str]) -> None:
    """Run what is asked for, one after the other."""
    out, device = Path(arguments[0]), torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    recipe = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
    wanted = [_wanted(recipe, argument, device) for argument in arguments[1:]]
    pack = _opened(folder, wanted[0].recipe, device)
    runs: list[dict[str, Any]] = []
    measured: Arrays = {}
    for each in wanted:
        made, queries = _run(each, pack, out, device)
        runs.append(made)
        measured |= {f"{each.recipe.name}/{task}": own for task, own in queries.items()}
        (out / RUNS).write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
        write_archive(out / QUERIES, measured)


def differing(recipe: Mapping[str, Any], argument: str) -> tuple[dict[str, Any], bool]:
    """Change a recipe's values as an argument says; give them, and whether weights are to be kept.

    Raises:
        InvalidConfigError: a part is no ``key=value``.
    """
    name, *changes = argument.split(SEPARATOR)
    values: dict[str, Any] = json.loads(json.dumps(recipe)) | {"name": name}
    keeps = False
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise InvalidConfigError(f"'{change}' is no key=value", help="write loss.ranking=0.5")
        if key == WEIGHTS:
            keeps = json.loads(value)
            continue
        *tables, last = key.split(".")
        place = values
        for table in tables:
            place = place[table]
        place[last] = json.loads(value)
    return values, keeps


def _wanted(recipe: Mapping[str, Any], argument: str, device: torch.device) -> Wanted:
    values, keeps = differing(recipe, argument)
    values["loop"] |= {"device": device.type, "processes": 1}
    return Wanted(from_mapping(Recipe, values), keeps)


def _opened(folder: Path, recipe: Recipe, device: torch.device) -> Pack:
    """Read the pack, and let the teacher read its texts, unless it has."""
    corpus = read_corpus(folder / CORPUS)
    config = from_mapping(EncoderConfig, json.loads((folder / START).read_text(encoding="utf-8")))
    teacher = _teacher(folder, device)
    rng = np.random.default_rng(recipe.seed)
    started = time.perf_counter()
    write_targets(folder / "targets", corpus, teacher, config.dim, rng, lambda done, of: None)
    _say(f"teacher {int(corpus.offsets[-1]):,} tokens in {time.perf_counter() - started:.0f} s on {device}")
    return Pack(config, corpus, read_targets(folder / "targets"), teacher, load_judged(folder / DEVELOPMENT))


def _teacher(folder: Path, device: torch.device) -> BertTeacher:
    kept = read_archive(folder / TEACHER)
    config = from_mapping(BertConfig, json.loads(str(kept.pop("config"))))
    begin, end = kept.pop("ends").tolist()
    prefixes = tuple(tuple(kept.pop(f"prefix.{role}").tolist()) for role in (0, 1))
    pieces = Pieces(kept.pop("pieces"), begin, end, prefixes)
    tensors = {name: torch.from_numpy(values).to(device) for name, values in restored(kept, from_four_bits).items()}
    return BertTeacher(Bert(config, tensors), pieces, device)


def _run(wanted: Wanted, pack: Pack, out: Path, device: torch.device) -> tuple[dict[str, Any], Arrays]:
    """Train as a recipe says; give its curve and what it found."""
    recipe = wanted.recipe
    assert recipe.shape is not None, "nothing is packed without one"
    corpus = _asked_for(pack.corpus, recipe)
    material = Material.on(device, corpus, pack.targets)
    start = drawn(pack.config, Path(), recipe.shape, np.random.default_rng(recipe.seed))
    start = begun(start, material, recipe, pack.teacher)
    started = time.perf_counter()
    watched = pack.development if recipe.loop.develop_every else ()  # the end is measured below, query by query
    with tempfile.TemporaryDirectory() as folder:
        model = run(recipe, start, material, Path(folder), _told, development=watched)
        curve = [json.loads(line) for line in (Path(folder) / CURVE).read_text(encoding="utf-8").splitlines()]
    found = ndcg(model, pack.development)
    means = {task: round(float(own.mean()), 4) for task, own in found.items()}
    _say(f"{recipe.name}: {np.mean(list(means.values())):.4f} in {time.perf_counter() - started:.0f} s")
    if wanted.keeps_weights:
        _write_weights(out, recipe.name, {name: t.cpu().numpy() for name, t in model.state_dict().items()})
    where = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    return {"recipe": asdict(recipe), "curve": curve, "ndcg": means, "device": where, "torch": torch.__version__}, found


def _asked_for(corpus: Corpus, recipe: Recipe) -> Corpus:
    """Leave out the kinds of pairs that a run takes none of."""
    data = recipe.data
    taken = {TRANSLATIONS: data.parallel_sources, QUESTIONS: data.query_sources, CLOZE: data.cloze_taken}
    kept = np.array([bool(taken.get(name, True)) for name in corpus.kinds])
    return replace(corpus, pairs=corpus.pairs[kept[corpus.pairs[:, 2]]])


def _write_weights(out: Path, name: str, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Write the table in 8 bits and the rest in 16, in as many files as it takes."""
    codes, scales = to_rows(tensors[EMBEDDINGS])
    arrays: Arrays = {EMBEDDINGS + CODES: codes, EMBEDDINGS + SCALES: scales}
    arrays |= {key: values.astype(np.float16) for key, values in tensors.items() if key != EMBEDDINGS}
    for number, part in enumerate(_in_files(arrays)):
        write_archive(out / f"{name}.{number}.npz", part)


def _in_files(arrays: Arrays) -> Iterator[Arrays]:
    part: Arrays = {}
    for name, values in arrays.items():
        if part and sum(own.nbytes for own in part.values()) + values.nbytes > LARGEST_FILE:
            yield part
            part = {}
        part[name] = values
    yield part


def _told(told: Told) -> None:
    if told.ndcg is not None or told.step % 200 == 0:
        _say(f"  {told.step:,} {told.tokens:,} {told.tokens_per_s:,.0f}/s loss {told.loss:.4f} nDCG@10 {told.ndcg}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
