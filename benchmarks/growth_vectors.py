"""Some half a million passages of distinct real text, to see how an engine grows: made once, in ``data/growth``.

First the passages of `engine_vectors.py`, then the positives of the training pairs, cut as a collection cuts them, then
runs of sentences from the parallel texts. What the bundled encoder did not encode already is encoded by the checkpoint
it was exported from, in bfloat16: 1.6 times as fast, and as good for an engine (cosine with float32: .9999).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from benchmarks.engine_vectors import EngineSet, engine_set, passages_of
from benchmarks.results_file import ROOT
from lfm2_colbert import MultiVectors, load_encoder
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import BUNDLED
from lfm2_colbert.encoders.onnx import folder_tokenizer, read_encoder_config
from lfm2_colbert.tokenization import TextTokenizer

RUN_TOKENS = 60
"""A run of sentences ends with the one that brings it here."""
LONGEST_RUN = 200
PASSAGES_PER_ENCODING = 8192


@dataclass(frozen=True, slots=True, eq=False)
class GrowthSet:
    """What an engine grows to: any number of these passages from the first on.

    Attributes:
        passages: one item a passage, float16.
        token_ids: ``(n_tokens,)`` uint32.
    """

    passages: MultiVectors
    token_ids: NDArray[np.uint32]


def growth_set(data: Path, destination: Path, checkpoint: Path) -> GrowthSet:
    """Load the set; where it is not there, or was left half made, make it or go on.

    Args:
        data: holds ``eval`` with the archives of the evaluation sets.
        destination: an ignored folder in which ``train`` and ``parallel`` lie unpacked.
        checkpoint: what the bundled encoder was exported from.
    """
    folder = destination / "growth"
    if not (folder / "whole").exists():
        _make(folder, engine_set(data / "eval", destination), destination, checkpoint)
    return GrowthSet(
        MultiVectors(np.load(folder / "passages.npy", mmap_mode="r"), np.load(folder / "offsets.npy")),
        np.load(folder / "token_ids.npy"),
    )


def _make(folder: Path, base: EngineSet, texts: Path, checkpoint: Path) -> None:
    """Write down all token ids first, so that the file of vectors has its size, then encode block by block."""
    folder.mkdir(parents=True, exist_ok=True)
    added = added_texts(texts)
    tokenizer = folder_tokenizer(BUNDLED, read_encoder_config(BUNDLED))
    kept = [each.ids[each.kept] for each in tokenizer.documents(added)]
    offsets = np.concatenate([base.passages.offsets, base.passages.offsets[-1] + np.cumsum([len(ids) for ids in kept])])
    np.save(folder / "offsets.npy", offsets)
    np.save(folder / "token_ids.npy", np.concatenate([base.token_ids, *kept]).astype(np.uint32))
    _encode(folder, base.passages, offsets, added, checkpoint)
    (folder / "whole").touch()


def added_texts(texts: Path) -> list[str]:
    """Cut the training positives into passages and join the parallel sentences to runs, each text once.

    Args:
        texts: an ignored folder in which ``train`` and ``parallel`` lie unpacked.
    """
    encoder, tokenizer = load_encoder("nano"), folder_tokenizer(BUNDLED, read_encoder_config(BUNDLED))
    return _distinct([*_positives(texts / "train", encoder), *_runs(texts / "parallel", tokenizer)])


def _encode(folder: Path, base: MultiVectors, offsets: NDArray[np.int64], texts: list[str], checkpoint: Path) -> None:
    import torch

    path, done_file = folder / "passages.npy", folder / "encoded.json"
    shape, done = (int(offsets[-1]), base.dim), 0
    if done_file.exists():
        done = int(json.loads(done_file.read_text(encoding="utf-8")))
    vectors = np.lib.format.open_memmap(path, "r+" if done else "w+", np.float16, None if done else shape)
    vectors[: len(base.vectors)] = base.vectors
    encoder, own = load_encoder(str(checkpoint)), offsets[len(base) :]
    for start in range(done, len(texts), PASSAGES_PER_ENCODING):
        end = min(start + PASSAGES_PER_ENCODING, len(texts))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            block = encoder.encode_documents(texts[start:end])
        if not np.array_equal(block.offsets, own[start : end + 1] - own[start]):
            raise ValueError("the checkpoint cuts texts into other tokens than the bundled encoder")
        vectors[own[start] : own[end]] = block.vectors
        vectors.flush()
        done_file.write_text(json.dumps(end), encoding="utf-8")
        click.echo(f"{end} of {len(texts)} passages encoded", err=True)


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _positives(folder: Path, encoder: Encoder) -> Iterator[str]:
    """The passages of all training positives, each text once."""
    rows = (json.loads(line) for path in sorted(folder.glob("*/*.jsonl")) for line in _lines(path))
    positives = _distinct(row["positive"] for row in rows if row.get("positive"))
    yield from passages_of(positives, encoder)[1]


def _runs(folder: Path, tokenizer: TextTokenizer) -> Iterator[str]:
    """Sentences of one side of one file, each used once over all files, joined to runs."""
    seen: set[str] = set()
    for path in sorted(folder.glob("*.tsv")):
        for side in zip(*(line.split("\t") for line in _lines(path)), strict=True):
            sentences = [sentence for sentence in _distinct(side) if sentence not in seen]
            seen.update(sentences)
            yield from _joined(sentences, [len(each.ids[each.kept]) for each in tokenizer.documents(sentences)])


def _joined(sentences: list[str], lengths: list[int]) -> Iterator[str]:
    run: list[str] = []
    size = 0
    for sentence, length in zip(sentences, lengths, strict=True):
        run.append(sentence)
        size += length
        if size >= RUN_TOKENS:
            if size <= LONGEST_RUN:
                yield " ".join(run)
            run, size = [], 0


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield line.rstrip("\n")


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--checkpoint", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(data: Path, checkpoint: Path) -> None:
    """Make the vectors from the texts in DATA."""
    made = growth_set(data, ROOT / "data", checkpoint)
    click.echo(f"{len(made.passages)} passages, {len(made.token_ids)} tokens")


if __name__ == "__main__":
    main()
