"""What `index --dry-run` prints: what a run would read, take and leave, and what each codec would lose."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lfm2_colbert.errors import LocalOnlyError
from service.backend.base import Build
from service.cli import options
from service.cli.output import megabytes, print_json, print_line, print_table
from service.settings import Settings

if TYPE_CHECKING:
    from index import CostEstimate
    from index.estimating.types import Choice, Loss

MOST_LANGUAGES = 8
SHOWN_NOTICES = 5


def price(
    paths: Sequence[Path], collection: str, build: Build, prefix: str, text_field: str, settings: Settings
) -> "CostEstimate":
    """Estimate a run on this machine, print it, and give it.

    Raises:
        LocalOnlyError: a server was to be asked.
    """
    from index.estimating.estimate import estimate
    from index.estimating.types import Plan
    from service.cli.progress import progress_bars

    if settings.url:
        raise LocalOnlyError(
            "a dry run measures the machine that it runs on, and a server is another one",
            help="run it on the server's machine; or leave --url out to learn what the files hold",
        )
    plan = Plan(
        collection, settings.home, build.model, build.codec, build.pool, settings.device, settings.threads, prefix,
        text_field,
    )  # fmt: skip
    with progress_bars() as bars:
        found = estimate(
            paths, plan, on_file=bars.file, on_choice=lambda done, total: bars.counted("compare", "codecs", done, total)
        )
    if settings.as_json:
        print_json(_as_json(found))
    else:
        _print(found, " ".join(["lfm2-colbert index", *_asked(paths, collection, build, prefix, text_field)]))
    return found


def _as_json(found: "CostEstimate") -> dict[str, Any]:
    fields = asdict(found)
    return fields | {"costs": fields["costs"] | {"total": asdict(found.costs.total)}}


def _print(found: "CostEstimate", command: str) -> None:
    for line in _summary(found):
        print_line(line)
    for notice in found.notices[:SHOWN_NOTICES]:
        print_line(f"note    {notice.message}")
    if found.found.documents:
        print_table([("codec", "pool", "disk", "MRR@10", "loss"), *map(_row, found.choices)], right=(1, 2, 3))
        print_line(
            f"        loss of MRR@10 to uncompressed vectors, with its 95 % interval: {found.queries:,} sentences had "
            f"to find the passage they were taken out of, among {found.sampled.passages:,}"
        )
    print_line(f"next    {command}" if found.found.documents else "next    nothing is to be encoded")


def _summary(found: "CostEstimate") -> list[str]:
    """Write what a person decides by."""
    holds, costs, about = found.found, found.costs, "" if found.found.read_share == 1 else "~"
    n_failed = len(holds.failed) - holds.unsupported
    kinds = [f"{n:,} {name.removeprefix('.')}" for name, n in sorted(holds.files.items(), key=lambda each: -each[1])]
    kinds += [f"{n:,} {what}" for n, what in ((holds.unsupported, "skipped"), (n_failed, "failed")) if n]
    lines = [
        f"{sum(holds.files.values()):,} files ({', '.join(kinds)}) · {about}{holds.documents:,} documents"
        f" · ~{found.passages:,} passages · ~{found.vectors / 1e6:,.2f} M token vectors"
    ]
    if holds.unchanged_files or holds.unchanged_documents:
        lines.append(f"stay    {holds.unchanged_files:,} files and {holds.unchanged_documents:,} documents of others")
    if holds.languages:
        shown = list(holds.languages.items())[:MOST_LANGUAGES]
        lines.append("languages: " + "  ".join(f"{language} {share:.0%}" for language, share in shown))
    if chosen := found.chosen:
        lines.append(
            f"disk {megabytes(chosen.disk_bytes)} ({chosen.codec}) · RAM {costs.memory_bytes / 1e9:,.1f} GB · about "
            f"{_duration(costs.total.wall_s)} on this machine (sample of {found.sampled.passages:,} passages: "
            f"{found.sampled.passages_per_s:,.1f}/s)"
        )
    return lines


def _row(choice: "Choice") -> tuple[str, ...]:
    loss = _loss(choice.mrr_loss)
    return (choice.codec, str(choice.pool), megabytes(choice.disk_bytes), f"{choice.mrr_at_10:.3f}", loss)


def _loss(loss: "Loss") -> str:
    if loss.is_seen:
        return f"{loss.mean:.3f} ({loss.low:.3f} to {loss.high:.3f})"
    return f"no difference seen ({loss.low:.3f} to {loss.high:.3f})"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _asked(paths: Sequence[Path], collection: str, build: Build, prefix: str, text_field: str) -> list[str]:
    """Write the arguments of the real run as they have to be typed."""
    from shlex import quote

    named = {
        "-c": "" if collection == options.DEFAULT_COLLECTION else collection,
        "--model": build.model, "--codec": build.codec, "--pool": build.pool, "--prefix": prefix,
        "--text-field": "" if text_field == "text" else text_field,
    }  # fmt: skip
    given = [(name, str(value)) for name, value in named.items() if value]
    return [*(quote(str(path)) for path in paths), *(quote(word) for pair in given for word in pair)]
