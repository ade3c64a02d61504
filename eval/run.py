"""An evaluation: tasks by systems, each measured with intervals, each finished one kept."""

import shlex
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from eval.datasets.base import Task, sample, with_titles, without_titles
from eval.dense import DenseModel, DenseSystem
from eval.examples import worst
from eval.kept import KeptAnswers
from eval.language_bias import Pooled, language_shares
from eval.machine import this_machine, versions
from eval.measures import FIGURES, measure, require_measures
from eval.progress import OnProgress, Progress
from eval.report import Example, Report, Row, SystemKey, TaskKey, Values
from eval.rivals import load_rivals
from eval.served import Build, Served, documents_key
from eval.significance import bootstrap_interval, paired_interval
from eval.systems import OURS, Answers, OracleSystem, ServedSystem, System, WordSystem
from eval.trec import file_name, write_qrels, write_run
from index.codecs import CODECS
from index.durable import disk_errors
from index.effort import Effort
from index.fusion import Mode
from index.home import home_folder
from index.indexing import EncodingProgress
from index.pooling import require_factor
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import load_encoder
from lfm2_colbert.errors import InvalidArgumentError, UnknownNameError

LIBRARIES = ("apsw", "bm25s", "faiss-cpu", "ir-measures")
CACHE, COLLECTIONS = ".evaluations", "collections"
BM25, ORACLE = "bm25", "oracle"
NDCG = FIGURES["nDCG@10"]
NO_POOL = "the language bias was not measured: no set has documents in two languages, each asked in its own"


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured.

    Attributes:
        modes: of the served collection, a row each: ``hybrid``, ``semantic``, ``lexical``.
        effort: ``fast``, ``balanced`` or ``exact``.
        codec: how the collections store vectors.
        pool: 1, 2 or 3: how many vectors become one.
        baselines: ``bm25``, ``oracle``, or models as `eval.rivals` names them.
        exact: whether all is scored by exact MaxSim too, for the difference to it.
        limit: queries of a task at most, drawn by the seed; None: all.
        titles: whether titles are put before texts, as BEIR does; else texts alone.
        seed: of everything random.
    """

    modes: Sequence[str] = ("semantic", "hybrid")
    effort: str = "balanced"
    codec: str = "scalar4"
    pool: int = 1
    baselines: Sequence[str] = (BM25,)
    exact: bool = True
    limit: int | None = None
    titles: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what there is not.

        Raises:
            UnknownNameError: of a mode, effort or codec.
            InvalidArgumentError: there is no mode, no such pooling factor, or the limit is no positive number.
        """
        for mode in self.modes:
            _require_known("mode", mode, [*Mode])
        _require_known("effort", self.effort, [*Effort])
        _require_known("codec", self.codec, CODECS)
        require_factor(self.pool)
        if not self.modes:
            raise InvalidArgumentError("there is no mode to evaluate", help="name one: semantic, hybrid or lexical")
        if self.limit is not None and self.limit < 1:
            raise InvalidArgumentError(f"the limit is {self.limit}", help="take one query of each task at least")


