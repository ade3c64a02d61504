"""NanoBEIR in many languages: thirteen small retrieval tasks, 49 or 50 queries each, the same ids in every language.

It is published in three layouts, a row of `SOURCES` each. Documents are text alone, without titles.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eval.datasets.base import Task, cleaned, crossed
from eval.datasets.files import documents_of, judgements_of, queries_of
from eval.datasets.hub import Table, copy, resolved, rows, write_card
from lfm2_colbert.errors import UnknownNameError

NAME = "nanobeir"
TASKS: Mapping[str, str] = {
    "arguana": "ArguAna",
    "climatefever": "ClimateFEVER",
    "dbpedia": "DBPedia",
    "fever": "FEVER",
    "fiqa2018": "FiQA2018",
    "hotpotqa": "HotpotQA",
    "msmarco": "MSMARCO",
    "nfcorpus": "NFCorpus",
    "nq": "NQ",
    "quoraretrieval": "QuoraRetrieval",
    "scidocs": "SCIDOCS",
    "scifact": "SciFact",
    "touche2020": "Touche2020",
}
"""Short name, as sentence-transformers calls it → its name in the data sets."""
SKIPS_OWN = ("arguana",)
"""The query is one of the documents, and must not be found."""
KINDS = ("corpus", "queries", "qrels")
LANGUAGES = ("ar", "de", "en", "es", "fr", "it", "ja", "ko", "no", "pt", "sv")
WITHOUT_ASIAN = ("ar", "de", "es", "fr", "it", "no", "pt", "sv")
MTEB_REVISIONS: Mapping[str, tuple[str, str]] = {
    "arguana": ("ArguAna", "c0b2a891577e87141baf768b28e7acb997ac5680"),
    "climatefever": ("ClimateFever", "2fe8eb61630d248dc0bd1a13e4b7f6406b4a3e2a"),
    "dbpedia": ("DBPedia", "d190b64f4888205f70b5bfdd4fdf806100139dd0"),
    "fever": ("FEVER", "58c0c39b5718de4c64ba115e30ae830f25fc6c62"),
    "fiqa2018": ("FiQA2018", "6af7d1d165dab5c41840440ee33373d3a459483a"),
    "hotpotqa": ("HotpotQA", "d226781cb805c360229d14c2efa8672d11226075"),
    "msmarco": ("MSMARCO", "f579311c703483afcec3062f58fe69e9f0813843"),
    "nfcorpus": ("NFCorpus", "4484b487f178125827f7dda052f1b2f5673548d6"),
    "nq": ("NQ", "4104e3376fe243f0bd4845e204b01c0fc3f7d1d7"),
    "quoraretrieval": ("Quora", "eb9418faade7449e869be388846f287aa3535b64"),
    "scidocs": ("SCIDOCS", "06cff48c8ebea5f46e3effa29573fc22a5b9d8fc"),
    "scifact": ("SciFact", "3e75543b8006c013ec14d36a17dd3010eb139f72"),
    "touche2020": ("Touche2020", "cc244b553d65a88fb66d913907146fe4c33aef29"),
}
"""Short name → its name there, and the commit that mteb 2.26 pins."""


def _liquid(task: str, language: str, kind: str) -> Table:
    """One repository; a configuration for each task and language."""
    revision = "8a4be55eb80b3ed4d2e9a423a5212228c217d426"
    return Table("LiquidAI/nanobeir-multilingual-extended", revision, f"Nano{TASKS[task]}_{language}", kind)


def _sentence_transformers(task: str, language: str, kind: str) -> Table:
    """A repository for each language, whose splits are the tasks; no commit of them is published."""
    owner = "sentence-transformers" if language == "en" else "lightonai"
    return Table(f"{owner}/NanoBEIR-{language}", "", kind, f"Nano{TASKS[task]}")


def _mteb(task: str, language: str, kind: str) -> Table:
    """A repository for each task, with configurations for each language."""
    name, revision = MTEB_REVISIONS[task]
    return Table(f"mteb/MultilingualNano{name}Retrieval", revision, f"{language}-{kind}", "test")


@dataclass(frozen=True, slots=True)
class Source:
    """A layout in which NanoBEIR is published.

    Attributes:
        languages: that it has.
        table: task, language, and ``corpus``, ``queries`` or ``qrels`` → where the rows are.
    """

    languages: tuple[str, ...]
    table: Callable[[str, str, str], Table]


SOURCES: Mapping[str, Source] = {
    "liquid": Source(LANGUAGES, _liquid),
    "sentence-transformers": Source(("en", *WITHOUT_ASIAN), _sentence_transformers),
    "mteb": Source(LANGUAGES, _mteb),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to take of NanoBEIR.

    Attributes:
        document_languages: none named: all that the source has.
        query_languages: to ask each of them in; none named: each in its own.
        tasks: short names; none named: all thirteen.
        source: name in `SOURCES`.
        data: folder of copies; None: the hub.
    """

    document_languages: Sequence[str] = ()
    query_languages: Sequence[str] = ()
    tasks: Sequence[str] = ()
    source: str = "liquid"
    data: Path | None = None

    def __post_init__(self) -> None:
        """Refuse names that there are not.

        Raises:
            UnknownNameError: of a source, a language, or a task.
        """
        known = _source(self.source).languages
        for language in (*self.document_languages, *self.query_languages):
            if language not in known:
                raise UnknownNameError.of("language of NanoBEIR", language, known)
        for task in self.tasks:
            if task not in TASKS:
                raise UnknownNameError.of("task of NanoBEIR", task, TASKS)


