"""Tables of encoders' speed: the bundled one by itself, and all that were measured."""

from collections import defaultdict
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
BUNDLED_HEAD = (
    "processor", "backend", "CPU ms a query", "queries per CPU s", "CPU ms a passage", "passages per CPU s",
    "least cosine", "peak MB",
)  # fmt: skip


def bundled(results: Results) -> str:
    """One line per processor and way to serve the bundled encoder, on one thread; torch is what it is held against."""
    rows = [row for row in results.rows if row["encoder"] == NANO and row["threads"] == 1 and row["backend"] != "torch"]
    ways: dict[tuple[str, str], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        ways[row["cpu"], f"{row['backend']} {row['precision']}"][row["kind"]] = row
    return markdown(BUNDLED_HEAD, [[*way, *_both_kinds(kinds)] for way, kinds in sorted(ways.items())])


def _both_kinds(kinds: Mapping[str, Row]) -> list[str]:
    query, document = kinds["query"], kinds["document"]
    return [
        f"{query['cpu_ms_p50']:.1f}", f"{query['texts_per_cpu_s']:.0f}", f"{document['cpu_ms_p50']:.1f}",
        f"{document['texts_per_cpu_s']:.0f}", f"{min(query['min_cosine'], document['min_cosine']):.4f}",
        f"{document['peak_rss_mb']:,}",
    ]  # fmt: skip


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
