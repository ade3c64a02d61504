"""Options that several commands share, or that belong together, gathered into one object."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from service.settings import DEVICES, Settings, default_device, default_threads

DEFAULT_COLLECTION = "default"

collection = click.option(
    "-c", "--collection", "collection_name", default=DEFAULT_COLLECTION, show_default=True, metavar="NAME",
    help="The collection.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Build:
    """What a new collection is built with; None: the default, and for an existing one what it has."""

    model: str | None
    codec: str | None
    pool: int | None


def build(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a new collection; it gets them as `build`."""

    @click.option(
        "--model", metavar="NAME", help="Encoder of a new collection: nano, a model folder, …  [default: nano]"
    )
    @click.option(
        "--codec", metavar="NAME",
        help="How a new collection stores vectors: scalar4, scalar4-coarse, scalar2 or float16.  [default: scalar4]",
    )  # fmt: skip
    @click.option(
        "--pool", type=int, metavar="1|2|3", help="Store all vectors, about a half, or a third.  [default: 1]"
    )
    @wraps(command)
    def with_build(*args: Any, model: str | None, codec: str | None, pool: int | None, **kwargs: Any) -> Any:
        return command(*args, build=Build(model, codec, pool), **kwargs)

    return with_build


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the common options; it gets them as `settings`."""

    @click.option("--home", type=click.Path(path_type=Path), help="Where collections live [LFM2_COLBERT_HOME].")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @click.option("--debug", is_flag=True, help="Show tracebacks.")
    @click.option("--device", type=click.Choice(DEVICES), help="Where the encoder runs [LFM2_COLBERT_DEVICE].")
    @click.option("--threads", type=click.IntRange(min=1), help="Threads of the encoder [LFM2_COLBERT_THREADS].")
    @wraps(command)
    def with_settings(
        *args: Any,
        home: Path | None,
        as_json: bool,
        debug: bool,
        device: str | None,
        threads: int | None,
        **kwargs: Any,
    ) -> Any:
        settings = Settings(home, as_json, debug, device or default_device(), threads or default_threads())
        return command(*args, settings=settings, **kwargs)

    return with_settings
