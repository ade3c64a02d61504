"""A set in BEIR's own layout: a folder with one corpus, or one of BEIR's sets by name.

<folder>/corpus.jsonl         {"_id", "title", "text"}
<folder>/queries.jsonl        {"_id", "text"}
<folder>/qrels/<split>.tsv    header, then query id, document id, grade
"""

import shutil
import zlib
from pathlib import Path
from zipfile import BadZipFile

from eval.datasets.base import Task, cleaned
from eval.datasets.files import documents_of, json_lines, queries_of, tab_separated_judgements
from eval.datasets.folder import CORPUS
from lfm2_colbert.errors import DatasetUnavailableError, NotFoundError, UnknownNameError
from lfm2_colbert.registry import missing_extra

NAMES = (
    "arguana", "climate-fever", "dbpedia-entity", "fever", "fiqa", "hotpotqa", "msmarco", "nfcorpus", "nq", "quora",
    "scidocs", "scifact", "trec-covid", "webis-touche2020",
)  # fmt: skip
"""What can be fetched as one set; the others of BEIR need a licence, and cqadupstack is twelve sets."""
ADDRESS = "https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets/{name}.zip"
SKIPS_OWN = ("arguana",)
"""The query is one of the documents, and must not be found (`ignore_identical_ids` of BEIR)."""
BROKEN = (OSError, EOFError, NotImplementedError, RuntimeError, BadZipFile, zlib.error)
"""What `requests` raises of a connection (all are of OSError), and `zipfile` of what is no sound archive."""


def load(folder: Path, *, split: str = "test", language: str = "und") -> Task:
    """Load a set; its name is the folder's.

    Args:
        folder: holds the files.
        split: the file of judgements.
        language: of the documents and the queries, as reports show it.

    Raises:
        NotFoundError: a file is missing.
        MalformedDocumentError: a row is broken, or a judgement names an id that does not exist.
        DuplicateIdError: an id occurs twice.
    """
    if not (folder / CORPUS).exists() and list(folder.glob(f"*/{CORPUS}")):
        raise NotFoundError(f"{folder} has a folder for each language", help=f"lfm2-colbert eval folder {folder}")
    name = folder.resolve().name
    return cleaned(
        Task(
            name=name,
            language=language,
            query_language=language,
            split=split,
            documents=documents_of(json_lines(folder / CORPUS)),
            queries=queries_of(json_lines(folder / "queries.jsonl")),
            qrels=tab_separated_judgements(folder / "qrels" / f"{split}.tsv"),
            skips_own=name in SKIPS_OWN,
        )
    )


def fetched(name: str, into: Path, *, address: str = ADDRESS) -> Path:
    """Fetch a set of BEIR by the `beir` package, unless it lies in `into`, and give its folder.

    Args:
        name: one of `NAMES`.
        into: folder of sets; it gets this one whole or not at all.
        address: of the archives, with ``{name}`` in it.

    Raises:
        UnknownNameError: BEIR has no such set, or it needs a licence.
        MissingExtraError: the package is not installed.
        DatasetUnavailableError: it cannot be fetched.
    """
    if name not in NAMES:
        raise UnknownNameError.of("set of BEIR", name, NAMES)
    folder = into / name
    if folder.exists():
        return folder
    try:
        from beir.util import download_and_unzip
    except ModuleNotFoundError as error:
        raise missing_extra(f"fetching '{name}'", error.name or "beir", "beir") from error
    # The package takes an archive or a folder that is there for a whole one, so it works in a folder of its own.
    unfinished = into / f".{name}.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        download_and_unzip(address.format(name=name), str(unfinished))
        (unfinished / name).rename(folder)
    except BROKEN as error:
        raise DatasetUnavailableError(
            f"the set '{name}' cannot be fetched: {type(error).__name__}",
            help=f"unpack {address.format(name=name)} and name its folder: lfm2-colbert eval beir FOLDER",
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder
