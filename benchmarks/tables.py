"""Tables of measured figures in the documents, made from `results/` alone.

They stand between ``<!-- table: NAME -->`` and ``<!-- /table -->``; `python -m benchmarks.tables` writes them again and
``--check`` says whether that would change anything.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import click

from benchmarks.citation_tables import citations, costs
from benchmarks.command import run
from benchmarks.document_tables import estimates, formats
from benchmarks.document_tables import runs as runs_of_documents
from benchmarks.encoder_tables import bundled, every_encoder
from benchmarks.long_questions import table as long_questions
from benchmarks.markdown import decimals, markdown
from benchmarks.quality_tables import far, languages, matrix, prices, sets, teacher
from benchmarks.results_file import DIRTY, ROOT, Results, read
from benchmarks.training_tables import encoders, panel, runs, widths
from lfm2_colbert.errors import InvalidArgumentError, UnknownNameError

DOCUMENTS = ("README.md", "docs/**/*.md", "lfm2_colbert/bundled/*/README.md")
MARKED = re.compile(r"(<!-- table: (?P<name>[\w-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; end with 1 if a table is not the one its results give.")
def main(check: bool) -> int:
    """Write the tables of all documents."""
    stale = 0
    for path in documents(ROOT):
        text = path.read_text(encoding="utf-8")
        made = filled(text, ROOT)
        if made != text:
            stale += 1
            click.echo(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
            if not check:
                path.write_text(made, encoding="utf-8")
    return 1 if check and stale else 0


def documents(root: Path) -> list[Path]:
    """List the documents that may hold tables."""
    return sorted(path for pattern in DOCUMENTS for path in root.glob(pattern))


def filled(text: str, root: Path) -> str:
    """Give the text of a document with its tables made again.

    Raises:
        UnknownNameError: there is no table of this name.
        NotFoundError: its figures were not measured.
        InvalidArgumentError: its figures are of a trial.
    """
    return MARKED.sub(lambda found: f"{found[1]}\n{table(found['name'], root)}\n\n{found[3]}", text)


def table(name: str, root: Path) -> str:
    """Make one table in Markdown, without a line end.

    Raises:
        UnknownNameError: there is no table of this name.
        NotFoundError: its figures were not measured.
        InvalidArgumentError: its figures are of a trial.
    """
    if name not in TABLES:
        raise UnknownNameError.of("table", name, TABLES)
    found = [read(each, root) for each in RESULTS_OF.get(name, (name,))]
    for results in found:
        if results.commit.endswith(DIRTY):
            raise InvalidArgumentError(
                f"the results '{results.name}' are a trial", help="measure a committed tree: make bench"
            )
    return "\n\n".join([TABLES[name](*found), *map(origin, found)])


def kernels(results: Results) -> str:
    """One row a processor, kernel and query length: nanoseconds a token of each variant."""
    names = [
        name
        for name in ("avx512", "avx2", "neon", "scalar", "numpy")
        if any(r["variant"] == name for r in results.rows)
    ]
    cells: dict[tuple[str, str, int], dict[str, float]] = {}
    for row in results.rows:
        place = row.get("cpu", results.machine.cpu), row["kernel"], row["query_tokens"]
        cells.setdefault(place, {})[row["variant"]] = row["ns_per_token"]
    lines = [
        [cpu, kernel, str(n), *(f"{own[name]:,.1f}" if name in own else "" for name in names)]
        for (cpu, kernel, n), own in sorted(cells.items())
    ]
    return markdown(["processor", "kernel, ns a token", "query tokens", *names], lines)


def engine(results: Results) -> str:
    """One row an engine and setting, cheapest first; what could not be run at the end, with the reason."""
    head = [
        "system",
        "setting",
        "threads",
        "queries",
        "CPU ms a query",
        "recall@10",
        "recall@100",
        "nDCG@10",
        "of exact",
        "tokens a CPU s",
        "bytes a token",
    ]
    ran = sorted((r for r in results.rows if "recall_at_10" in r), key=lambda r: (r["threads"], r["cpu_ms_per_query"]))
    words = [row for row in results.rows if row["setting"] == "lexical"]
    lines = [
        [
            row["system"], row["setting"], str(row["threads"]), str(row["queries"]), f"{row['cpu_ms_per_query']:,.1f}",
            f"{row['recall_at_10']:.3f}", f"{row['recall_at_100']:.3f}", f"{row['ndcg_at_10']:.3f}",
            f"{row['ndcg_at_10_exact']:.3f}", f"{row['build_tokens_per_cpu_s']:,.0f}",
            f"{row['disk_bytes_per_token']:,.0f}",
        ]
        for row in ran
    ]  # fmt: skip
    lines += [
        [r["system"], "words alone", str(r["threads"]), str(r["queries"]), f"{r['cpu_ms_per_query']:,.1f}", *[""] * 6]
        for r in words
    ]
    lines += [
        [r["system"], f"not run: {r['not_run']}", *[""] * (len(head) - 2)] for r in results.rows if "not_run" in r
    ]
    return markdown(head, lines)


def growth(results: Results) -> str:
    """One row an engine, size and setting, smallest first."""
    head = [
        "system", "setting", "passages", "tokens", "CPU ms a query", "recall@10", "recall@100", "tokens a CPU s",
        "bytes a token", "peak MB",
    ]  # fmt: skip
    ran = [row for row in results.rows if "not_run" not in row]
    lines = [
        [
            row["system"], row["setting"], f"{row['passages']:,}", f"{row['tokens']:,}",
            f"{row['cpu_ms_per_query']:,.1f}", decimals(row["recall_at_10"]), decimals(row["recall_at_100"]),
            f"{row['build_tokens_per_cpu_s']:,.0f}", f"{row['disk_bytes_per_token']:,.0f}", f"{row['peak_rss_mb']:,}",
        ]
        for row in sorted(ran, key=lambda row: (row["passages"], row["cpu_ms_per_query"]))
    ]  # fmt: skip
    lines += [
        [row["system"], f"not run: {row['not_run']}", f"{row['passages']:,}", *[""] * (len(head) - 3)]
        for row in results.rows
        if "not_run" in row
    ]
    return markdown(head, lines)


def updates(results: Results) -> str:
    """What changes cost, what filters cost, and what is found after many changes: a table each."""
    kinds = {row["operation"] for row in results.rows}
    parts = [_changes(results)]
    parts += [filters(results)] if "filter" in kinds else []
    parts += [_mixed(results)] if "mixed" in kinds else []
    return "\n\n".join(parts)


def _changes(results: Results) -> str:
    """One row an operation and size."""
    lines = [
        [
            row["system"], row["operation"], f"{row.get('inserted_per_call', '')}", f"{row['passages']:,}",
            _figure(row, "cpu_ms"),
            _figure(row, "wall_ms_p50"), _figure(row, "wall_ms_p95"), _figure(row, "fdatasync_ms_p50"),
            _figure(row, "tokens_per_cpu_s", 0), _figure(row, "mb_per_s", 0),
        ]
        for row in results.rows
        if row["operation"] not in ("filter", "mixed") and "not_run" not in row
    ]  # fmt: skip
    lines += [
        [row["system"], f"{row['operation']}: not run, {row['not_run']}", "", f"{row['passages']:,}", *[""] * 6]
        for row in results.rows
        if "not_run" in row
    ]
    head = ["system", "operation", "documents", "passages", "CPU ms", "wall ms", "wall ms, 95 %", "fdatasync ms"]
    return markdown([*head, "tokens a CPU s", "MB/s"], lines)


def _figure(row: Mapping[str, Any], name: str, digits: int = 2) -> str:
    return f"{row[name]:,.{digits}f}" if name in row else ""


def _mixed(results: Results) -> str:
    """One row before and one after `optimize`."""
    lines = [
        [
            row["setting"], f"{row['operations']:,}", f"{row['passages']:,}",
            f"{row['queries_equal_to_a_fresh_build']} of {row['queries']}", decimals(row["recall_at_10"]),
        ]
        for row in results.rows
        if row["operation"] == "mixed"
    ]  # fmt: skip
    head = ["collection", "changes", "passages", "exact answers equal to a fresh build", "recall@10 of balanced"]
    return markdown(head, lines)


def filters(results: Results) -> str:
    """One row a selectivity, from the narrowest."""
    lines = [
        [
            f"{row['selectivity']:.1%}", f"{row['passages']:,}", f"{row['cpu_ms']:,.2f}",
            f"{row['cpu_ms_first_use']:,.2f}", f"{row['cpu_ms_unfiltered']:,.2f}",
            f"{row['first_use_us_per_passage']:.2f}", decimals(row["recall_at_10"]),
            decimals(row["recall_at_10_unfiltered"]),
        ]
        for row in sorted(results.rows, key=lambda row: row.get("selectivity", 0.0))
        if row["operation"] == "filter"
    ]  # fmt: skip
    head = ["filter leaves", "passages", "CPU ms a query", "asked first", "without filter"]
    head += ["µs a passage left, first", "recall@10", "recall@10 without filter"]
    return markdown(head, lines)


def throughput(results: Results) -> str:
    """One row a preset and number of searching threads, and how much faster than one thread that is."""
    alone = {row["setting"]: row["queries_per_s"] for row in results.rows if row["searching_threads"] == 1}
    lines = [
        [
            row["setting"], str(row["searching_threads"]), f"{row['queries_per_s']:,.0f}",
            f"{row['queries_per_s'] / alone[row['setting']]:.2f}", f"{row['cpu_ms_per_query']:.1f}",
        ]
        for row in results.rows
    ]  # fmt: skip
    return markdown(["setting", "searching threads", "queries a second", "times one thread", "CPU ms a query"], lines)


def engines_served(results: Results) -> str:
    """One row a processor, set, engine and setting behind one server, most searches first; last what was not run."""
    rows = [row for row in results.rows if row["test"].startswith("peer ")]
    ran = sorted(
        (row for row in rows if "not_run" not in row),
        key=lambda row: (row["cpu"], -row["passages"], -row["searches_per_s"]),
    )
    lines = [
        [
            row["cpu"], f"{row['passages']:,}", row["test"].removeprefix("peer "), row["through"],
            f"{row['searches_per_s']:,.1f}", f"{row['p50_ms']:,.1f}", f"{row['p95_ms']:,.1f}", f"{row['cpu_ms']:,.1f}",
            decimals(row["recall_at_10"]), f"{row['failed']}", f"{row['load']:.1f}",
        ]
        for row in ran
    ]  # fmt: skip
    left_out = [row for row in rows if "not_run" in row]
    lines += [
        [row["cpu"], "", row["test"].removeprefix("peer "), f"not run: {row['not_run']}", *[""] * 7] for row in left_out
    ]
    head = ["engine", "behind", "searches a second", "ms", "ms, 95 %", "CPU ms a search", "recall@10", "failed", "load"]
    return markdown(["processor", "passages", *head], lines)


def codebooks(results: Results) -> str:
    """One row a way to cluster, number of centroids and way to assign."""
    sizes = sorted({int(key.rpartition("_")[2]) for key in results.rows[0] if key.startswith("recall_at_10_in_")})
    last = sizes[-1]
    head = ["clustering", "assigned to", "centroids", "training, CPU s", "assigning, CPU s", "1 − cosine", "a passage"]
    head += [f"recall@10 in {m}" for m in sizes] + [f"recall@100 in {last}", "load"]
    lines = [
        [
            row["method"], row["assignment"], f"{row['centroids']:,}", f"{row['codebook_cpu_s']:,.1f}",
            f"{row['assignment_cpu_s']:,.1f}", decimals(row["mean_distance"]), f"{row['centroids_per_passage']:.1f}",
            *(decimals(row[f"recall_at_10_in_{m}"]) for m in sizes), decimals(row[f"recall_at_100_in_{last}"]),
            f"{row['load_average']:.1f}",
        ]
        for row in sorted(results.rows, key=lambda row: (row["method"], row["assignment"], row["centroids"]))
    ]  # fmt: skip
    return markdown(head, lines)


def codecs(results: Results) -> str:
    """One row a codec, precision and frame."""
    head = ["codec, precision", "rotation, centring", "recall@10", "spread", "recall@100", "recall@10 in 16"]
    head += ["recall@10 in 32", "error of a score", "bytes read", "bytes on disk"]
    lines = [
        [
            f"{row['codec']}, {row['precision']}", f"{row['rotation']}, {row['centring']}",
            *(f"{row[key]:.4f}" for key in ("recall_at_10", "recall_at_10_spread", "recall_at_100")),
            *(f"{row[key]:.4f}" for key in ("recall_at_10_in_16", "recall_at_10_in_32", "score_error_sd")),
            f"{row['memory_bytes_per_token']:.0f}", f"{row['disk_bytes_per_token']:.0f}",
        ]
        for row in sorted(results.rows, key=lambda row: (row["codec"], row["precision"]))
    ]  # fmt: skip
    return markdown(head, lines)


def durability(results: Results) -> str:
    """One row a programme; those that were not run say why."""
    lines = [
        [
            row["test"], row.get("size", f"not run: {row.get('not_run')}"), _figure(row, "runs", 0),
            _figure(row, "violations", 0), _others(row), _figure(row, "seconds", 0), row.get("commit", "")[:7],
        ]
        for row in results.rows
    ]  # fmt: skip
    return markdown(["test", "what is done", "runs", "violations", "also", "seconds", "commit"], lines)


def _others(row: Mapping[str, Any]) -> str:
    """Name the figures that only this programme has."""
    known = {"test", "size", "runs", "violations", "seconds", "not_run", "commit"}
    return ", ".join(f"{key.replace('_', ' ')} {row[key]:,}" for key in sorted(row.keys() - known))


LEGS = {
    "bm25": "BM25 reference",
    "lexical": "lexical",
    "semantic": "semantic",
    "hybrid": "hybrid",
    "rrf": "hybrid by ranks",
}


def hybrid(results: Results) -> str:
    """One row a language asked in itself, the mean of its sets; then a row a pair of languages."""
    groups: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in (row for row in results.rows if row["part"] == "reported"):
        leg = "bm25" if row["system"] == "bm25" else row["setting"]
        pair = (row["query_language"], row["document_language"])
        groups.setdefault(pair, {}).setdefault(leg, []).append(row["ndcg_at_10"])
    ordered = sorted(groups.items(), key=lambda item: (item[0][0] != item[0][1], item[0]))
    lines = [
        [_pair(*pair), str(len(legs["hybrid"])), *(decimals(mean(legs[leg])) for leg in LEGS)] for pair, legs in ordered
    ]
    means = [decimals(mean([value for legs in groups.values() for value in legs[leg]])) for leg in LEGS]
    total = str(sum(len(legs["hybrid"]) for legs in groups.values()))
    return markdown(["languages", "sets", *LEGS.values()], [*lines, ["all", total, *means]])


def _pair(query: str, document: str) -> str:
    return query if query == document else f"{query} → {document}"


def lexical(results: Results) -> str:
    """One row an engine and size."""
    lines = [
        [
            f"{row['system']} ({row['setting']})", f"{row['passages']:,}", f"{row['cpu_ms_per_query']:.2f}",
            f"{row['cpu_ms_p95']:.2f}", f"{row['build_cpu_s']:,.1f}", f"{row['disk_mb']:,.1f}",
        ]
        for row in results.rows
    ]  # fmt: skip
    return markdown(["engine", "passages", "CPU ms a query", "95 %", "build, CPU s", "MB"], lines)


def programmes_served(results: Results) -> str:
    """One line per way in which a server was tried."""
    rows = [row for row in results.rows if "violations" in row]
    return markdown(
        ["test", "what was done", "violations", "figures"],
        [
            [row["test"], row["size"], str(row["violations"]), _others(row)]
            for row in sorted(rows, key=lambda row: int(row["test"][1:]))
        ],
    )


def speed_served(results: Results) -> str:
    """How soon a server is ready, what a search costs alone, and what four clients get together, by processor."""
    rows = {(row["test"], row["cpu"]): row for row in results.rows if "cpu" in row}
    lines = []
    for cpu in sorted({cpu for test, cpu in rows if test == "ready"}):
        ready, alone, together = (rows[test, cpu] for test in ("ready", "alone", "together"))
        lines += [
            [cpu, "ready after start", f"{ready['seconds']} s", "≤ 3 s", str(ready["load"])],
            [cpu, "one search alone, processor time", f"{alone['cpu_ms']} ms", "≤ 30 ms", str(alone["load"])],
            [cpu, "one search alone, wall time", f"{alone['p50_ms']} ms", "", str(alone["load"])],
            [cpu, "four clients, searches a second", str(together["searches_per_s"]), "≥ 60", str(together["load"])],
            [cpu, "four clients, 95 % within", f"{together['p95_ms']} ms", "≤ 60 ms", str(together["load"])],
        ]
    return markdown(["processor", "", "median", "asked", "load average"], lines)


TABLES: Mapping[str, Callable[..., str]] = {
    "quality": languages,
    "quality-sets": sets,
    "quality-far": far,
    "quality-xquad": matrix("xquad"),
    "quality-belebele": matrix("belebele"),
    "encoder": bundled,
    "encoder-all": every_encoder,
    "kernels": kernels,
    "engine": engine,
    "codebooks": codebooks,
    "codecs": codecs,
    "answers": costs,
    "citations": citations,
    "documents": formats,
    "documents-runs": runs_of_documents,
    "documents-estimates": estimates,
    "growth": growth,
    "updates": updates,
    "durability": durability,
    "hybrid": hybrid,
    "lexical": lexical,
    "throughput": throughput,
    "service": programmes_served,
    "service-speed": speed_served,
    "service-peers": engines_served,
    "training": runs,
    "widths": widths,
    "panel": panel,
    "panel-encoders": encoders,
    "pareto": prices,
    "teacher": teacher,
    "long_questions": long_questions,
}


RESULTS_OF: Mapping[str, tuple[str, ...]] = {
    **{
        name: (name.partition("-")[0],)
        for name in TABLES
        if name.startswith(("quality-", "service-", "documents-", "encoder-", "panel-"))
    },
    **dict.fromkeys(("quality-far", "teacher"), ("quality", "teacher")),
}
"""Table → what it is made of, where that has another name."""


def origin(results: Results) -> str:
    """Say in a line where figures come from, and whether some of their file come from elsewhere."""
    commits = {row["commit"] for row in results.rows if "commit" in row} | {results.commit}
    last = f" (the last of {len(commits)}: each row of its file names its own)" if len(commits) > 1 else ""
    return (
        f"Measured by `{results.command}` on {results.created[:10]}, commit {results.commit[:12]}{last}; "
        f"{results.machine.cpu}, {results.machine.cores} core{'s' * (results.machine.cores > 1)}."
    )


if __name__ == "__main__":
    run(main)
