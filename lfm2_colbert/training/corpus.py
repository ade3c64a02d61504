"""The texts of a run as ids, each distinct text once, and the pairs of them: prepared once, mapped by every process."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.training.lists import Candidates
from lfm2_colbert.training.sources import Pair

IDS, OFFSETS, ROLES, PAIRS, ABOUT = "ids.npy", "offsets.npy", "roles.npy", "pairs.npy", "about.json"
LISTS, SCORES = "lists.npy", "list_scores.npy"
QUERY, DOCUMENT = 0, 1
"""Roles of a text: its first two ids, and its budget, are those of a query or of a document."""


Tokenize = Callable[[int, Sequence[str]], list[NDArray[np.int64]]]
"""Role and texts → ids of each."""


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """Texts and pairs.

    Attributes:
        ids: uint16 of all texts, begin token and marker included, one text after the other.
        offsets: ``(n_texts + 1,)`` int64.
        roles: ``(n_texts,)`` int8, `QUERY` or `DOCUMENT`.
        pairs: ``(n_pairs, 3)`` int32: text of the query, text of the document, number of the kind.
        kinds: names of the kinds, as ``pairs`` and ``parallel``: a batch is of one.
        lists: ``(n_lists, 1 + n)`` int32: text of the query, texts of its candidates.
        list_scores: ``(n_lists, n)`` float32.
    """

    ids: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    roles: NDArray[np.int8]
    pairs: NDArray[np.int32]
    kinds: tuple[str, ...]
    lists: NDArray[np.int32]
    list_scores: NDArray[np.float32]

    @property
    def n_texts(self) -> int:
        """Count the texts."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Count the ids of each text."""
        return np.diff(self.offsets)

    def lengths_of(self, texts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Count the ids of some texts, in any shape."""
        lengths: NDArray[np.int64] = self.offsets[texts + 1] - self.offsets[texts]
        return lengths


def write_corpus(
    folder: Path,
    kinds: Sequence[tuple[str, Sequence[Pair]]],
    lists: Sequence[Candidates],
    tokenize: Tokenize,
    about: Mapping[str, object],
) -> Corpus:
    """Tokenise pairs of each kind and lists of one size, and write them; a text twice in a role is kept once."""
    numbers: dict[tuple[int, str], int] = {}

    def number(role: int, text: str) -> int:
        return numbers.setdefault((role, text), len(numbers))

    rows = [
        (number(QUERY, pair.query), number(DOCUMENT, pair.document), kind)
        for kind, (_, pairs) in enumerate(kinds)
        for pair in pairs
    ]
    listed = [(number(QUERY, own.query), *(number(DOCUMENT, text) for text in own.documents)) for own in lists]
    tokenised = _tokenised(numbers, tokenize)
    offsets = np.zeros(len(tokenised) + 1, np.int64)
    np.cumsum([len(each) for each in tokenised], out=offsets[1:])
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / IDS, np.concatenate(tokenised).astype(np.uint16))
    np.save(folder / OFFSETS, offsets)
    np.save(folder / ROLES, np.array([role for role, _ in numbers], np.int8))
    np.save(folder / PAIRS, np.array(rows, np.int32).reshape(-1, 3))
    if lists:
        np.save(folder / LISTS, np.array(listed, np.int32))
        np.save(folder / SCORES, np.array([own.scores for own in lists], np.float32))
    names = [name for name, _ in kinds]
    (folder / ABOUT).write_text(json.dumps({"kinds": names, **about}, indent=1) + "\n", encoding="utf-8")
    return read_corpus(folder)


def read_corpus(folder: Path) -> Corpus:
    """Map what `write_corpus` wrote."""
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    ids = np.load(folder / IDS, mmap_mode="r")
    offsets, roles, pairs = (np.load(folder / name) for name in (OFFSETS, ROLES, PAIRS))
    has_lists = (folder / LISTS).exists()
    lists = np.load(folder / LISTS) if has_lists else np.empty((0, 1), np.int32)
    list_scores = np.load(folder / SCORES) if has_lists else np.empty((0, 0), np.float32)
    return Corpus(ids, offsets, roles, pairs, tuple(about["kinds"]), lists, list_scores)


def _tokenised(numbers: dict[tuple[int, str], int], tokenize: Tokenize) -> list[NDArray[np.int64]]:
    """Give the ids of the texts in the order of their numbers."""
    tokenised: list[NDArray[np.int64]] = [np.empty(0, np.int64)] * len(numbers)
    for role in (QUERY, DOCUMENT):
        own = [(text, number) for (of, text), number in numbers.items() if of == role]
        for (_, number), ids in zip(own, tokenize(role, [text for text, _ in own]), strict=True):
            tokenised[number] = ids
    return tokenised
