"""Tables of training: what runs reached, and the development panel as the bundled encoder is served on it."""

from statistics import mean
from typing import Any

from benchmarks.markdown import markdown
from benchmarks.panel import TEACHER
from benchmarks.quality import BEFORE
from benchmarks.results_file import Results
from eval.systems import OURS

COLUMNS = {
    "hybrid": ("nano-1", "lfm2-colbert", "hybrid"),
    "nano-1": ("nano-1", "lfm2-colbert", "semantic"),
    "nano-0": ("nano-0", "lfm2-colbert", "semantic"),
    "bm25": ("nano-1", "bm25", ""),
}
"""Column → encoder, system, and how its setting begins."""


def runs(results: Results) -> str:
    """One line a run: how long it was, and what it found."""
    lines = [
        [
            row["folder"], row["run"], row.get("changed", ""), f"{row['tokens'] / 1e6:.1f}", f"{60 * row['hours']:.1f}",
            f"{row['ndcg_at_10']:.3f}", f"{row['ndcg_within']:.3f}", f"{row['ndcg_crossed']:.3f}", _difference(row),
        ]
        for row in sorted(results.rows, key=lambda row: (row["tokens"] // 10**6, row["folder"], -row["ndcg_at_10"]))
    ]  # fmt: skip
    head = ["runs", "run", "changed", "million tokens", "minutes", "nDCG@10", "within", "across", "difference, 95 %"]
    return markdown(head, lines)


def widths(results: Results) -> str:
    """One line a width and run: what the beginnings of its vectors find."""
    lines = [
        [
            str(row["width"]), row["run"], f"{row['ndcg_at_10']:.3f}", f"{row['ndcg_within']:.3f}",
            f"{row['ndcg_crossed']:.3f}", _difference(row),
        ]
        for row in sorted(results.rows, key=lambda row: (-row["width"], row["run"]))
    ]  # fmt: skip
    return markdown(["dimensions", "run", "nDCG@10", "within", "across", "difference, 95 %"], lines)


def panel(results: Results) -> str:
    """One line a task of the panel, then the means."""
    rows = [row for row in results.rows if "query_language" in row]
    tasks = sorted({_task(row) for row in rows})
    figures = {task: [_of(rows, task, column) for column in COLUMNS] + [TEACHER[task]] for task in tasks}
    lines = [[task, *map(_points, values)] for task, values in figures.items()]
    columns = list(zip(*figures.values(), strict=True))
    lines.append(["mean", *(_points(sum(column) / len(column)) for column in columns)])
    return markdown(["task", *COLUMNS, "teacher, one vector"], lines)


def encoders(results: Results) -> str:
    """One line an encoder: its means over the panel, and how far it is from the one before."""
    rows = [row for row in results.rows if "query_language" in row and row["system"] == OURS]
    compared = [row for row in results.rows if "difference" in row]
    differences = {(row["system"].removesuffix(f" against {BEFORE}"), row["setting"]): row for row in compared}
    lines = []
    for name in dict.fromkeys(row["encoder"] for row in rows):
        own = [row for row in rows if row["encoder"] == name]
        semantic = [row for row in own if row["setting"].startswith("semantic")]
        crossed = [row for row in semantic if row["query_language"] != row["document_language"]]
        within = [row for row in semantic if row["query_language"] == row["document_language"]]
        hybrid = [row for row in own if row["setting"].startswith("hybrid")]
        means = [_points(mean(row["ndcg_at_10"] for row in each)) for each in (semantic, within, crossed, hybrid)]
        lines.append([name, *means, *(_against(differences.get((name, mode))) for mode in ("semantic", "hybrid"))])
    head = ["encoder", "semantic", "within", "across", "hybrid", f"semantic to {BEFORE}", f"hybrid to {BEFORE}"]
    return markdown(head, sorted(lines, key=lambda line: line[0]))


def _against(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    difference, low, high = (100 * row[key] for key in ("difference", "low", "high"))
    return f"{difference:+.1f} [{low:+.1f}, {high:+.1f}]"


def _of(rows: list[dict[str, Any]], task: str, column: str) -> float:
    encoder, system, setting = COLUMNS[column]
    (found,) = (
        row["ndcg_at_10"]
        for row in rows
        if _task(row) == task
        and (row["encoder"], row["system"]) == (encoder, system)
        and row["setting"].startswith(setting)
    )
    return float(found)


def _task(row: dict[str, Any]) -> str:
    return f"{row['dataset']} {row['query_language']}→{row['document_language']}"


def _difference(row: dict[str, Any]) -> str:
    if "difference" not in row:
        return ""
    return f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}] to {row['against']}"


def _points(value: float) -> str:
    return f"{100 * value:.1f}"
