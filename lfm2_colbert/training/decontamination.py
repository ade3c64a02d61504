"""Texts of evaluation sets that must not be learned from, found exactly and by runs of 13 words.

Scripts without spaces have runs of 18 characters instead (Brown et al., Language Models are Few-Shot Learners,
appendix C, has 13 words).
"""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import regex

WORDS, CHARACTERS = 13, 18
WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]")


@dataclass(slots=True)
class Contamination:
    """Runs of words of held-out texts.

    Attributes:
        runs: their hashes.
        whole: hashes of short texts, which are compared whole.
        touched: source → how many of its pairs were left out.
    """

    runs: set[int] = field(default_factory=set)
    whole: set[int] = field(default_factory=set)
    touched: dict[str, int] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Hold a text out."""
        runs = list(runs_of(text))
        self.runs.update(runs)
        self.whole.add(hash(_plain(text)))

    def touches(self, text: str) -> bool:
        """Say whether a text shares a run with a held-out one, or is one."""
        return hash(_plain(text)) in self.whole or any(run in self.runs for run in runs_of(text))

    def count(self, source: str) -> None:
        """Count a pair of a source as left out."""
        self.touched[source] = self.touched.get(source, 0) + 1


def held_out(folder: Path) -> Contamination:
    """Read the queries and the relevant documents of all sets below a folder (`<set>/<language>/…`, BEIR's files).

    Documents that answer nothing are not held out: large parts of some sets are passages of public training data.
    """
    found = Contamination()
    for home in sorted({path.parent for path in folder.glob("*/*/corpus.jsonl")}):
        relevant = {document for path in home.glob("qrels/*.tsv") for document in _relevant(path)}
        for row in _rows(home / "corpus.jsonl"):
            if row["_id"] in relevant:
                found.add(row["text"])
        for path in home.glob("queries*.jsonl"):
            for row in _rows(path):
                found.add(row["text"])
    return found


def runs_of(text: str) -> Iterator[int]:
    """Give the hashes of a text's runs; none where it is too short for one."""
    plain = _plain(text)
    if UNSPACED.search(plain):
        letters = "".join(WORD.findall(plain))
        yield from (hash(letters[i : i + CHARACTERS]) for i in range(len(letters) - CHARACTERS + 1))
    else:
        words = WORD.findall(plain)
        yield from (hash(" ".join(words[i : i + WORDS])) for i in range(len(words) - WORDS + 1))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _relevant(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        _, document, grade = line.split("\t")
        if int(grade) > 0:
            yield document
