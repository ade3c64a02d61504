"""The examples are what their README says."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from index.language import language_of
from index.reading import read
from index.reading.base import ReadOptions, SourceFile
from index.reading.scan import scan
from index.types import Document

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    found = {}
    for source in scan(EXAMPLES / "documents"):
        assert isinstance(source, SourceFile), source
        for document in read(source, ReadOptions()):
            assert isinstance(document, Document), document
            assert document.id not in found
            found[document.id] = document
    return found


def test_the_readme_counts_right(documents: dict[str, Document]) -> None:
    readme = (EXAMPLES / "README.md").read_text()
    assert f"{len(documents)} short documents" in readme
    n_paragraphs = sum("/xquad-" in document_id for document_id in documents)
    assert re.findall(r"\| (\d+) ", readme) == [str(n_paragraphs), str(len(documents) - n_paragraphs)]


def test_documents_are_in_the_language_of_their_folder(documents: dict[str, Document]) -> None:
    languages = Counter(document_id.partition("/")[0] for document_id in documents)
    right = Counter(id[:2] for id, document in documents.items() if language_of(document.text) == id[:2])  # noqa: A001
    assert len(languages) == 11
    assert all(right[language] >= 0.95 * count for language, count in languages.items())


def test_no_text_occurs_twice_and_no_variable_is_left(documents: dict[str, Document]) -> None:
    assert len({document.text for document in documents.values()}) == len(documents)
    assert not [document.id for document in documents.values() if re.search(r"\$\[|%PROD", document.text)]


def test_questions_have_their_answers_and_most_cross_languages(documents: dict[str, Document]) -> None:
    questions = json.loads((EXAMPLES / "questions.json").read_text())
    assert len(questions) == 8
    for question in questions:
        assert all(documents[answer].id.startswith(question["answer_language"] + "/") for answer in question["answers"])
        assert language_of(question["question"]) == question["language"]
    assert sum(question["language"] != question["answer_language"] for question in questions) == 7


@pytest.mark.shared
def test_the_script_makes_exactly_these_files(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "make_examples.py").write_text((EXAMPLES / "make_examples.py").read_text())
    subprocess.run([sys.executable, tmp_path / "make_examples.py", shared / "data" / "eval"], check=True)

    def files(folder: Path) -> dict[str, bytes]:
        made = [*folder.glob("documents/**/*.*"), folder / "questions.json"]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in made}

    assert files(tmp_path) == files(EXAMPLES)