def _require_known(kind: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise UnknownNameError.of(kind, name, map(str, known))


def _ignore(progress: Progress) -> None:
    """Show nothing."""


def evaluate(
    tasks: Iterable[Task],
    options: Options = Options(),  # frozen
    *,
    encoder: str | Encoder = "nano",
    folder: Path | None = None,
    cache: Path | None = None,
    language_bias: bool = False,
    total: int = 0,
    on_progress: OnProgress = _ignore,
    commit: str = "",
) -> Report:
    """Index each task's documents as a person would, ask its queries, and measure what is found.

    Collections, vectors and finished answers are kept in `cache` under what they are made of: a second call, or one
    after a kill, does only what is missing.

    Args:
        tasks: from `eval.datasets`.
        options: what is measured.
        encoder: the model, or its name.
        folder: to write runs and judgements into, in TREC's format, as they are made; None: they are not written.
        cache: None: a folder beside the collections.
        language_bias: whether a pool of each set's documents in all its languages is asked too.
        total: how many tasks there are, for progress.
        on_progress: called often.
        commit: of the measured code, for reports that are published.

    Raises:
        UnknownEncoderError: no such model.
        IndexLockedError: another evaluation works on the same documents.
        MissingExtraError: the extra ``eval`` is not installed.
        DataError: a task cannot be read.
        PermissionDeniedError: a folder may not be written.
        StorageError: the disk refused.
    """
    require_measures()  # this and the next before the work, not after it
    if folder is not None:
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
    model = load_encoder(encoder) if isinstance(encoder, str) else encoder
    kept = home_folder() / CACHE if cache is None else cache
    total = len(tasks) if isinstance(tasks, Sequence) else total
    own: list[Task] = []
    with _Run(options, model, kept, folder, on_progress) as run:
        for number, task in enumerate(tasks, start=1):
            ready = prepared(task, options)
            run.measure(ready, number, total)
            if language_bias and task.language == task.query_language:
                own.append(ready)
    asked = Pooled(options.modes[0], options.effort, Build(options.codec, options.pool), options.seed)
    shares = tuple(language_shares(own, model, asked, kept / COLLECTIONS, on_progress))
    report = run.report(commit)
    if language_bias and not shares:
        return replace(report, warnings=(*report.warnings, NO_POOL))
    return replace(report, language_bias=shares)


def prepared(task: Task, options: Options) -> Task:
    """Cut a task to what is asked for."""
    titled = with_titles(task) if options.titles else without_titles(task)
    return titled if options.limit is None else sample(titled, options.limit, options.seed)


class _Run(ExitStack):
    """One evaluation under way."""

    def __init__(
        self, options: Options, encoder: Encoder, cache: Path, folder: Path | None, on_progress: OnProgress
    ) -> None:
        super().__init__()
        self._options, self._encoder, self._folder, self._on_progress = options, encoder, folder, on_progress
        self._collections, self._kept = cache / COLLECTIONS, KeptAnswers(cache / "answers")
        self._rivals = load_rivals([name for name in options.baselines if name not in (BM25, ORACLE)], encoder)
        self._dense = cache / "dense"
        self._corpus, self._systems = "", list[System]()
        self._rows: list[Row] = []
        self._per_query: dict[tuple[TaskKey, SystemKey], Values] = {}
        self._examples: list[Example] = []
        self._cleaned: dict[TaskKey, Mapping[str, int]] = {}
        self._revisions: dict[str, str] = {}
        self._warnings: list[str] = []

    def measure(self, task: Task, number: int, total: int) -> None:
        """Ask all systems and measure them."""
        found = {}
        for system in self._systems_of(task):
            answers = self._kept.get(task, system)
            if answers is None:
                answers = self._answered(task, system, number, total)
                self._kept.put(task, system, answers)
            found[system.key] = answers
        self._take(task, found)

    def _answered(self, task: Task, system: System, number: int, total: int) -> Answers:
        queries = iter(range(1, len(task.queries) + 1))

        def tell(step: str, done: float) -> None:
            self._on_progress(Progress(task.key, number, total, step, done))

        def encoded(progress: EncodingProgress) -> None:
            tell("encode", progress.characters / max(progress.total_characters, 1))

        def asked() -> None:
            tell(str(system.key), next(queries) / len(task.queries))

        return system.answer(task, encoded, asked)

    def _systems_of(self, task: Task) -> list[System]:
        """Open the collections of a task; tasks in a row that have the same documents share them."""
        corpus = documents_key(task.documents)
        if corpus != self._corpus:
            self.close()
            self._corpus, self._systems = corpus, list(self._opened(task, corpus))
        return self._systems

    def _opened(self, task: Task, corpus: str) -> Iterator[System]:
        options = self._options
        build = Build(options.codec, options.pool)
        served = self.enter_context(Served(task.documents, self._encoder, build, self._collections))
        yield from (ServedSystem(served, OURS, mode, options.effort) for mode in options.modes)
        if options.exact or ORACLE in options.baselines:
            yield OracleSystem(served)
        if BM25 in options.baselines:
            yield WordSystem(corpus)
        for name, model in self._rivals.items():
            if isinstance(model, DenseModel):
                yield DenseSystem(model, name, corpus, self._dense)
                continue
            rival = self.enter_context(Served(task.documents, model, build, self._collections))
            yield from (ServedSystem(rival, name, mode, options.effort) for mode in options.modes)

    def _take(self, task: Task, found: Mapping[SystemKey, Answers]) -> None:
        key = task.key
        self._cleaned[key] = task.cleaned
        self._revisions[_data_of(task)] = task.revision
        values = {system: _values(task, answers) for system, answers in found.items()}
        oracle = next((values[system] for system in found if system.system == ORACLE), None)
        for system, answers in found.items():
            figures = _measured(values[system], self._options.seed) | dict(answers.figures)
            if oracle is not None and system.system == OURS:
                figures |= _difference(oracle, values[system], self._options.seed)
            self._rows.append(Row(key, system, len(task.queries), answers.passages, figures))
            self._per_query[key, system] = values[system]
            self._warn(task, system, answers)
            if self._folder is not None:
                write_run(self._folder / "runs" / f"{file_name(str(key), str(system))}.trec", answers.run, str(system))
        if self._folder is not None:
            write_qrels(self._folder / "qrels" / f"{file_name(str(key))}.trec", task.qrels)
        self._examples += worst(task, found, values)

    def _warn(self, task: Task, system: SystemKey, answers: Answers) -> None:
        self._warnings += [
            f"{task.key}, {system}: {count} of {len(task.queries)} queries: {code}"
            for code, count in sorted(answers.warnings.items())
        ]

    def report(self, commit: str) -> Report:
        """Put together what was measured.

        Raises:
            InvalidArgumentError: there was no task.
        """
        if not self._rows:
            raise InvalidArgumentError("there was no task to evaluate", help="name a set that has some")
        model = {"model": self._encoder.name, "fingerprint": self._encoder.fingerprint}
        return Report(
            commit=commit,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            machine=this_machine(),
            versions=versions(LIBRARIES),
            seed=self._options.seed,
            config=model | _plain(self._options),
            rows=tuple(self._rows),
            cleaned=self._cleaned,
            revisions=self._revisions,
            warnings=tuple(dict.fromkeys(self._warnings)),
            per_query=self._per_query,
            examples=tuple(self._examples),
        )


def _data_of(task: Task) -> str:
    """Name a set and, where it comes from the hub, the repository: some sets have one for each language or task."""
    repository = task.revision.rpartition("@")[0]
    return f"{task.name} {repository}" if repository else task.name


def _values(task: Task, answers: Answers) -> Values:
    found = measure(task.qrels, answers.run)
    return {FIGURES[name]: values for name, values in found.per_query.items()}


def _measured(values: Values, seed: int) -> dict[str, float]:
    means = {name: round(float(np.mean(list(each.values()))), 4) for name, each in values.items()}
    interval = bootstrap_interval(_array(values), seed=seed)
    return means | {"ndcg_low": round(interval.low, 4), "ndcg_high": round(interval.high, 4)}


def _difference(oracle: Values, ours: Values, seed: int) -> dict[str, float]:
    """Say what is lost to exact MaxSim, or won."""
    exact, served = _array(oracle), _array(ours)
    interval = paired_interval(exact, served, seed=seed)
    return {
        "exact_difference": round(float(np.mean(served - exact)), 4),
        "exact_low": round(interval.low, 4),
        "exact_high": round(interval.high, 4),
    }


def _array(values: Values) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([values[NDCG][query_id] for query_id in sorted(values[NDCG])])


def _plain(options: Options) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(options).items()}
