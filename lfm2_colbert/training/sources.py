"""Texts to learn from, on this machine: pairs of a question and its passage, and translations.

<pairs>/<source>/<language>.jsonl                   {"query", "positive"}
<documents>/**/*.txt, *.md                          each file's first sentence asks for the rest of it
<parallel>/<source>.<language>-<language>.tsv       two columns, no header
"""

import html
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lfm2_colbert.errors import InvalidConfigError, NotFoundError

NOT_SHIPPED = frozenset({"nfcorpus", "scifact", "xnli", "multi30k", "wmt-multi30k-tests"})
"""Sources whose licences forbid commercial use: a model that learned from them is never bundled."""
NOT_SHIPPED_ROWS = frozenset({"msmarco"})
"""The same, where rows of a source name their own origin."""


ROUNDING = 1e-9
SENTENCE_END = re.compile(r"[.!?؟।](?=\s)|[。！？]")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that belong together.

    Attributes:
        query: a question, or a sentence.
        document: the passage that answers it, or the sentence in another language.
        group: language of the query, or both languages of a translation.
        source: where it comes from.
    """

    query: str
    document: str
    group: str
    source: str


def require_shippable(sources: Sequence[str]) -> None:
    """Refuse sources that a model with a free licence cannot have learned from.

    Raises:
        InvalidConfigError: there is one.
    """
    refused = sorted(NOT_SHIPPED & set(sources))
    if refused:
        raise InvalidConfigError(
            f"{', '.join(refused)} may not go into a model that is shipped",
            help="leave them out, or give the recipe another licence than Apache-2.0",
        )


def read_pairs(folder: Path, sources: Sequence[str]) -> Iterator[Pair]:
    """Read questions with their passages; rows without a passage, or of an origin that cannot be shipped, are left out.

    Raises:
        NotFoundError: a source has no file.
        InvalidConfigError: a row is no pair.
    """
    for source in sources:
        for path in _files(folder / source, "*.jsonl", source):
            yield from _pairs(path, source)


def read_queries(folder: Path, sources: Sequence[str]) -> Iterator[Pair]:
    """Read questions that have no passage, each as its own; what cannot be shipped is left out.

    Raises:
        NotFoundError: a source has no file.
        InvalidConfigError: a row has no query.
    """
    for source in sources:
        for path in _files(folder / source, "*.jsonl", source):
            for row in _rows(path):
                if "positive" not in row and row.get("source") not in NOT_SHIPPED_ROWS:
                    yield Pair(_clean(row["query"]), _clean(row["query"]), path.stem, source)


def of_languages(pairs: Iterable[Pair], languages: Sequence[str]) -> list[Pair]:
    """Keep pairs whose language, or both of whose languages, are among some; of none, all."""
    one = "|".join(re.escape(language) for language in languages)
    wanted = re.compile(f"({one})(-({one}))?" if languages else ".*")
    return [pair for pair in pairs if wanted.fullmatch(pair.group)]


def read_all_pairs(path: Path) -> Iterator[Pair]:
    """Read a file of pairs, or those of every source of a folder.

    Raises:
        NotFoundError: there is no such file, or the folder has no source.
        InvalidConfigError: a row is no pair.
    """
    if path.is_file():
        return _pairs(path, path.parent.name)
    sources = sorted({each.parent.name for each in path.glob("*/*.jsonl")})
    if not sources:
        raise NotFoundError(
            f"there is no <source>/<language>.jsonl in {path}", help="name a file, or a folder of these"
        )
    return read_pairs(path, sources)


def write_pairs(folder: Path, pairs: Iterable[Pair]) -> None:
    """Write pairs as ``<source>/<language>.jsonl``, for `read_pairs`; each file takes the place of an older one."""
    files: dict[Path, list[str]] = defaultdict(list)
    for pair in pairs:
        row = {"query": pair.query, "positive": pair.document}
        files[folder / pair.source / f"{pair.group}.jsonl"].append(json.dumps(row, ensure_ascii=False))
    for path, lines in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".part").write_text("\n".join((*lines, "")), encoding="utf-8", errors="replace")
        path.with_suffix(".part").replace(path)


def read_parallel(folder: Path, sources: Sequence[str]) -> Iterator[Pair]:
    """Read translations, the second column as the document.

    Raises:
        NotFoundError: a source has no file.
    """
    for source in sources:
        for path in _files(folder, f"{source}.*.tsv", source):
            group = path.name.removeprefix(f"{source}.").removesuffix(".tsv")
            for line in path.read_text(encoding="utf-8").splitlines():
                first, tabulator, second = line.partition("\t")
                if tabulator and first.strip() and second.strip():
                    yield Pair(_clean(first), _clean(second), group, source)


def read_documents(folder: Path) -> Iterator[Pair]:
    """Let the first sentence of each plain text ask for the rest (inverse cloze; Lee et al., ACL 2019).

    Raises:
        NotFoundError: there is no text.
    """
    paths = sorted((*folder.rglob("*.txt"), *folder.rglob("*.md")))
    if not paths:
        raise NotFoundError(f"there is no .txt or .md below {folder}", help="name a folder of documents")
    for path in paths:
        first, rest = _first_sentence(_clean(path.read_text(encoding="utf-8")))
        if first and rest:
            yield Pair(first, rest, path.parent.name, "documents")


def cloze(pairs: Iterable[Pair]) -> list[Pair]:
    """Let the first sentence of each passage of pairs ask for the rest (inverse cloze); each passage once.

    A passage that is asked for in its own language and in others stands with the former.
    """
    passages: dict[str, Pair] = {}
    for pair in sorted(pairs, key=lambda pair: "-" in pair.group):
        passages.setdefault(pair.document, pair)
    found = ((*_first_sentence(text), pair) for text, pair in passages.items())
    return [Pair(first, rest, pair.group, pair.source) for first, rest, pair in found if first and rest]


def drawn(pairs: Sequence[Pair], n: int, exponent: float, rng: np.random.Generator) -> list[Pair]:
    """Draw at most `n` pairs without replacement; a group of m has a part in proportion to ``m ** exponent``.

    What a small group cannot give is shared among the others.
    """
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        groups[pair.group].append(pair)
    shares = _shares({name: len(own) for name, own in groups.items()}, n, exponent)
    chosen: list[Pair] = []
    for name in sorted(groups):
        kept = rng.permutation(len(groups[name]))[: shares[name]]
        chosen += [groups[name][i] for i in sorted(kept.tolist())]
    return chosen


def _shares(sizes: dict[str, int], n: int, exponent: float) -> dict[str, int]:
    shares = dict.fromkeys(sizes, 0)
    open_groups, left = dict(sizes), min(n, sum(sizes.values()))
    while left > 0 and open_groups:
        total = sum(size**exponent for size in open_groups.values())
        full = {g for g, size in open_groups.items() if left * size**exponent / total >= sizes[g] - ROUNDING}
        if not full:
            for group, size in open_groups.items():
                shares[group] += int(left * size**exponent / total)
            break
        for group in full:
            left -= sizes[group] - shares[group]
            shares[group] = sizes[group]
            del open_groups[group]
    return shares


def _pairs(path: Path, source: str) -> Iterator[Pair]:
    for row in _rows(path):
        if "positive" in row and row.get("source") not in NOT_SHIPPED_ROWS:
            yield Pair(_clean(row["query"]), _clean(row["positive"]), path.stem, source)


def _files(folder: Path, pattern: str, source: str) -> list[Path]:
    found = sorted(folder.glob(pattern))
    if not found:
        raise NotFoundError(
            f"the source '{source}' has no file in {folder}", help="see lfm2_colbert/training/sources.py"
        )
    return found


def _rows(path: Path) -> Iterator[dict[str, str]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        yield _row(path, number, line)


def _row(path: Path, number: int, line: str) -> dict[str, str]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidConfigError(f"{path}:{number} is not JSON", help="one object a line") from error
    if not isinstance(row, dict) or not isinstance(row.get("query"), str):
        raise InvalidConfigError(f"{path}:{number} has no 'query'", help='write {"query": "…", "positive": "…"}')
    return row


def _first_sentence(text: str) -> tuple[str, str]:
    end = SENTENCE_END.search(text)
    return (text[: end.end()].strip(), text[end.end() :].strip()) if end else ("", text)


def _clean(text: str) -> str:
    """Undo HTML entities, which some sources hold, and runs of white space."""
    return " ".join(html.unescape(text).split())
