"""Options that several commands share, or that belong together, gathered into one object."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from lfm2_colbert.encoders import DEVICES
from lfm2_colbert.errors import InvalidArgumentError, LocalOnlyError
from service.backend.base import Build
from service.settings import Settings, default_device, default_threads, default_url, llm_key

if TYPE_CHECKING:
    from service.rag.generators.choosing import Choice

DEFAULT_COLLECTION = "default"

collection = click.option(
    "-c", "--collection", "collection_name", default=DEFAULT_COLLECTION, show_default=True, metavar="NAME",
    help="The collection.",
)  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Shown:
    """Which of all that match are shown; the fields of `index.SearchOptions`, which is loaded when it is needed."""

    group_by: str
    per_group: int
    collapse: float | None
    lang_balance: bool
    cursor: str | None
    neighbours: int


def shown(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of groups and pages; it gets them as `shown`."""

    @click.option("--group-by", default="document", metavar="document|passage|FIELD", help="Show so many of a group.")
    @click.option("--per-group", default=1, show_default=True, type=click.IntRange(min=1), help="Hits of a group.")
    @click.option("--collapse", type=float, metavar="SIMILARITY", help="Leave near-duplicates out, as from 0.9.")
    @click.option("--lang-balance", is_flag=True, help="Let languages take turns.")
    @click.option("--cursor", metavar="CURSOR", help="The next page, as the last answer named it.")
    @click.option("--neighbours", default=0, type=click.IntRange(0, 10), help="Passages around each hit's own.")
    @wraps(command)
    def with_shown(
        *args: Any,
        group_by: str,
        per_group: int,
        collapse: float | None,
        lang_balance: bool,
        cursor: str | None,
        neighbours: int,
        **kwargs: Any,
    ) -> Any:
        shown = Shown(group_by, per_group, collapse, lang_balance, cursor, neighbours)
        return command(*args, shown=shown, **kwargs)

    return with_shown


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions in a file, and where their run goes; None: none."""

    queries: Path | None
    trec: Path | None


def batch(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of many questions; it gets them as `batch`."""

    @click.option(
        "--queries", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE",
        help='Ask many: lines of {"_id": "1", "text": "…"}, or an id, a tabulator and the text.',
    )  # fmt: skip
    @click.option("--trec", type=click.Path(path_type=Path, dir_okay=False), metavar="RUN", help="Write a TREC run.")
    @wraps(command)
    def with_batch(*args: Any, queries: Path | None, trec: Path | None, **kwargs: Any) -> Any:
        return command(*args, batch=Batch(queries, trec), **kwargs)

    return with_batch


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """What writes answers."""

    llm: str | None
    model: str
    context_tokens: int

    def choice(self, settings: Settings) -> "Choice":
        """Read it with its key."""
        from service.rag.generators.choosing import EXTRACTIVE, Choice

        return Choice(
            self.llm or EXTRACTIVE, self.model, llm_key(), self.context_tokens, settings.device, settings.threads
        )


def language_model(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of what writes answers; it gets them as `llm`."""

    @click.option(
        "--llm", metavar="WHAT",
        help="What writes answers: extractive (it quotes), a model as lfm2-1.2b-rag, local:FOLDER, or the address of "
        "an OpenAI-compatible server (its key: LFM2_COLBERT_LLM_KEY).  [default: extractive]",
    )  # fmt: skip
    @click.option("--llm-model", default="", metavar="NAME", help="The model's name on that server; else its first.")
    @click.option(
        "--context-tokens", default=3000, show_default=True, type=click.IntRange(100, 120_000),
        help="Tokens of passages that a language model is given.",
    )  # fmt: skip
    @wraps(command)
    def with_language_model(*args: Any, llm: str | None, llm_model: str, context_tokens: int, **kwargs: Any) -> Any:
        return command(*args, llm=LanguageModel(llm, llm_model, context_tokens), **kwargs)

    return with_language_model


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the common options; it gets them as `settings`. It works on this machine alone."""
    return _with_settings(command, _no_server)


def common_or_remote(command: Callable[..., Any]) -> Callable[..., Any]:
    """Do the same for a command that can ask a server, too (`service.backend`)."""
    return _with_settings(command, _server)


def _with_settings(
    command: Callable[..., Any], server: Callable[[str | None, Path | None], str | None]
) -> Callable[..., Any]:
    @click.option("--home", type=click.Path(path_type=Path), help="Where collections live [LFM2_COLBERT_HOME].")
    @click.option(
        "--url", metavar="URL",
        help="Ask this server instead [LFM2_COLBERT_URL]; a key is taken from LFM2_COLBERT_KEY alone.",
    )  # fmt: skip
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @click.option("--debug", is_flag=True, help="Show tracebacks.")
    @click.option("--device", type=click.Choice(DEVICES), help="Where the encoder runs [LFM2_COLBERT_DEVICE].")
    @click.option("--threads", type=click.IntRange(min=1), help="Threads of the encoder [LFM2_COLBERT_THREADS].")
    @wraps(command)
    def with_settings(
        *args: Any,
        home: Path | None,
        url: str | None,
        as_json: bool,
        debug: bool,
        device: str | None,
        threads: int | None,
        **kwargs: Any,
    ) -> Any:
        settings = Settings(
            home, as_json, debug, device or default_device(), threads or default_threads(), server(url, home)
        )
        return command(*args, settings=settings, **kwargs)

    return with_settings


def _server(url: str | None, home: Path | None) -> str | None:
    """Give the server to ask: an option counts for more than the environment, and a home is on this machine.

    Raises:
        InvalidArgumentError: both were given.
    """
    if url and home is not None:
        raise InvalidArgumentError(
            "--url and --home exclude each other", help="a server has a home of its own: leave one of them out"
        )
    return (default_url() if url is None and home is None else url) or None


def _no_server(url: str | None, home: Path | None) -> None:
    """Refuse a server.

    Raises:
        LocalOnlyError: one was given.
    """
    if _server(url, home) is not None:
        way_out = "run it on the server's machine" + ("" if url else "; --url '' works on this machine's collections")
        raise LocalOnlyError(f"a server cannot be asked to `{_called(click.get_current_context())}`", help=way_out)


def _called(context: click.Context) -> str:
    """Name a command as it is called, however this program was started."""
    return f"{_called(context.parent)} {context.info_name}" if context.parent else "lfm2-colbert"


def require_behind(context: click.Context) -> None:
    """Refuse options before the name of a subcommand, which would not hear of them: of `--url` that would be fatal.

    Raises:
        click.UsageError: there are some.
    """
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if given:
        raise click.UsageError(f"options stand behind `{context.invoked_subcommand}`", context)
