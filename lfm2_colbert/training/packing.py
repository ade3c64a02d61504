"""A run packed for a machine that has nothing but torch, and what comes back from there.

The pack holds this package's code, the texts as ids, the development sets, and the teacher in four bits, its word table
cut to the pieces that the student has.
"""

import io
import json
import tarfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

import lfm2_colbert
from lfm2_colbert.config import from_mapping, to_json
from lfm2_colbert.errors import InvalidConfigError, NotFoundError
from lfm2_colbert.training.archive import Arrays, read_archive, write_archive
from lfm2_colbert.training.bert import WORDS
from lfm2_colbert.training.chart import CHART, write_chart
from lfm2_colbert.training.checkpoints import read_start, write_folder
from lfm2_colbert.training.loop import Told
from lfm2_colbert.training.packed import CORPUS, DEVELOPMENT, RECIPE, RUNS, START, TEACHER
from lfm2_colbert.training.quantised import BLOCK, CODES, SCALES, from_rows, restored, to_four_bits
from lfm2_colbert.training.recipe import Recipe
from lfm2_colbert.training.runner import REPORT, OnPrepared, prepare_texts, require_same
from lfm2_colbert.training.teachers import bert_config, is_bert, read_bert, read_pieces

RUN = "run.py"
PROGRAM = """import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from lfm2_colbert.training.packed import main

main(Path(__file__).parent, sys.argv[1:])
"""
POSITIONS = "embeddings.position_embeddings.weight"
LONGEST = 256
"""Positions of the teacher that go along: more than a student's text and a prefix have."""


def pack(recipe: Recipe, folder: Path, path: Path, on_prepared: OnPrepared) -> None:
    """Prepare the texts of a recipe in a folder, and write all that its run needs to a ``.tar.xz``.

    Raises:
        InvalidConfigError: the recipe has no shape to begin from, no development sets, or another teacher than a BERT.
        NotFoundError: a source is not there.
    """
    if recipe.shape is None or not recipe.data.development or not is_bert(recipe.teacher):
        raise InvalidConfigError(
            f"{recipe.name} cannot be packed", help="give it a [shape], development sets, and a BERT as its teacher"
        )
    require_same(recipe, folder)
    start = read_start(recipe.start, recipe.shape, np.random.default_rng(recipe.seed))
    prepare_texts(recipe, start, folder, on_prepared)
    write_archive(folder / TEACHER, _teacher(recipe, start.tokenizer))
    code = Path(lfm2_colbert.__file__).parent
    with tarfile.open(path, "w:xz") as tar:
        for module in sorted(code.rglob("*.py")):
            tar.add(module, f"{code.name}/{module.relative_to(code)}")
        for own in (CORPUS, DEVELOPMENT, TEACHER):
            tar.add(folder / own, own)
        for name, text in ((RUN, PROGRAM), (RECIPE, to_json(recipe)), (START, to_json(start.config))):
            _add(tar, name, text)


def unpack(recipe: Recipe, name: str, found: Path, folder: Path) -> None:
    """Write the checkpoint folder of a run that came back, with its curve and what it was.

    Args:
        recipe: that was packed; gives vocabulary and contract.
        name: of the run.
        found: folder with what came back.
        folder: to be written.

    Raises:
        NotFoundError: the run, or its weights, did not come back.
    """
    runs = [run for run in json.loads((found / RUNS).read_text(encoding="utf-8")) if run["recipe"]["name"] == name]
    parts = sorted(found.glob(f"{name}.[0-9]*.npz"))
    if not runs or not parts:
        raise NotFoundError(f"{found} has no weights of a run '{name}'", help="ask for them with weights=true")
    start = read_start(recipe.start, recipe.shape, np.random.default_rng(recipe.seed))
    arrays: Arrays = {}
    for part in parts:
        arrays |= read_archive(part)
    folder.mkdir(parents=True, exist_ok=True)
    write_folder(start, restored(arrays, from_rows), folder / "checkpoint")
    (folder / REPORT).write_text(json.dumps(runs[0], indent=1) + "\n", encoding="utf-8")
    write_chart(folder / CHART, name, [from_mapping(Told, line) for line in runs[0]["curve"]])


def _teacher(recipe: Recipe, tokenizer: Path) -> Arrays:
    folder = Path(recipe.teacher)
    bert = read_bert(folder, torch.device("cpu"))
    pieces = read_pieces(folder, tokenizer, recipe.teacher_prefixes)
    special = [pieces.begin, pieces.end, *(piece for prefix in pieces.prefixes for piece in prefix)]
    used = np.unique(np.concatenate([pieces.ids, special]))
    tensors = {name: tensor.numpy() for name, tensor in bert.tensors.items()}
    tensors |= {WORDS: tensors[WORDS][used], POSITIONS: tensors[POSITIONS][:LONGEST]}
    arrays: Arrays = {
        "config": np.array(json.dumps(asdict(bert_config(folder)))),
        "pieces": np.searchsorted(used, pieces.ids),
        "ends": np.searchsorted(used, [pieces.begin, pieces.end]),
    }
    arrays |= {f"prefix.{role}": np.searchsorted(used, prefix) for role, prefix in enumerate(pieces.prefixes)}
    for name, values in tensors.items():
        if values.ndim == 2 and values.shape[1] % BLOCK == 0 and len(values) > LONGEST:
            arrays[name + CODES], arrays[name + SCALES] = to_four_bits(values)
        else:
            arrays[name] = values.astype(np.float16)
    return arrays


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    about = tarfile.TarInfo(name)
    about.size = len(data)
    tar.addfile(about, io.BytesIO(data))
