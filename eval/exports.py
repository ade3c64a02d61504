"""Figures in the shapes that others read: mteb's result files, and the evaluation results of a model on the hub.

    mteb/<TaskName>.json    mteb's TaskResult, one a task of NanoBEIR; its subsets are languages
    model-card.yaml         entries as the hub reads them in `.eval_results/`

Both hold NanoBEIR alone, the only set here that mteb and the hub have, with documents and queries in one language.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.datasets.nanobeir import MTEB_REVISIONS, NAME, SOURCES, TASKS
from eval.report import Report, Row, SystemKey, TaskKey, systems_of
from eval.summary import NDCG, OWN
from eval.writing import replace_file

MTEB, MODEL_CARD = "mteb", "model-card.yaml"
SPLIT = "test"
UNKNOWN = "unknown"
DECIMALS = 5
SCORES = {
    "ndcg_at_10": "ndcg_at_10",
    "recall_at_100": "recall_at_100",
    "mrr_at_10": "mrr_at_10",
    "map_at_100": "map_at_100",
    "success_at_1": "hit_rate_at_1",
    "success_at_5": "hit_rate_at_5",
}
"""Our figure → its name in mteb."""
SCRIPTS = {
    "ar": "ara-Arab", "de": "deu-Latn", "en": "eng-Latn", "es": "spa-Latn", "fr": "fra-Latn", "it": "ita-Latn",
    "ja": "jpn-Jpan", "ko": "kor-Kore", "no": "nor-Latn", "pt": "por-Latn", "sv": "swe-Latn",
}  # fmt: skip
"""Language → how mteb names it and its script."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where data comes from."""

    repository: str
    revision: str

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}"


def write_exports(report: Report, folder: Path) -> list[Path]:
    """Write the files of our own system, and give their paths; none where it was not measured on NanoBEIR.

    Of several settings the semantic one is taken, which is the model's own; else the first. Entries for the hub name
    the data that was read; where a report does not tell it, there are none.
    """
    known = [row for row in report.rows if _is_exported(row)]
    system = exported_system(known)
    rows = [row for row in known if row.system == system]
    results = [
        task_result(report, [row for row in rows if row.task.task == task])
        for task in dict.fromkeys(row.task.task for row in rows)
    ]
    texts = {folder / MTEB / f"{each['task_name']}.json": json.dumps(each, indent=2) + "\n" for each in results}
    if entries := [entry for row in rows if (entry := eval_result(report, row))]:
        texts[folder / MODEL_CARD] = "".join(map(_yaml, entries))
    for path, text in texts.items():
        replace_file(path, text)
    return list(texts)


def exported_system(rows: Iterable[Row]) -> SystemKey | None:
    """Choose the system whose figures are written."""
    own = [system for system in systems_of(rows) if system.system == OWN]
    return min(own, key=lambda system: not system.setting.startswith("semantic"), default=None)


def task_result(report: Report, rows: Sequence[Row]) -> dict[str, Any]:
    """Lay rows of one task out as mteb's TaskResult.

    mteb did not measure them, so no version of it is named. The revision is that of mteb's own data where these were
    read; else repository and revision of what was, or ``unknown``.
    """
    source, repository = _source(report, rows[0].task), _mteb_repository(rows[0].task)
    revision = str(source) if source else UNKNOWN
    return {
        "dataset_revision": revision.removeprefix(f"{repository}@"),
        "task_name": repository.removeprefix("mteb/"),
        "mteb_version": None,
        "evaluation_time": None,
        "date": report.created,
        "scores": {SPLIT: [_scores(row) for row in rows]},
    }


def eval_result(report: Report, row: Row) -> dict[str, Any] | None:
    """Lay a row out as an entry of evaluation results on the hub; its value is nDCG@10 of 100."""
    source = _source(report, row.task)
    if source is None:
        return None
    name = f"Nano{TASKS[row.task.task]}_{row.task.document_language}"
    return {
        "dataset": {"id": source.repository, "task_id": name, "revision": source.revision},
        "value": round(100 * row.figures[NDCG], DECIMALS - 2),
        "date": report.created[:10],
        "notes": f"nDCG@10 of 100, {row.system}, {row.queries} queries",
    }


def _scores(row: Row) -> dict[str, Any]:
    scores = {theirs: round(row.figures[ours], DECIMALS) for ours, theirs in SCORES.items() if ours in row.figures}
    language = row.task.document_language
    return scores | {
        "main_score": scores[NDCG],
        "hf_subset": language,
        "languages": [SCRIPTS[language]],
    }


def _is_exported(row: Row) -> bool:
    task = row.task
    is_known = task.dataset == NAME and task.task in TASKS and task.document_language in SCRIPTS
    return is_known and task.query_language == task.document_language and NDCG in row.figures


def _mteb_repository(task: TaskKey) -> str:
    return f"mteb/MultilingualNano{MTEB_REVISIONS[task.task][0]}Retrieval"


def _source(report: Report, task: TaskKey) -> Source | None:
    """Find what a task was read from; None where the report does not tell it."""
    told = dict(each.rpartition("@")[::2] for each in report.revisions.values())
    for layout in SOURCES.values():
        repository = layout.table(task.task, task.document_language, "corpus").repository
        if repository in told:
            return Source(repository, told[repository])
    return None


def _yaml(entry: Mapping[str, Any]) -> str:
    """Write an item of a list; every scalar as JSON, which YAML reads."""
    return "- " + "  ".join(_yaml_lines(entry))


def _yaml_lines(entry: Mapping[str, Any]) -> Iterator[str]:
    for key, value in entry.items():
        if isinstance(value, Mapping):
            yield f"{key}:\n" + "".join(f"    {name}: {json.dumps(each)}\n" for name, each in value.items())
        else:
            yield f"{key}: {json.dumps(value)}\n"
