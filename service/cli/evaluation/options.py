"""Options that the evaluating commands share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

FOLDER = click.Path(path_type=Path, file_okay=False)


class Names(click.ParamType[tuple[str, ...]]):
    """Names with commas between them."""

    name = "name,name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Cut at the commas."""
        if isinstance(value, tuple):
            return value
        return tuple(dict.fromkeys(name.strip() for name in str(value).split(",") if name.strip()))


NAMES = Names()

languages = click.option("--languages", type=NAMES, default=(), help="Of the documents.  [default: all]")
query_languages = click.option(
    "--query-languages", type=NAMES, default=(),
    help="Ask each of the documents' languages in all of these, or in `all`.  [default: each in its own]",
)  # fmt: skip
tasks = click.option("--tasks", type=NAMES, default=(), help="scifact,nq,…  [default: all thirteen]")
source = click.option(
    "--source", default="liquid", show_default=True, metavar="liquid|sentence-transformers|mteb",
    help="Which publication of it.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured and where it goes; the fields of `eval.Options`, which is loaded when it is needed."""

    model: str
    output: Path | None
    cache: Path | None
    language_bias: bool
    options: dict[str, Any]


def measured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of an evaluation; it gets them as `measured`."""

    @click.option("--model", default="nano", show_default=True, metavar="NAME", help="Encoder to evaluate.")
    @click.option("-o", "--output", type=FOLDER, metavar="DIR", help="Write report, page, runs and judgements there.")
    @click.option(
        "--mode", "modes", type=NAMES, default=("semantic", "hybrid"),
        help="Of search, a row each: semantic, hybrid, lexical.  [default: semantic,hybrid]",
    )  # fmt: skip
    @click.option("--effort", default="balanced", show_default=True, metavar="fast|balanced|exact", help="Of search.")
    @click.option("--codec", default="scalar4", show_default=True, metavar="NAME", help="How vectors are stored.")
    @click.option("--pool", type=int, default=1, show_default=True, metavar="1|2|3", help="Vectors that become one.")
    @click.option(
        "--baseline", "baselines", type=NAMES, default=("bm25",),
        help="bm25, oracle (exact MaxSim), or a model: a folder, owner/name@commit; \"\": none.  [default: bm25]",
    )  # fmt: skip
    @click.option("--exact/--no-exact", default=True, show_default=True, help="Score all exactly, for the difference.")
    @click.option(
        "--titles/--no-titles", default=True, show_default=True, help="Put titles before texts, as BEIR does."
    )
    @click.option(
        "--limit", type=click.IntRange(min=1), metavar="N", help="Queries of a task at most, drawn at random."
    )
    @click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
    @click.option("--cache", type=FOLDER, metavar="DIR", help="Where finished work is kept.  [default: in the home]")
    @wraps(command)
    def with_measured(*args: Any, model: str, output: Path | None, cache: Path | None, **kwargs: Any) -> Any:
        names = ("modes", "effort", "codec", "pool", "baselines", "exact", "titles", "limit", "seed")
        options = {name: kwargs.pop(name) for name in names}
        bias = bool(kwargs.pop("language_bias", False))
        return command(*args, measured=Measured(model, output, cache, bias, options), **kwargs)

    return with_measured


language_bias = click.option(
    "--language-bias", is_flag=True,
    help="Ask a pool of the same documents in every language, too: which language is preferred?",
)  # fmt: skip
