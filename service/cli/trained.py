"""How far a training run is, in lines on standard error."""

from typing import Any

from service.cli.output import print_line


def prepared(stage: str, done: int, total: int) -> None:
    """Say how far a stage is that comes before the first step."""
    print_line(f"{stage:8}{done:,} of {total:,}", err=True)


def told(line: Any) -> None:
    """Print a line of the curve, and how long it will still take."""
    left = (line.tokens_in_all - line.tokens) / max(line.tokens_per_s, 1)
    found = "" if line.ndcg is None else f" · nDCG@10 {line.ndcg:.4f}"
    print_line(
        f"step    {line.step:,} · {line.tokens:,} of {line.tokens_in_all:,} tokens · {line.tokens_per_s:,.0f} "
        f"tokens/s · loss {line.loss:.4f}{found} · {max(left, 0) / 60:.0f} min left",
        err=True,
    )
