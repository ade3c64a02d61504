"""Evaluation sets that lie on this machine in BEIR's layout, a folder for each language.

<folder>/<language>/corpus.jsonl            {"_id", "title", "text"}
<folder>/<language>/queries[.LANGUAGE].jsonl {"_id", "text"}
<folder>/<language>/qrels/<split>.tsv       header, then query id, document id, grade
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from eval.datasets.base import Task, cleaned, crossed
from eval.datasets.files import HEADER, documents_of, json_lines, queries_of, tab_separated_judgements
from eval.writing import replace_file
from lfm2_colbert.errors import NotFoundError, NotParallelError, UnknownNameError

CORPUS = "corpus.jsonl"


def languages(folder: Path) -> list[str]:
    """List the languages that a set has, sorted."""
    return sorted(path.parent.name for path in folder.glob(f"*/{CORPUS}"))


def load(folder: Path, language: str, *, query_language: str | None = None, split: str = "test") -> Task:
    """Load one language of a set, with the queries that its judgements name.

    Args:
        folder: the set; its name is the task's.
        language: the folder of the documents.
        query_language: takes ``queries.LANGUAGE.jsonl``; by default ``queries.jsonl``, said to be in `language`.
        split: the file of judgements.

    Raises:
        NotFoundError: a file is missing.
        MalformedDocumentError: a row is broken, or a judgement names an id that does not exist.
        DuplicateIdError: an id occurs twice.
    """
    home = folder / language
    queries_file = home / (f"queries.{query_language}.jsonl" if query_language else "queries.jsonl")
    return cleaned(
        Task(
            name=folder.resolve().name,
            language=language,
            query_language=query_language or language,
            split=split,
            documents=documents_of(json_lines(home / CORPUS)),
            queries=queries_of(json_lines(queries_file)),
            qrels=tab_separated_judgements(home / "qrels" / f"{split}.tsv"),
        )
    )


def write(task: Task, folder: Path) -> None:
    """Write a task that is asked in the language of its documents as one of a set, for `load`.

    Raises:
        PermissionDeniedError: the folder may not be written.
        StorageError: the disk refused.
    """
    home = folder / task.language
    titles = {key: str(each.metadata.get("title", "")) for key, each in task.documents.items()}
    judged = [(query, document, grade) for query, own in task.qrels.items() for document, grade in own.items()]
    lines = ["\t".join(map(str, row)) for row in (HEADER, *judged)]
    replace_file(home / "qrels" / f"{task.split}.tsv", "\n".join((*lines, "")))
    replace_file(home / "queries.jsonl", _lines({"_id": key, "text": text} for key, text in task.queries.items()))
    rows = ({"_id": key, "title": titles[key], "text": each.text} for key, each in task.documents.items())
    replace_file(home / CORPUS, _lines(rows))


def asked_in(folder: Path, language: str) -> list[str]:
    """List the languages of the questions that lie beside documents: those that files name, else the documents' own."""
    named = sorted(path.name.split(".")[1] for path in (folder / language).glob("queries.*.jsonl"))
    return named or [language]


def load_crossed(folder: Path, language: str, query_language: str, *, split: str = "test") -> Task:
    """Load documents in one language and queries in another: a file of them beside the documents, or the other folder.

    Raises:
        NotFoundError: questions lie beside the documents, but not in this language.
        NotParallelError: the two languages do not have the same ids.
    """
    beside = asked_in(folder, language)
    if beside == [language] and not (folder / language / f"queries.{language}.jsonl").exists():
        task = load(folder, language, split=split)
        return task if query_language == language else crossed(task, load(folder, query_language, split=split))
    if query_language not in beside:
        raise NotFoundError(
            f"{folder.name}/{language} has no questions in '{query_language}'", help=f"there are: {', '.join(beside)}"
        )
    return load(folder, language, query_language=query_language, split=split)


def tasks(
    folder: Path,
    *,
    document_languages: Sequence[str] = (),
    query_languages: Sequence[str] = (),
    split: str = "test",
) -> Iterator[Task]:
    """Load the tasks of a set, one after the other.

    Args:
        folder: the set.
        document_languages: folders to take; none named: all.
        query_languages: languages to ask each of them in; none named: each in its own, or in those that lie beside it.
        split: the file of judgements.

    Raises:
        NotFoundError: there is no set in the folder, or it lacks a file.
        UnknownNameError: it has no such language.
        MalformedDocumentError: it is broken.
        NotParallelError: two languages do not have the same ids.
    """
    known = known_languages(folder)
    asked = sorted({*known, *(each for language in known for each in asked_in(folder, language))})
    for names, there in ((document_languages, known), (query_languages, asked)):
        for name in names:
            if name not in there:
                raise UnknownNameError.of("language", name, there)
    for language in document_languages or known:
        for query_language in query_languages or _own(folder, language):
            yield load_crossed(folder, language, query_language, split=split)


def parallel_tasks(
    folder: Path, on_missing: Callable[[str], None], chosen: Sequence[str] = (), *, split: str = "test"
) -> Iterator[Task]:
    """Load every pair of the chosen languages, of all where none is chosen, those of a language with itself among them.

    `on_missing` is told of each pair that the set does not allow.
    """
    wanted = list(chosen) or known_languages(folder)
    asked = sorted({each for language in wanted for each in asked_in(folder, language)})
    for language in wanted:
        for query_language in asked:
            try:
                yield load_crossed(folder, language, query_language, split=split)
            except (NotFoundError, NotParallelError) as error:
                on_missing(error.message)


def known_languages(folder: Path) -> list[str]:
    """List the languages of a set.

    Raises:
        NotFoundError: the folder is not one of a set; where it is BEIR's own, or one of sets, the help says so.
    """
    known = languages(folder)
    if known:
        return known
    if (folder / CORPUS).exists():
        raise NotFoundError(f"{folder} has no folders of languages", help=f"lfm2-colbert eval beir {folder}")
    below = sorted({each.parent.parent.name for each in folder.glob(f"*/*/{CORPUS}")})
    help_ = f"name one of its sets: {', '.join(below)}" if below else "docs/guides/evaluating.md shows the layout"
    raise NotFoundError(f"there is no LANGUAGE/{CORPUS} in {folder}", help=help_)


def _own(folder: Path, language: str) -> list[str]:
    beside = asked_in(folder, language)
    return [language] if language in beside else beside


def _lines(rows: Iterable[Mapping[str, str]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
