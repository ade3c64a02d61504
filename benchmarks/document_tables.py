"""Tables of what reading, estimating and indexing real documents take."""

from typing import Any

from benchmarks.markdown import markdown
from benchmarks.results_file import Results


def formats(results: Results) -> str:
    """What reading a format takes; a page is a page of a PDF or a slide, elsewhere a document."""
    rows = [row for row in results.rows if row["format"].startswith(".")]
    return markdown(
        ["format", "files", "documents", "pages", "CPU ms a page", "not read", "with places"],
        [
            [
                row["format"], str(row["files"]), f"{row['documents']:,}", f"{row.get('pages', 0):,}",
                f"{row['parse_ms_per_page']:.1f}" if "parse_ms_per_page" in row else "", f"{row['failed']:,}",
                f"{row['with_anchors']:,}",
            ]
            for row in rows
        ],
    )  # fmt: skip


def runs(results: Results) -> str:
    """What is asked of a run, and what was found."""
    return markdown(["", "measured", "asked"], [line for row in results.rows for line in _asked(row)])


def estimates(results: Results) -> str:
    """What a dry run said, beside what the run then took."""
    found = [row for row in results.rows if "estimate_error" in row]
    return markdown(
        ["corpus", *(name for name, _ in FIGURES)],
        [[row["format"], *(_beside(row, key) for _, key in FIGURES)] for row in found],
    )


FIGURES = (
    ("passages", "passages"), ("tokens", "tokens"), ("CPU s", "cpu_s"), ("wall s", "wall_s"), ("disk MB", "disk_mb"),
    ("memory MB", "memory_mb"),
)  # fmt: skip


def _beside(row: dict[str, Any], key: str) -> str:
    said, was = row.get(f"{key}_said"), row.get(f"{key}_came")
    return "" if said is None or was is None else f"{said:,.0f} / {was:,.0f} ({said / was - 1:+.0%})"


def _asked(row: dict[str, Any]) -> list[list[str]]:
    lines = []
    if "kept_by_trafilatura" in row:
        ours, theirs = (f"{row[name]:,}" for name in ("kept", "kept_by_trafilatura"))
        what = f"headings kept, of {row['headings']:,} on {row['files']} pages of HTML"
        lines.append([what, f"{ours} (trafilatura alone: {theirs})", ""])
    if "cpu_s_for_200_pages" in row:
        lines.append(["200 pages of a PDF, CPU", f"{row['cpu_s_for_200_pages']:.2f} s", "≤ 3 s"])
    if "share_of_encoding" in row:
        what = f"reading beside encoding, {row['documents']:,} documents, {row['passages']:,} passages"
        lines.append([what, f"{row['share_of_encoding']:.1%}", "≤ 10 %"])
    if "peak_rss_mb" in row:
        lines.append([f"memory, {row['format']}", f"{row['peak_rss_mb']:,} MB", "≤ 1,500 MB, at 1 GB"])
    return lines
