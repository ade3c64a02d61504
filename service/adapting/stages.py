"""The stages of an adaptation, each kept in one folder: a second call, or one after a kill, does what is missing.

about.json      what the folder is of; another is refused
written.jsonl   questions that a language model wrote, as they come
pairs/          questions that are learned from, with their passages
sets/held-out   all passages and the held-out questions, an evaluation set
lists/          candidates of each question, mined and then scored
training/       the run: checkpoint, curve, state
exported/       the checkpoint as it is served
before, after   reports of both encoders
model/          the adapted encoder, where it is surely better
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import xxhash

from eval.progress import Progress
from eval.writing import replace_file
from index.language import is_foreign
from lfm2_colbert.encoders.loading import licence_of, load_encoder, resolve
from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.registry import lookup
from service.adapting.documents import Folder, read_folder
from service.adapting.held_out import Gain, gains, read_held_out, write_held_out
from service.cli.progress import Bars
from service.pool import Pool

PARTS = {
    "passage": "lfm2_colbert.training.questions:Passage",
    "plain": "lfm2_colbert.training.questions:plain",
    "asked": "lfm2_colbert.training.questions:asked",
    "can_answer": "lfm2_colbert.training.questions:can_answer",
    "divide": "lfm2_colbert.training.division:divide",
    "distinct": "lfm2_colbert.training.division:distinct",
    "writer": "lfm2_colbert.training.writer:Writer",
    "endpoint": "lfm2_colbert.training.endpoint:Endpoint",
    "recipe": "lfm2_colbert.training.adaptation:read_domain_recipe",
    "pairs_of": "lfm2_colbert.training.adaptation:pairs_of",
    "lifted": "lfm2_colbert.training.adaptation:lifted",
    "by_language": "lfm2_colbert.training.adaptation:questions_by_language",
    "read_pairs": "lfm2_colbert.training.sources:read_all_pairs",
    "write_pairs": "lfm2_colbert.training.sources:write_pairs",
    "pooled": "lfm2_colbert.training.mining:pooled",
    "mine": "lfm2_colbert.training.mining:mine",
    "mining": "lfm2_colbert.training.mining:MiningOptions",
    "write_lists": "lfm2_colbert.training.lists:write_lists",
    "scorer": "lfm2_colbert.training.scorers:LateInteraction",
    "score": "lfm2_colbert.training.scoring:score",
    "train": "lfm2_colbert.training.runner:train",
    "export": "lfm2_colbert.export.onnx:export_folder",
}
"""Loaded by name, as all of training is."""
ABOUT, PAIRS, SETS, LISTS, SCORED, RUN = "about.json", "pairs", "sets", "lists", "scored", "training"
WRITTEN, EXPORTED, MODEL = "written.jsonl", "exported", "model"
FOREIGN, UNWRITTEN = "foreign", "unwritten"
MODE = "hybrid"
TRAINED = ("onnx", "torch")
"""Kinds of encoders whose weights training reads."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is adapted to what.

    Attributes:
        documents: folder of documents.
        output: folder of the adaptation.
        model: name of the encoder.
        recipe: of the training; None: the one that is part of this program.
        writer: address, model and key of a language model that writes questions; None: texts ask themselves.
    """

    documents: Path
    output: Path
    model: str
    recipe: Path | None
    writer: tuple[str, str, str] | None


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked.

    Attributes:
        by_language: language → what questions were made of → how many; passages with ``none``.
        training: questions that are learned from.
        held_out: questions that are measured on.
        left_out: why, and how many.
    """

    by_language: Mapping[str, Mapping[str, int]]
    training: int
    held_out: int
    left_out: Mapping[str, int]


