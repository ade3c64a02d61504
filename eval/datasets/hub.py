"""Tables of data sets on the hub, or of a copy of them on this machine: rows of one split of one configuration.

A copy has the hub's own shape, ``<folder>/<owner>/<repository>/<configuration>/<split>.parquet`` (or ``.jsonl``), and
says in ``revision.json`` which commit it holds.
"""

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eval.datasets.files import Row, json_lines, parquet_rows
from eval.writing import replace_file
from index.durable import disk_errors
from lfm2_colbert.errors import DatasetUnavailableError, MalformedDocumentError, NotFoundError
from lfm2_colbert.registry import missing_extra

REVISION, CARD = "revision.json", "README.md"
LOCAL = "local"
TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Table:
    """A split of a configuration of a repository.

    Attributes:
        repository: ``owner/name``.
        revision: commit, 40 hexadecimal digits; empty: what the hub has now, which `resolved` finds out.
        config: the configuration.
        split: of it.
    """

    repository: str
    revision: str
    config: str
    split: str

    def __str__(self) -> str:
        return f"{self.repository} {self.config}/{self.split}"


def rows(table: Table, data: Path | None) -> Iterator[tuple[str, Row]]:
    """Give the rows of a table with the places that messages call them by.

    Args:
        table: which rows.
        data: folder of copies; None: the hub.

    Raises:
        NotFoundError: the copy lacks the table; the help lists what it has.
        DatasetUnavailableError: the hub cannot be reached or does not have it.
        MalformedDocumentError: a file is broken.
        MissingExtraError: `datasets` is not installed.
    """
    if data is None:
        return ((f"{table}:{number}", row) for number, row in enumerate(_of_hub(table), start=1))
    config = data / table.repository / table.config
    for path, read in (
        (config / f"{table.split}.parquet", parquet_rows),
        (config / f"{table.split}.jsonl", json_lines),
    ):
        if path.exists():
            return read(path)
    raise _not_copied(table, data)


def resolved(table: Table, data: Path | None) -> Table:
    """Name the commit of a table: its own, that of the copy (``local`` where it does not say), or the hub's newest.

    Raises:
        DatasetUnavailableError: the hub cannot be reached or does not have the repository.
        MalformedDocumentError: the copy's own statement is broken.
    """
    if data is not None:
        return replace(table, revision=_revision_of_copy(data / table.repository))
    return table if table.revision else replace(table, revision=_commit(table.repository, ""))


def copy(table: Table, into: Path) -> Path:
    """Fetch a table of a known revision into a folder of copies, unless it is there; give its file.

    Raises:
        DatasetUnavailableError: the hub cannot be reached or does not have it.
        MalformedDocumentError: the folder holds another revision of the repository.
        MissingExtraError: `datasets` is not installed.
    """
    home = into / table.repository
    path = home / table.config / f"{table.split}.parquet"
    if (home / REVISION).exists() and _revision_of_copy(home) != table.revision:
        raise MalformedDocumentError(
            f"{home} holds revision {_revision_of_copy(home)}, not {table.revision}", help="give an empty folder"
        )
    if not path.exists():
        found = _of_hub(table)
        replace_file(home / REVISION, json.dumps({"revision": table.revision}) + "\n")
        unfinished = path.with_name(f".{path.name}.part")
        with disk_errors(path), _without_bars():
            path.parent.mkdir(parents=True, exist_ok=True)
            found.to_parquet(unfinished)
            unfinished.replace(path)
    return path


def write_card(home: Path) -> None:
    """Name the files of a copy as the hub's own cards do, so that `datasets` loads the folder like the repository."""
    lines = ["---", "configs:"]
    for config in sorted(path for path in home.iterdir() if path.is_dir()):
        lines += [f"- config_name: {config.name}", "  data_files:"]
        for path in sorted(config.glob("*.parquet")):
            lines += [f"  - split: {path.stem}", f"    path: {config.name}/{path.name}"]
    replace_file(home / CARD, "\n".join([*lines, "---", ""]))


def _of_hub(table: Table) -> Any:
    try:
        import datasets
        from huggingface_hub.errors import HTTPError  # of httpx or httpx2, whichever that library uses
    except ModuleNotFoundError as error:
        raise missing_extra(f"the data set {table.repository}", error.name or "datasets", "eval") from error
    if Path(table.repository).exists():
        raise DatasetUnavailableError(
            f"the folder {table.repository} here would be read in place of the hub's repository of that name",
            help="read it as the copy that it is, with --data . or work in another folder",
        )
    commit = _commit(table.repository, table.revision)
    try:
        # Loaded as what it is, a configuration would bring all its splits, and fail where their columns differ.
        with _without_bars():
            whole = datasets.load_dataset_builder(table.repository, table.config, revision=commit)
            files = {table.split: whole.config.data_files[table.split]}
            return datasets.load_dataset(whole.name, data_files=files, split=table.split)
    except (OSError, ValueError, KeyError, HTTPError, datasets.exceptions.DatasetsError) as error:
        raise _unavailable(str(table), error) from error


@contextmanager
def _without_bars() -> Iterator[None]:
    """Silence the bars that both libraries draw for every file, unless they are silent already."""
    import datasets
    from huggingface_hub import utils

    drawing = [each for each in (datasets, utils) if not each.are_progress_bars_disabled()]
    for library in drawing:
        library.disable_progress_bars()
    try:
        yield
    finally:
        for library in drawing:
            library.enable_progress_bars()


@functools.cache
def _commit(repository: str, revision: str) -> str:
    """Ask the hub for a commit, the newest where none is named, once in a process.

    `datasets` by itself tries for half a minute where there is no hub, and then takes whatever commit it has kept.
    """
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HTTPError
    except ModuleNotFoundError as error:
        raise missing_extra(f"the data set {repository}", error.name or "huggingface_hub", "eval") from error
    try:
        return str(HfApi().dataset_info(repository, revision=revision or None, timeout=TIMEOUT_SECONDS).sha)
    except (OSError, ValueError, HTTPError) as error:
        raise _unavailable(repository, error) from error


def _revision_of_copy(home: Path) -> str:
    path = home / REVISION
    if not path.exists():
        return LOCAL
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["revision"])
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedDocumentError(f"{path} names no revision", help="fetch the copy again") from error


def _unavailable(what: str, reason: Exception) -> DatasetUnavailableError:
    return DatasetUnavailableError(
        f"{what} cannot be fetched from the hub: {type(reason).__name__}",
        help="on a connected machine: lfm2-colbert eval download nanobeir --to FOLDER; here: --data FOLDER",
    )


def _not_copied(table: Table, data: Path) -> NotFoundError:
    home = data / table.repository
    if not home.is_dir():
        there = sorted(str(each.parent.parent.relative_to(data)) for each in data.glob("*/*/*/*.*"))
        known = ", ".join(dict.fromkeys(each for each in there)) or "nothing"
        return NotFoundError(f"{data} holds no copy of {table.repository}", help=f"it holds: {known}")
    configs = sorted(each.name for each in home.iterdir() if each.is_dir())
    return NotFoundError(f"the copy in {data} lacks {table}", help=f"it has: {', '.join(configs) or 'nothing'}")
