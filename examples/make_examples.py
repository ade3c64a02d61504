"""Make the example documents and questions from the XQuAD and LibreOffice help evaluation sets.

    python examples/make_examples.py ../shared/data/eval

No paragraph and no page occurs in two languages, so a question asked in another language has its answer in one place.
"""

import argparse
import html
import json
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
# Article n of XQuAD is taken in language n modulo six, page n of the help likewise.
XQUAD_LANGUAGES = ("zh", "th", "en", "de", "ar", "es")
HELP_LANGUAGES = ("en", "fr", "it", "ja", "ko", "pt")
PAGE_CHARACTERS = range(300, 6001)
VARIABLES = {"$[officename]": "LibreOffice", "%PRODUCTNAME": "LibreOffice", "$[officeversion]": "7.4"}
INVISIBLE_MARKS = "\ufeff\u200e\u200f"


@dataclass(frozen=True, slots=True)
class Question:
    """A question of one of the two sets, asked in `language`; its answer stands in the examples elsewhere."""

    source: str
    id: str
    language: str


QUESTIONS = (
    Question("xquad", "5726a299dd62a815002e8ba0", "ar"),  # when the European convention on human rights was made
    Question("xquad", "5729e2316aef0514001550c5", "de"),  # how large the Amazon basin is
    Question("xquad", "57265642f1498d1400e8dc68", "zh"),  # how many died of the plague in Paris in 1466
    Question("xquad", "571c8539dd7acb1400e4c0e2", "en"),  # when Scheele discovered oxygen
    Question("xquad", "5726472bdd62a815002e8042", "es"),  # what Internet2 is
    Question("xquad", "5726f1ec708984140094d6ac", "de"),  # how many instruments the Horniman Museum lent
    Question("xquad", "572a03086aef0514001551a2", "de"),  # the strongest drugs against inflammation
    Question("help", "text/scalc/guide/print_title_row.xhp", "ko"),
)
# Where the answer to the question about the help is to stand, whatever the rule above says.
PINNED_PAGES = {"text/scalc/guide/print_title_row.xhp": "fr"}


@dataclass(frozen=True, slots=True)
class Set:
    """One language of an evaluation set: texts, questions and relevant texts, by id."""

    texts: Mapping[str, str]
    questions: Mapping[str, str]
    answers: Mapping[str, str]


def load(archives: Path, name: str, language: str) -> Set:
    """Read one language of a packed evaluation set in BEIR's layout."""
    with tarfile.open(archives / f"{name}.tar.xz") as archive:

        def lines(path: str) -> list[str]:
            member = archive.extractfile(f"{name}/{language}/{path}")
            return member.read().decode().splitlines() if member else []

        rows = {kind: [json.loads(line) for line in lines(f"{kind}.jsonl")] for kind in ("corpus", "queries")}
        pairs = [line.split("\t") for line in lines("qrels/test.tsv")[1:]]
    texts, questions = ({row["_id"]: clean(row["text"]) for row in rows[kind]} for kind in ("corpus", "queries"))
    return Set(texts, questions, {query: document for query, document, _ in pairs})


def clean(text: str) -> str:
    """Expand LibreOffice's variables and take away invisible marks at the ends."""
    for variable, value in VARIABLES.items():
        text = text.replace(variable, value)
    return text.strip(INVISIBLE_MARKS + " \n")


def paragraphs(sets: Mapping[str, Set]) -> dict[str, tuple[str, str]]:
    """Choose XQuAD paragraphs: id → language and text."""
    chosen = {}
    for paragraph in sets["en"].texts:
        article = int(paragraph.split("-")[1])
        language = XQUAD_LANGUAGES[article % len(XQUAD_LANGUAGES)]
        chosen[paragraph] = (language, sets[language].texts[paragraph])
    return chosen


