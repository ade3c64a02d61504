"""Figures of the documents, made from `results/` alone: SVG files that are the same, byte for byte, each time.

`python -m benchmarks.plots` writes them into ``docs/figures``; ``--check`` says whether that would change anything.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from benchmarks.command import run
from benchmarks.engine_measures import pareto_front
from benchmarks.results_file import DIRTY, ROOT, Row, read
from lfm2_colbert.errors import InvalidArgumentError

FIGURES = ROOT / "docs" / "figures"
OWN = "lfm2-colbert"
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c6d31", "#7f7f7f")
"""Told apart by the colour-blind too; the markers differ as well."""
MARKERS = "sD^vPX*<"
NEAR_BEST = 0.01


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; end with 1 if a figure is not the one its results give.")
def main(check: bool) -> int:
    """Draw all figures."""
    stale = 0
    for name, draw in PLOTS.items():
        results = read(name)
        if results.commit.endswith(DIRTY):
            raise InvalidArgumentError(f"the results '{name}' are a trial", help="measure a committed tree: make bench")
        path, text = FIGURES / f"{name}.svg", svg(draw, results.rows)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale += 1
            click.echo(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


def svg(draw: Callable[[Sequence[Row]], Figure], rows: Sequence[Row]) -> str:
    """Draw rows as an SVG file's text."""
    with mpl.rc_context({"svg.hashsalt": OWN, "svg.fonttype": "none", "font.size": 9}):
        content = io.StringIO()
        draw(rows).savefig(content, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return content.getvalue()


def recall_against_cost(rows: Sequence[Row]) -> Figure:
    """Plot recall over CPU time of a query on one thread, each system's front joined by a line."""
    shown = measured_rows(rows)
    figure = Figure(figsize=(10, 4.2))
    left, right = figure.subplots(1, 2, sharex=True)
    for axes, key, name in ((left, "recall_at_10", "recall@10"), (right, "recall_at_100", "recall@100")):
        for system in systems(shown):
            _front(axes, system, [row for row in shown if row["system"] == system], key, systems(shown))
        axes.set(xscale="log", xlabel="CPU ms per query, one thread", ylabel=f"{name} against exact fp32 MaxSim")
        _plain_ticks(axes.xaxis)
        axes.grid(alpha=0.25)
    figure.legend(
        *left.get_legend_handles_labels(), frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=7
    )
    figure.suptitle(f"{shown[0]['passages']:,} passages, {shown[0]['tokens']:,} tokens, k = 100")
    return figure


def cost_against_size(rows: Sequence[Row]) -> Figure:
    """Plot CPU time of a query over the number of passages, each system at the setting `thrifty` chooses."""
    shown = measured_rows(rows)
    figure = Figure(figsize=(6, 4.2))
    axes = figure.subplots()
    for system in systems(shown):
        sizes = sorted({row["passages"] for row in shown if row["system"] == system})
        chosen = [thrifty([row for row in shown if (row["system"], row["passages"]) == (system, n)]) for n in sizes]
        costs = [row["cpu_ms_per_query"] for row in chosen]
        recalls = ", ".join(f"{row['recall_at_10']:.2f}" for row in chosen)
        axes.plot(sizes, costs, label=f"{system} ({recalls})", **_look(system, systems(shown)))
    axes.set(xscale="log", yscale="log", xlabel="passages", ylabel="CPU ms per query, one thread")
    _plain_ticks(axes.xaxis)
    _plain_ticks(axes.yaxis)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, title="system (recall@10 at each size)", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def found_against_cost(rows: Sequence[Row]) -> Figure:
    """Plot what is found on the development panel over the time of a query, and over the bytes of a passage."""
    figure = Figure(figsize=(10, 4.2))
    time, size = figure.subplots(1, 2, sharey=True)
    for mode, colour in zip(("semantic", "hybrid"), COLOURS, strict=False):
        own = [row for row in rows if (row["system"], row["mode"], row["effort"]) == (OWN, mode, "balanced")]
        _points(time, own, "cpu_ms_per_query", "{codec} / {pool}", f"nano, {mode}", colour)
        _points(size, own, "bytes_per_passage", "{codec} / {pool}", f"nano, {mode}", colour)
    for axes, key in ((time, "cpu_ms_per_query"), (size, "bytes_per_passage")):
        others = [row for row in rows if row["system"] != OWN]
        _points(axes, others, key, "", f"{others[0]['system']}, one vector a text", COLOURS[-1])
        axes.set(xscale="log")
        _plain_ticks(axes.xaxis)
        axes.grid(alpha=0.25)
    time.set(xlabel="CPU ms per query, one thread, encoding included", ylabel="nDCG@10, development panel")
    size.set(xlabel="bytes of the index per passage")
    figure.suptitle("codec / how many vectors became one")
    figure.legend(
        *size.get_legend_handles_labels(), frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3
    )
    return figure


PLOTS: Mapping[str, Callable[[Sequence[Row]], Figure]] = {
    "engine": recall_against_cost,
    "growth": cost_against_size,
    "pareto": found_against_cost,
}
"""Results → how they are drawn."""


def measured_rows(rows: Sequence[Row]) -> list[Row]:
    """Keep rows of one thread that were run, with both a cost and a recall."""
    return [row for row in rows if row["threads"] == 1 and {"cpu_ms_per_query", "recall_at_10"} <= row.keys()]


def systems(rows: Sequence[Row]) -> list[str]:
    """List the systems, our own first."""
    return sorted({row["system"] for row in rows}, key=lambda system: (system != OWN, system))


def thrifty(rows: Sequence[Row]) -> Row:
    """Choose the cheapest row whose recall@10 is within `NEAR_BEST` of the best."""
    best = max(row["recall_at_10"] for row in rows)
    near = [row for row in rows if row["recall_at_10"] >= best - NEAR_BEST]
    return min(near, key=lambda row: row["cpu_ms_per_query"])


def _front(axes: Axes, system: str, rows: Sequence[Row], key: str, known: Sequence[str]) -> None:
    costs, recalls = [row["cpu_ms_per_query"] for row in rows], [row[key] for row in rows]
    front = pareto_front(costs, recalls)
    look = _look(system, known)
    axes.plot(costs, recalls, linestyle="none", marker=look["marker"], color=look["color"], alpha=0.35)
    axes.plot([costs[i] for i in front], [recalls[i] for i in front], label=system, **look)


def _points(axes: Axes, rows: Sequence[Row], key: str, name: str, label: str, colour: str) -> None:
    """Plot rows, each with its name beside it; the front of those that nothing cheaper beats is joined by a line."""
    costs, found = [row[key] for row in rows], [row["ndcg_at_10"] for row in rows]
    front = pareto_front(costs, found)
    axes.plot(costs, found, linestyle="none", marker="o", color=colour, alpha=0.35)
    axes.plot([costs[i] for i in front], [found[i] for i in front], marker="o", color=colour, label=label)
    for row in rows:
        axes.annotate(
            name.format(**row), (row[key], row["ndcg_at_10"]), xytext=(3, -9), textcoords="offset points", fontsize=7
        )


def _plain_ticks(axis: Axis) -> None:
    """Write 1, 2, 5, 10 … on a logarithmic axis, not powers that run into each other."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_minor_formatter(NullFormatter())


def _look(system: str, known: Sequence[str]) -> dict[str, Any]:
    if system == OWN:
        return {"color": "black", "marker": "o", "linewidth": 2.2}
    place = [each for each in known if each != OWN].index(system)
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)], "linewidth": 1.2}


if __name__ == "__main__":
    run(main)
