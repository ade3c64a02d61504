"""Held-out questions as an evaluation set, asked of the index as it is served, before and after."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.compare import Contrast, compare
from eval.datasets.base import Task
from eval.datasets.folder import load, write
from eval.output import write as write_report
from eval.progress import Progress
from eval.run import Options, evaluate
from index.types import Document
from lfm2_colbert.encoders.base import Encoder

NAME, MANY_LANGUAGES = "held-out", "und"
MODES = ("hybrid", "semantic")
"""The first is what a search does unless it is told otherwise: it decides."""
SYSTEM, EFFORT = "lfm2-colbert", "balanced"


@dataclass(frozen=True, slots=True)
class Gain:
    """What an encoder won over another in a mode of search: nDCG@10, and the paired 95 % interval of the difference."""

    mode: str
    contrast: Contrast

    @property
    def is_sure(self) -> bool:
        """Whether the whole interval is above zero."""
        return self.contrast.low > 0


def write_held_out(passages: Iterable[Any], asked: Iterable[Any], plain: Callable[[str], str], folder: Path) -> None:
    """Write an evaluation set of all passages, where each asked one answers its questions.

    Args:
        passages: all that may be found; of those that read alike the first.
        asked: those whose questions are asked.
        plain: gives the same for texts that read alike.
        folder: of sets; this one is `NAME` there.
    """
    first: dict[str, Any] = {}
    for each in passages:
        first.setdefault(plain(each.text), each)
    questions = [(question.text, first[plain(each.text)].id) for each in asked for question in each.questions]
    languages = {each.language for each in first.values()}
    language = languages.pop() if len(languages) == 1 else MANY_LANGUAGES
    write(
        Task(
            name=NAME,
            language=language,
            query_language=language,
            split="test",
            documents={each.id: Document(each.id, each.text) for each in first.values()},
            queries={f"q{n}": text for n, (text, _) in enumerate(questions)},
            qrels={f"q{n}": {document_id: 1} for n, (_, document_id) in enumerate(questions)},
        ),
        folder / NAME,
    )


def read_held_out(folder: Path) -> Task:
    """Read what `write_held_out` wrote."""
    (corpus,) = (folder / NAME).glob("*/corpus.jsonl")
    return load(folder / NAME, corpus.parent.name)


def gains(
    task: Task, before: Encoder, after: Encoder, folder: Path, on_progress: Callable[[Progress], None]
) -> tuple[Gain, ...]:
    """Ask both encoders, keep their reports in ``before`` and ``after``, and compare them in each of `MODES`."""
    options = Options(modes=MODES, effort=EFFORT, baselines=(), exact=False)
    reports = []
    for name, encoder in (("before", before), ("after", after)):
        report = evaluate(
            [task], options, encoder=encoder, folder=folder / name, cache=folder / ".evaluations",
            on_progress=on_progress,
        )  # fmt: skip
        write_report(report, folder / name)
        reports.append(report)
    systems = [f"{SYSTEM} {mode} {EFFORT}" for mode in MODES]
    found = [compare(reports[0], reports[1], systems=(system, system)) for system in systems]
    return tuple(Gain(mode, each.mean) for mode, each in zip(MODES, found, strict=True))