def count(wanted: Wanted) -> int:
    """Say how many tasks there will be."""
    n_languages = len(wanted.document_languages or _source(wanted.source).languages)
    return n_languages * len(wanted.tasks or TASKS) * max(len(wanted.query_languages), 1)


def tasks(wanted: Wanted) -> Iterator[Task]:
    """Load tasks, language by language, one after the other.

    Raises:
        NotFoundError: the copy lacks something.
        DatasetUnavailableError: the hub cannot be reached.
        MalformedDocumentError: a table is broken, or judgements name what does not exist.
    """
    for language in wanted.document_languages or _source(wanted.source).languages:
        for name in wanted.tasks or TASKS:
            task = load(name, language, source=wanted.source, data=wanted.data)
            for asked in wanted.query_languages or (language,):
                yield task if asked == language else _asked(task, asked, wanted)


def load(task: str, language: str, *, source: str = "liquid", data: Path | None = None) -> Task:
    """Load a task in one language; errors as in `tasks`."""
    corpus, queries, qrels = (resolved(SOURCES[source].table(task, language, kind), data) for kind in KINDS)
    return cleaned(
        Task(
            name=NAME,
            language=language,
            query_language=language,
            split="test",
            documents=documents_of(rows(corpus, data)),
            queries=queries_of(rows(queries, data)),
            qrels=judgements_of(rows(qrels, data)),
            part=task,
            revision=f"{corpus.repository}@{corpus.revision}",
            skips_own=task in SKIPS_OWN,
        )
    )


def download(wanted: Wanted, into: Path) -> Iterator[Path]:
    """Copy what is wanted into a folder, for ``--data``; give each file. What is there is not fetched again.

    Raises:
        DatasetUnavailableError: the hub cannot be reached.
        MalformedDocumentError: the folder holds another revision.
    """
    source = _source(wanted.source)
    languages = dict.fromkeys((*wanted.document_languages, *wanted.query_languages)) or source.languages
    homes = set()
    for language in languages:
        for task in wanted.tasks or TASKS:
            for kind in KINDS:
                table = resolved(source.table(task, language, kind), None)
                yield copy(table, into)
                homes.add(into / table.repository)
    for home in sorted(homes):
        write_card(home)


def _asked(task: Task, language: str, wanted: Wanted) -> Task:
    """Ask another language's queries; judgements name the same ids in every language."""
    table = resolved(SOURCES[wanted.source].table(task.part, language, "queries"), wanted.data)
    queries = {key: text for key, text in queries_of(rows(table, wanted.data)).items() if text.strip()}
    return crossed(task, replace(task, language=language, query_language=language, queries=queries))


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise UnknownNameError.of("source of NanoBEIR", name, SOURCES)
    return SOURCES[name]
