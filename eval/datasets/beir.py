"""A set in BEIR's own layout: a folder with one corpus, or one of BEIR's sets by name.

<folder>/corpus.jsonl         {"_id", "title", "text"}
<folder>/queries.jsonl        {"_id", "text"}
<folder>/qrels/<split>.tsv    header, then query id, document id, grade
"""

from pathlib import Path

from eval.datasets.base import Task, cleaned
from eval.datasets.files import documents_of, json_lines, queries_of, tab_separated_judgements
from eval.datasets.folder import CORPUS
from lfm2_colbert.errors import DatasetUnavailableError, NotFoundError, UnknownNameError
from lfm2_colbert.registry import missing_extra

NAMES = (
    "arguana", "climate-fever", "cqadupstack", "dbpedia-entity", "fever", "fiqa", "hotpotqa", "msmarco", "nfcorpus",
    "nq", "quora", "scidocs", "scifact", "trec-covid", "webis-touche2020",
)  # fmt: skip
"""What the `beir` package can fetch; the others of BEIR need a licence."""
ADDRESS = "https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets/{name}.zip"
SKIPS_OWN = ("arguana",)
"""The query is one of the documents, and must not be found (`ignore_identical_ids` of BEIR)."""


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


def fetched(name: str, into: Path) -> Path:
    """Fetch a set of BEIR by the `beir` package, unless it lies in `into`, and give its folder.

    Raises:
        UnknownNameError: BEIR has no such set, or it needs a licence.
        MissingExtraError: the package is not installed.
        DatasetUnavailableError: it cannot be fetched.
    """
    if name not in NAMES:
        raise UnknownNameError.of("set of BEIR", name, NAMES)
    folder = into / name
    if (folder / CORPUS).exists():
        return folder
    try:
        from beir.util import download_and_unzip
    except ModuleNotFoundError as error:
        raise missing_extra(f"fetching '{name}'", error.name or "beir", "beir") from error
    into.mkdir(parents=True, exist_ok=True)
    try:
        download_and_unzip(ADDRESS.format(name=name), str(into))
    except (OSError, ValueError) as error:  # requests' errors are of OSError, those of a broken archive of ValueError
        raise DatasetUnavailableError(
            f"the set '{name}' cannot be fetched: {type(error).__name__}",
            help=f"unpack {ADDRESS.format(name=name)} and name its folder: lfm2-colbert eval beir FOLDER",
        ) from error
    return folder
