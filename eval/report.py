"""What an evaluation found, and the folder it is kept in.

    report.json        what was measured, where and how; a flat row for each task and system
    per_query.jsonl    a line for each row: the values of every query, by measure
    examples.jsonl     a line for each of the worst queries: what was found, and what should have been
    runs/*.trec        what each system found
    qrels/*.trec       what it should have found

Other files of the folder are made of these (`eval.page`, `eval.exports`); `eval.compare` reads two of such folders.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from eval.machine import Machine
from eval.writing import replace_file
from lfm2_colbert.errors import MalformedDocumentError, NotFoundError

REPORT, PER_QUERY, EXAMPLES = "report.json", "per_query.jsonl", "examples.jsonl"

Values = Mapping[str, Mapping[str, float]]
"""Measure, as it is called in rows (``ndcg_at_10``) → query id → value."""


@dataclass(frozen=True, slots=True, order=True)
class TaskKey:
    """Names a task: the columns that its rows share.

    Attributes:
        dataset: ``nanobeir``, or the name of a set.
        task: of NanoBEIR its short name; ``monolingual`` or ``cross-lingual`` of other sets.
        query_language: ISO 639-1; ``und`` where it is not told.
        document_language: the same of the documents.
    """

    dataset: str
    task: str
    query_language: str
    document_language: str

    def __str__(self) -> str:
        return f"{self.dataset}-{self.task}-{self.query_language}-{self.document_language}"


@dataclass(frozen=True, slots=True, order=True)
class SystemKey:
    """Names a system: ``lfm2-colbert``, ``bm25``, ``exact``, …, and its setting (``hybrid balanced``)."""

    system: str
    setting: str

    def __str__(self) -> str:
        return f"{self.system} {self.setting}"


@dataclass(frozen=True, slots=True)
class Row:
    """A task by a system.

    Attributes:
        task: what was asked.
        system: who answered.
        queries: number of them.
        passages: number of stretches of text that were ranked.
        figures: by the names of `docs/reference/evaluation.md`; what was not measured is absent.
    """

    task: TaskKey
    system: SystemKey
    queries: int
    passages: int
    figures: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """Lay the row out flat."""
        counts = {"queries": self.queries, "passages": self.passages}
        return asdict(self.task) | asdict(self.system) | counts | dict(self.figures)

    @classmethod
    def of_json(cls, row: Mapping[str, Any]) -> "Row":
        """Read a flat row."""
        task, system = _key(TaskKey, row), _key(SystemKey, row)
        named = {each.name for kind in (TaskKey, SystemKey) for each in fields(kind)} | {"queries", "passages"}
        return cls(task, system, row["queries"], row["passages"], {k: v for k, v in row.items() if k not in named})


@dataclass(frozen=True, slots=True)
class Document:
    """A document in an example: the beginning of its text, and its grade where it was judged."""

    document_id: str
    text: str
    grade: int | None


@dataclass(frozen=True, slots=True)
class Example:
    """A query that a system answered badly, beside the first baseline.

    Attributes:
        task: where it was asked.
        system: who answered.
        query_id: of the query.
        query: its text.
        ndcg_at_10: what the answer was worth.
        baseline: the system it is held against.
        baseline_ndcg_at_10: what that one's answer was worth.
        hits: the best ten.
        missed: relevant documents that are not among them.
    """

    task: TaskKey
    system: SystemKey
    query_id: str
    query: str
    ndcg_at_10: float
    baseline: SystemKey | None
    baseline_ndcg_at_10: float | None
    hits: tuple[Document, ...]
    missed: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class LanguageShare:
    """How much of what is found is in a language, where the same documents are there in all of them.

    Attributes:
        dataset: of the documents.
        setting: of the search.
        query_language: of the queries.
        document_language: of the documents counted.
        queries: asked.
        share: of the ten best, mean over queries.
        low: of its 95 % interval.
        high: of it.
        expected: 1 over the number of languages.
    """

    dataset: str
    setting: str
    query_language: str
    document_language: str
    queries: int
    share: float
    low: float
    high: float
    expected: float


@dataclass(frozen=True, slots=True)
class Report:
    """A whole evaluation.

    Attributes:
        commit: of the measured code, 40 hexadecimal digits, where it ran from a clean clone; else empty.
        created: ISO 8601, UTC.
        command: how to make it again.
        machine: where it ran.
        versions: of Python and the libraries.
        seed: of everything random.
        config: the options of the run, by name, and what the collections were built with.
        rows: a task by a system each.
        cleaned: by task, how many documents, queries or judgements a cleaning rule touched, by rule.
        revisions: of the data, by name; ``local`` where a folder of this machine was given.
        warnings: what a reader has to know.
        per_query: values of the queries of a row, by measure.
        examples: the worst queries.
        language_bias: what a pool of all languages gave; empty where it was not asked for.
    """

    commit: str
    created: str
    command: str
    machine: Machine
    versions: Mapping[str, str]
    seed: int
    config: Mapping[str, Any]
    rows: tuple[Row, ...]
    cleaned: Mapping[TaskKey, Mapping[str, int]]
    revisions: Mapping[str, str]
    warnings: tuple[str, ...]
    per_query: Mapping[tuple[TaskKey, SystemKey], Values]
    examples: tuple[Example, ...]
    language_bias: tuple[LanguageShare, ...] = ()


def save(report: Report, folder: Path) -> None:
    """Write the three files of a report; each replaces an older one as a whole."""
    head = {
        "name": "evaluation", "commit": report.commit, "created": report.created, "command": report.command,
        "machine": asdict(report.machine), "versions": dict(report.versions), "seed": report.seed,
        "config": dict(report.config), "revisions": dict(report.revisions), "warnings": list(report.warnings),
        "cleaned": [asdict(task) | dict(counts) for task, counts in sorted(report.cleaned.items())],
        "language_bias": [asdict(share) for share in report.language_bias],
    }  # fmt: skip
    rows = ",\n".join(f"  {json.dumps(row.as_json(), ensure_ascii=False)}" for row in report.rows)
    begun = json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}")
    replace_file(folder / REPORT, f'{begun},\n "rows": [\n{rows}\n ]\n}}\n')
    replace_file(folder / PER_QUERY, "".join(_per_query_lines(report.per_query)))
    replace_file(folder / EXAMPLES, "".join(json.dumps(asdict(e), ensure_ascii=False) + "\n" for e in report.examples))


def load(folder: Path) -> Report:
    """Read a report's folder.

    Raises:
        NotFoundError: there is no report in it.
        MalformedDocumentError: a file is not what `save` writes.
    """
    try:
        head = json.loads(_text(folder / REPORT))
        per_query = [json.loads(line) for line in _text(folder / PER_QUERY).splitlines()]
        examples = [json.loads(line) for line in _text(folder / EXAMPLES).splitlines()]
        return _report(head, per_query, examples)
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedDocumentError(
            f"{folder} does not hold a whole report", help="run the evaluation again"
        ) from error


def _report(head: dict[str, Any], per_query: list[dict[str, Any]], examples: list[dict[str, Any]]) -> Report:
    keys = {each.name for each in fields(TaskKey)}
    return Report(
        commit=head["commit"],
        created=head["created"],
        command=head["command"],
        machine=Machine(**head["machine"] | {"flags": tuple(head["machine"]["flags"])}),
        versions=head["versions"],
        seed=head["seed"],
        config=head["config"],
        rows=tuple(Row.of_json(row) for row in head["rows"]),
        cleaned={_key(TaskKey, row): {k: v for k, v in row.items() if k not in keys} for row in head["cleaned"]},
        revisions=head["revisions"],
        warnings=tuple(head["warnings"]),
        per_query={(_key(TaskKey, row), _key(SystemKey, row)): row["values"] for row in per_query},
        examples=tuple(_example(row) for row in examples),
        language_bias=tuple(LanguageShare(**row) for row in head["language_bias"]),
    )


def _example(row: dict[str, Any]) -> Example:
    return Example(
        **row
        | {
            "task": TaskKey(**row["task"]),
            "system": SystemKey(**row["system"]),
            "baseline": SystemKey(**row["baseline"]) if row["baseline"] else None,
            "hits": tuple(Document(**each) for each in row["hits"]),
            "missed": tuple(Document(**each) for each in row["missed"]),
        }
    )


def _per_query_lines(per_query: Mapping[tuple[TaskKey, SystemKey], Values]) -> Iterator[str]:
    for task, system in sorted(per_query):
        line = asdict(task) | asdict(system) | {"values": per_query[task, system]}
        yield json.dumps(line, ensure_ascii=False) + "\n"


def _key(kind: Any, row: Mapping[str, Any]) -> Any:
    return kind(**{each.name: row[each.name] for each in fields(kind)})


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(
            f"there is no {path}", help="name the folder that `lfm2-colbert eval … -o FOLDER` wrote"
        ) from error


def systems_of(rows: Iterable[Row]) -> list[SystemKey]:
    """Name the systems in the order in which they first come."""
    return list(dict.fromkeys(row.system for row in rows))
