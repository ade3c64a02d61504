"""How tables and figures are written in the documents."""

from collections.abc import Iterable, Sequence


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Lay out a table, figures to the right of the first two columns."""
    rule = ["---" if i < 2 else "--:" for i in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def decimals(value: float) -> str:
    """Show a share of 1 with three decimals."""
    return f"{value:.3f}"