def pages(sets: Mapping[str, Set]) -> dict[str, tuple[str, str, str]]:
    """Choose pages of the help's guides: path → language, title and text."""
    paths = sorted(page.removeprefix("q:") for page in sets["en"].questions if "/guide/" in page)
    chosen = {}
    for number, path in enumerate(paths):
        language = PINNED_PAGES.get(path, HELP_LANGUAGES[number % len(HELP_LANGUAGES)])
        title = sets[language].questions.get(f"q:{path}", "")
        text = sets[language].texts[f"lo:{path}"]
        if title and len(text) in PAGE_CHARACTERS:
            chosen[path] = (language, title, text)
    return chosen


def as_markdown(title: str, text: str) -> str:
    """Write a page with its title as heading."""
    return f"# {title}\n\n{text}\n"


def as_html(title: str, text: str) -> str:
    """Write a page as a web page."""
    head = f'<!doctype html>\n<html>\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n</head>\n'
    body = f"<h1>{html.escape(title)}</h1>\n<p>{html.escape(text, quote=False)}</p>"
    return f"{head}<body>\n<article>\n{body}\n</article>\n</body>\n</html>\n"


PAGE_FORMATS: tuple[tuple[str, Callable[[str, str], str]], ...] = ((".md", as_markdown), (".html", as_html))


def write_paragraphs(chosen: Mapping[str, tuple[str, str]], folder: Path) -> dict[str, str]:
    """Write each paragraph as a text file, the Spanish ones as rows of one file; give the document ids."""
    document_ids, rows = {}, []
    for paragraph, (language, text) in chosen.items():
        document_ids[paragraph] = f"{language}/{paragraph.replace('xq', 'xquad')}" + (
            "" if language == "es" else ".txt"
        )
        if language == "es":
            rows.append(
                json.dumps({"id": document_ids[paragraph], "text": text, "source": "XQuAD"}, ensure_ascii=False)
            )
        else:
            write(folder / document_ids[paragraph], text + "\n")
    write(folder / "es" / "paragraphs.jsonl", "\n".join(rows) + "\n")
    return document_ids


def write_pages(chosen: Mapping[str, tuple[str, str, str]], folder: Path) -> dict[str, str]:
    """Write each page as Markdown or HTML in turn; give the document ids."""
    document_ids = {}
    for number, (path, (language, title, text)) in enumerate(chosen.items()):
        # Neighbours in the list have different languages: change the format with each round of languages.
        suffix, form = PAGE_FORMATS[number // len(HELP_LANGUAGES) % len(PAGE_FORMATS)]
        module, name = re.fullmatch(r"text/(\w+)/guide/(\w+)\.xhp", path).groups()  # type: ignore[union-attr]
        document_ids[path] = f"{language}/{module}-{name.replace('_', '-')}{suffix}"
        write(folder / document_ids[path], form(title, text))
    return document_ids


def write(path: Path, text: str) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Make everything anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", type=Path, help="folder that holds xquad.tar.xz and libreoffice-help.tar.xz")
    archives = parser.parse_args().archives
    xquad = {language: load(archives, "xquad", language) for language in XQUAD_LANGUAGES}
    help_pages = {language: load(archives, "libreoffice-help", language) for language in (*HELP_LANGUAGES, "de")}
    paragraph_ids = write_paragraphs(paragraphs(xquad), HERE / "documents")
    page_ids = write_pages(pages(help_pages), HERE / "documents")
    questions = []
    for question in QUESTIONS:
        if question.source == "xquad":
            asked = xquad[question.language].questions[question.id]
            answer = paragraph_ids[xquad[question.language].answers[question.id]]
        else:
            asked = help_pages[question.language].questions[f"q:{question.id}"]
            answer = page_ids[question.id]
        language = answer.partition("/")[0]
        row = {"question": asked, "language": question.language, "answers": [answer], "answer_language": language}
        questions.append(json.dumps(row, ensure_ascii=False))
    write(HERE / "questions.json", "[\n" + ",\n".join(questions) + "\n]\n")


if __name__ == "__main__":
    main()