class Adaptation:
    """One adaptation; its stages are called in the order in which they stand here."""

    def __init__(self, wanted: Wanted, *, device: str, threads: int | None) -> None:
        """Load what will be needed, so that what is missing is said at once.

        Raises:
            MissingExtraError: the extra ``train`` is not installed.
            InvalidConfigError: the recipe cannot be read.
            InvalidArgumentError: the encoder is none that can be trained.
            UnknownEncoderError: there is no such encoder.
        """
        if resolve(wanted.model).kind not in TRAINED:
            raise InvalidArgumentError(f"'{wanted.model}' cannot be trained", help="take nano, or a model folder")
        self._wanted, self._device, self._threads = wanted, device, threads
        self._part = {name: lookup(PARTS, name, "part of training", extra="train") for name in PARTS}
        out = wanted.output.absolute()
        self._recipe = self._part["recipe"](
            wanted.recipe, wanted.model, pairs=out / PAIRS, lists=out / LISTS / SCORED, held_out=out / SETS
        )
        self._writer = self._part["writer"](self._part["endpoint"](*wanted.writer)) if wanted.writer else None
        self._encoder = load_encoder(wanted.model, device=device, threads=threads)

    def read(self, bars: Bars) -> Folder:
        """Read the documents.

        Raises:
            NotFoundError: there is no such folder.
        """
        return read_folder(self._wanted.documents, self._encoder, self._part["passage"], bars.file)

    def ask(self, folder: Folder, bars: Bars) -> Questions:
        """Make questions, divide them, and write what is learned from and what is measured on.

        Raises:
            TooFewDocumentsError: too few documents have a passage that can be asked for.
            InvalidArgumentError: the output is of other documents, of another encoder or of another writer.
            ModelUnavailableError: the language model did not answer, or refused.
        """
        part, out = self._part, self._wanted.output
        passages = list(folder.passages) if self._writer else [part["asked"](each) for each in folder.passages]
        able = [each for each in passages if (part["can_answer"](each) if self._writer else each.questions)]
        division = part["divide"](able, self._recipe.seed)
        self._require_same(folder)
        if self._writer:
            division = self._written(self._writer, division, bars)
        asked = part["distinct"](division)
        part["write_pairs"](out / PAIRS, part["pairs_of"](asked.training))
        write_held_out(passages, asked.held_out, part["plain"], out / SETS)
        made = {each.id: each for side in (passages, *division.sides) for each in side}.values()
        n_training, n_held_out = (sum(len(each.questions) for each in side) for side in asked.sides)
        return Questions(part["by_language"](made), n_training, n_held_out, asked.left_out)

    def _require_same(self, folder: Folder) -> None:
        """Keep what the output is of, or refuse it where it is of something else."""
        texts = xxhash.xxh3_128()
        for each in folder.passages:
            texts.update(f"{each.id}\0{each.title}\0{each.text}\0".encode(errors="surrogatepass"))
        about = {
            "passages": texts.hexdigest(),
            "encoder": self._encoder.fingerprint,
            "writer": self._writer.fingerprint if self._writer else "",
            "seed": self._recipe.seed,
        }
        path = self._wanted.output / ABOUT
        if path.exists() and json.loads(path.read_text(encoding="utf-8")) != about:
            raise InvalidArgumentError(
                f"{self._wanted.output} is of other documents, another encoder or other questions",
                help="give another folder: -o DIR",
            )
        replace_file(path, json.dumps(about, indent=1) + "\n")

    def _written(self, writer: Any, division: Any, bars: Bars) -> Any:
        """Let the language model ask; a question in another language than its passage's is left out, and counted."""
        drawn = [each for side in division.sides for each in side]
        path = self._wanted.output / WRITTEN
        written = writer.write(drawn, path, lambda *told: bars.counted("write", "questions", *told))
        foreign = [any(is_foreign(own.text, each.language) for own in each.questions) for each in written]
        kept = [was if far else each for was, each, far in zip(drawn, written, foreign, strict=True)]
        left_out = {FOREIGN: sum(foreign), UNWRITTEN: sum(not each.questions for each in written)}
        n = len(division.training)
        return replace(division, training=kept[:n], held_out=kept[n:], left_out={**division.left_out, **left_out})

    def mine(self, bars: Bars) -> Mapping[str, int]:
        """Look for hard negatives among what is learned from, and score them; count what was left out."""
        part, folder = self._part, self._wanted.output / LISTS
        pool, work = part["pooled"](list(part["read_pairs"](self._wanted.output / PAIRS))), folder / ".mining"
        with Pool(pool.documents, self._encoder, MODE, work, bars) as served:
            mined = part["mine"](
                pool, served, part["mining"](), work / "mined.jsonl",
                lambda *told: bars.counted("mine", "questions", *told),
            )  # fmt: skip
        scorer = part["scorer"](self._encoder)
        scored = part["score"](
            mined.lists, [scorer], folder / ".scores", lambda _, *told: bars.counted("score", "lists", *told)
        )
        part["write_lists"](folder / SCORED, part["lifted"](mined.lists, scored))
        return {name: value for name, value in asdict(mined).items() if name != "lists"}

    def train(self, on_prepared: Callable[[str, int, int], None], on_told: Callable[[Any], None]) -> Mapping[str, int]:
        """Train by the recipe and export what comes out; count what shared a run of words with what is held out."""
        run = self._wanted.output / RUN
        trained = self._part["train"](self._recipe, run, on_prepared, on_told)
        name = f"{Path(self._encoder.name).name}-{self._wanted.output.resolve().name}"
        self._part["export"](trained.checkpoint, self._exported, name, "int8", licence_of(self._wanted.model))
        about = json.loads((run / "corpus" / ABOUT).read_text(encoding="utf-8"))
        return dict(about["left out"])

    def compare(self, on_progress: Callable[[Progress], None]) -> tuple[Gain, ...]:
        """Ask the held-out questions of the encoder and of what became of it, both as they are served."""
        adapted = load_encoder(str(self._exported), device=self._device, threads=self._threads)
        out = self._wanted.output
        return gains(read_held_out(out / SETS), self._encoder, adapted, out, on_progress)

    def offer(self, won: Sequence[Gain]) -> Path | None:
        """Put the adapted encoder in its place where it is surely better; else see that there is none."""
        place = self._wanted.output / MODEL
        unfinished = place.with_name(f".{MODEL}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        if won[0].is_sure:
            shutil.copytree(self._exported, unfinished)
        shutil.rmtree(place, ignore_errors=True)
        return unfinished.rename(place) if won[0].is_sure else None

    @property
    def _exported(self) -> Path:
        return self._wanted.output / EXPORTED
