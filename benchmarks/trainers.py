"""What does a library's trainer cost on a CPU beside the project's own loop?

`python -m benchmarks.trainers` writes ``results/trainers.json``: one causal model of nano's size, the same
pairs and the same contrastive loss, one thread; tokens a CPU second. It needs the library `accelerate` too.
"""

import json
import lzma
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from benchmarks.command import allow_dirty, command_line, run
from benchmarks.results_file import ROOT, measured, measured_commit, write
from lfm2_colbert.checkpoint import open_checkpoint
from lfm2_colbert.tokenization import TextTokenizer, read_tokenizer
from lfm2_colbert.training.batches import Material
from lfm2_colbert.training.checkpoints import read_start, write_folder
from lfm2_colbert.training.corpus import QUERY, Corpus, write_corpus
from lfm2_colbert.training.loop import run as run_loop
from lfm2_colbert.training.recipe import DataConfig, LoopConfig, LossConfig, Recipe
from lfm2_colbert.training.sources import Pair, read_documents
from lfm2_colbert.training.targets import no_targets

SEED, BATCH, STEPS = 0, 16, 30
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
TOKENIZER = {"tokenizer_class": "PreTrainedTokenizerFast"} | SPECIAL_TOKENS
LIBRARIES = ("torch", "sentence-transformers", "transformers")


@click.command()
@allow_dirty
def main(allow_dirty: bool) -> None:
    """Measure both on the example documents."""
    commit = measured_commit(allow_dirty=allow_dirty)
    torch.set_num_threads(1)
    pairs = list(read_documents(ROOT / "examples" / "documents"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        causal(folder / "model")
        rows = [own(folder, pairs), theirs(folder, pairs)]
    for row in rows:
        click.echo(row)
    command = command_line("benchmarks.trainers")
    click.echo(write(measured("trainers", rows, commit=commit, command=command, seed=SEED, libraries=LIBRARIES)))


def causal(folder: Path) -> None:
    """Write the bundled encoder's weights as a causal model, which the library can load."""
    start = read_start("nano", None, np.random.default_rng(SEED))
    backbone = replace(start.config.backbone, bidirectional=False)
    write_folder(replace(start, config=replace(start.config, backbone=backbone)), start.tensors, folder)
    with lzma.open(start.tokenizer) as vocabulary:
        (folder / "tokenizer.json").write_bytes(vocabulary.read())
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER), encoding="utf-8")


def own(folder: Path, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Run the project's loop for about as many tokens as the library's steps take."""
    corpus = _corpus(folder, pairs)
    per_pair = float(corpus.lengths[corpus.pairs[:, :2]].sum(axis=1).mean())
    recipe = Recipe(
        name="trainers",
        seed=SEED,
        start=str(folder / "model"),
        data=DataConfig(documents="documents"),
        loop=LoopConfig(int(STEPS * BATCH * per_pair), int(BATCH * per_pair), keep_every=10**6, autocast=False),
        loss=LossConfig(token=0.0, ranking=0.0, contrastive=1.0),
    )
    tokens: list[int] = []
    (folder / "run").mkdir()
    material = Material.on(torch.device("cpu"), corpus, no_targets(corpus, 128))
    start = read_start(recipe.start, None, np.random.default_rng(SEED))
    started = time.process_time()
    run_loop(recipe, start, material, folder / "run", lambda told: tokens.append(told.tokens))
    return _row("own loop", tokens[-1], time.process_time() - started)


def theirs(folder: Path, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Run the library's trainer with its contrastive loss; what it reads is counted by the same tokeniser."""
    from datasets import Dataset
    from sentence_transformers import MultiVectorEncoder, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments

    model = MultiVectorEncoder(str(folder / "model"), device="cpu", local_files_only=True)
    data = Dataset.from_dict({"query": [pair.query for pair in pairs], "document": [pair.document for pair in pairs]})
    arguments = MultiVectorEncoderTrainingArguments(
        output_dir=str(folder / "theirs"), max_steps=STEPS, per_device_train_batch_size=BATCH, seed=SEED,
        use_cpu=True, report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    trainer = MultiVectorEncoderTrainer(model=model, args=arguments, train_dataset=data)
    started = time.process_time()
    trainer.train()
    spent = time.process_time() - started
    per_pair = float(np.mean([_length(folder, pair) for pair in pairs]))
    return _row("sentence-transformers", int(STEPS * BATCH * per_pair), spent)


def _corpus(folder: Path, pairs: Sequence[Pair]) -> Corpus:
    tokenizer = _tokenizer(folder)
    return write_corpus(
        folder / "corpus",
        [("pairs", pairs)],
        [],
        lambda role, texts: [
            t.ids for t in (tokenizer.queries(texts) if role == QUERY else tokenizer.documents(texts))
        ],
        {},
    )


def _tokenizer(folder: Path) -> TextTokenizer:
    checkpoint = open_checkpoint(folder / "model")
    return TextTokenizer(read_tokenizer(checkpoint.tokenizer_path, markers=checkpoint.markers), checkpoint.tokens)


def _length(folder: Path, pair: Pair) -> int:
    tokenizer = _tokenizer(folder)
    return len(tokenizer.queries([pair.query])[0].ids) + len(tokenizer.documents([pair.document])[0].ids)


def _row(trainer: str, tokens: int, seconds: float) -> dict[str, Any]:
    return {
        "trainer": trainer,
        "tokens": tokens,
        "cpu_s": round(seconds, 1),
        "tokens_per_cpu_s": round(tokens / seconds),
    }


if __name__ == "__main__":
    run(main)
