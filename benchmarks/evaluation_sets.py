"""The evaluation sets that quality is measured on: unpacked once, loaded as tasks, cut to a number of queries."""

import shutil
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from eval.datasets.base import Task, sample, without_titles
from eval.datasets.folder import load_crossed
from lfm2_colbert.errors import MalformedDocumentError, NotFoundError


@dataclass(frozen=True, slots=True)
class Wanted:
    """A set, the language of its documents, and that of the queries asked of them."""

    dataset: str
    language: str
    query_language: str


WANTED = (
    *(Wanted("xquad", language, language) for language in ("ar", "de", "en", "es", "zh")),
    Wanted("xquad", "en", "ar"),
    Wanted("xquad", "zh", "de"),
    Wanted("xquad", "ar", "en"),
    Wanted("jsquad", "ja", "ja"),
    Wanted("germanquad", "de", "de"),
    Wanted("faquad", "pt", "pt"),
    Wanted("arcd", "ar", "ar"),
)


def unpack(archives: Path, name: str, destination: Path) -> Path:
    """Unpack a set unless it is there, and give its folder.

    Args:
        archives: holds ``NAME.tar.xz``.
        name: the set.
        destination: a folder that git ignores.

    Raises:
        NotFoundError: there is no such archive.
        MalformedDocumentError: the archive is broken, or does not hold the set.
    """
    folder, archive = destination / name, archives / f"{name}.tar.xz"
    if folder.is_dir():
        return folder
    if not archive.is_file():
        raise NotFoundError(
            f"the evaluation set '{name}' is not here: no {archive}",
            help="name the folder that holds the archives of the sets, NAME.tar.xz",
        )
    # Under another name until it is whole: a kill leaves no half set behind.
    partial = destination / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with tarfile.open(archive) as content:
            content.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and newer
            content.extractall(partial, members=_plain(content))
        (partial / name).rename(folder)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise MalformedDocumentError(f"{archive} does not hold the set '{name}'", help="fetch it again") from error
    shutil.rmtree(partial)
    return folder


def _plain(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Give the files and folders that stay below where they are unpacked; anything else is refused."""
    for member in archive:
        path = PurePosixPath(member.name)
        if not (member.isfile() or member.isdir()) or path.is_absolute() or ".." in path.parts:
            raise tarfile.TarError(f"{member.name} is no plain file")
        yield member


def tasks(
    archives: Path, destination: Path, n_queries: int, seed: int, chosen: Iterable[Wanted] = WANTED
) -> Iterator[Task]:
    """Load each task, with at most `n_queries` of its queries and with texts alone: a title can give the answer away.

    Raises:
        NotFoundError: a set is missing.
    """
    for wanted in chosen:
        folder = unpack(archives, wanted.dataset, destination)
        yield sample(without_titles(load_crossed(folder, wanted.language, wanted.query_language)), n_queries, seed)
