"""Tables of encoders' speed: the bundled one by itself, and all that were measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import markdown
from benchmarks.results_file import Results
from lfm2_colbert.encoders.loading import NANO

Row = Mapping[str, Any]

HEAD = (
    "processor", "encoder", "kind", "tokens", "threads", "backend", "CPU ms a text", "texts per CPU s", "largest error",
    "least cosine", "peak MB",
)  # fmt: skip


def bundled(results: Results) -> str:
    """One line per way to run the bundled encoder on one thread, and kind of text."""
    return _table([row for row in results.rows if row["encoder"] == NANO and row["threads"] == 1])


def every_encoder(results: Results) -> str:
    """One line per encoder, way to run it, threads and kind of text."""
    return _table(results.rows)


def _table(rows: Sequence[Row]) -> str:
    return markdown(HEAD, [_line(row) for row in sorted(rows, key=_place)])


def _place(row: Row) -> tuple[Any, ...]:
    is_document = row["kind"] == "document"
    return row["cpu"], row["encoder"] != NANO, row["encoder"], is_document, row["threads"], row["cpu_ms_p50"]


def _line(row: Row) -> list[str]:
    return [
        row["cpu"], row["encoder"], row["kind"], f"{row['tokens']}", f"{row['threads']}",
        f"{row['backend']} {row['precision']}", f"{row['cpu_ms_p50']:.1f}", f"{row['texts_per_cpu_s']:.0f}",
        _error(row), _cosine(row), f"{row['peak_rss_mb']:,}",
    ]  # fmt: skip


def _error(row: Row) -> str:
    if "max_abs_error" not in row:
        return ""
    return f"{row['max_abs_error']:.0e}" if row["max_abs_error"] else "reference"


def _cosine(row: Row) -> str:
    return f"{row['min_cosine']:.4f}" if row.get("max_abs_error") else ""
