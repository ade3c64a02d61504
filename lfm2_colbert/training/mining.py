"""Hard negatives: what a retriever finds for a query and is not its answer.

A candidate that scores nearly as high as the answer is mostly an answer that nobody marked, and is left out
(NV-Retriever, Moreira et al., 2024: positive-aware mining by a share of the positive's score).
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import xxhash

from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.training.journal import Journal, Line
from lfm2_colbert.training.lists import Lists, labelled, text_id
from lfm2_colbert.training.sources import Pair

QUERIES_PER_SYNC = 64
DEPTH = 4
"""Times the candidates that are asked for: filters and languages need some to choose from."""
DEEPEST = 1000
"""That a collection gives."""

Ranking = list[tuple[str, float]]
"""Document ids with their scores, best first."""
OnMined = Callable[[int, int], None]
"""Told how many queries are done, of how many."""


class Retriever(Protocol):
    """Finds documents; handed in from above, where collections are known."""

    @property
    def fingerprint(self) -> str:
        """What decides its rankings, besides the documents."""

    def search(self, query: str, k: int) -> Ranking:
        """Give the `k` best documents, best first."""


@dataclass(frozen=True, slots=True)
class MiningOptions:
    """How negatives are chosen.

    Attributes:
        candidates: for a query, at most.
        share: a candidate with this share of the best positive's score, or more, is taken for an answer.
        lang_balance: let the languages of candidates take turns, in the order in which they come.
    """

    candidates: int = 32
    share: float = 0.95
    lang_balance: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            InvalidArgumentError: a number is out of range.
        """
        if not 1 <= self.candidates <= DEEPEST or not 0 < self.share <= 1:
            raise InvalidArgumentError(
                f"{self.candidates} candidates below {self.share} of the positive's score cannot be mined",
                help=f"1 to {DEEPEST} candidates, and a share from above 0 to 1",
            )


@dataclass(frozen=True, slots=True)
class Pool:
    """What is asked, and what is looked through: each distinct text once, under an id made of it.

    Attributes:
        queries: by id.
        documents: by id.
        positives: query id → ids of its documents.
        languages: document id → group of the first pair that it comes in.
    """

    queries: Mapping[str, str]
    documents: Mapping[str, str]
    positives: Mapping[str, tuple[str, ...]]
    languages: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Name it by its ids."""
        named = (f"{query}:{','.join(own)}" for query, own in self.positives.items())
        return xxhash.xxh3_128_hexdigest("\n".join((*named, *self.documents)).encode())


@dataclass(frozen=True, slots=True)
class Mined:
    """Lists whose scores are labels (1 positive, 0 negative), and what the filters did.

    Attributes:
        lists: of queries that have a negative.
        unfound: queries whose positive was not found, so that nothing could be taken out by score.
        false_negatives: candidates taken out by score.
        duplicates: candidates taken out because their text is a positive's.
        without: queries without any negative.
    """

    lists: Lists
    unfound: int
    false_negatives: int
    duplicates: int
    without: int


def pooled(pairs: Sequence[Pair], limit: int | None = None) -> Pool:
    """Gather the texts of pairs; a query that comes with several documents has them all as positives.

    Args:
        pairs: a query, its document, and their language as the group.
        limit: queries at most, taken at even distances; documents are all those of the pairs.
    """
    queries: dict[str, str] = {}
    documents: dict[str, str] = {}
    positives: dict[str, dict[str, None]] = {}
    languages: dict[str, str] = {}
    for pair in pairs:
        query, document = text_id(pair.query), text_id(pair.document)
        queries[query], documents[document] = pair.query, pair.document
        positives.setdefault(query, {})[document] = None
        languages.setdefault(document, pair.group)
    asked = list(queries) if limit is None else _evenly(list(queries), limit)
    return Pool(
        {query: queries[query] for query in asked},
        documents,
        {query: tuple(positives[query]) for query in asked},
        languages,
    )


def mine(pool: Pool, retriever: Retriever, options: MiningOptions, path: Path, on_mined: OnMined) -> Mined:
    """Find negatives for each query; a second call goes on where the first was killed.

    Where no positive is among what is found, nothing says how high an answer scores: all candidates are kept, and
    `Mined.unfound` counts the query.

    Args:
        pool: queries and documents.
        retriever: over all documents of the pool.
        options: how many are taken, and which.
        path: of the journal that finished queries are kept in.
        on_mined: told of progress.

    Raises:
        InvalidArgumentError: the journal is of other texts, options or another retriever.
    """
    about: Line = {"pool": pool.fingerprint, "retriever": retriever.fingerprint, **asdict(options)}
    with Journal(path, about, QUERIES_PER_SYNC) as journal:
        done = {line["query_id"] for line in journal.lines[1:]}
        for query_id, query in pool.queries.items():
            if query_id in done:
                continue
            ranking = retriever.search(query, depth(pool, query_id, options))
            journal.append({"query_id": query_id, **chosen(pool, query_id, ranking, options)})
            on_mined(len(journal.lines) - 1, len(pool.queries))
        return _mined(pool, journal.lines[1:])


def depth(pool: Pool, query_id: str, options: MiningOptions) -> int:
    """Say how many documents are asked for."""
    return min(DEPTH * options.candidates + len(pool.positives[query_id]), DEEPEST)


def chosen(pool: Pool, query_id: str, ranking: Ranking, options: MiningOptions) -> Line:
    """Choose a query's negatives from what was found, and count what was taken out: a line of the journal."""
    positives = pool.positives[query_id]
    texts = {_plain(pool.documents[each]) for each in positives}
    of_positives = [score for document_id, score in ranking if document_id in positives]
    others = [(document_id, score) for document_id, score in ranking if document_id not in positives]
    distinct = [each for each in others if _plain(pool.documents[each[0]]) not in texts]
    limit = _limit(max(of_positives), options.share) if of_positives else float("inf")
    negatives = [document_id for document_id, score in distinct if score < limit]
    if options.lang_balance:
        negatives = list(in_turns(negatives, pool.languages))
    return {
        "negatives": negatives[: options.candidates],
        "found": bool(of_positives),
        "false_negatives": sum(score >= limit for _, score in distinct),
        "duplicates": len(others) - len(distinct),
    }


def in_turns(document_ids: Sequence[str], languages: Mapping[str, str]) -> Iterator[str]:
    """Give the first of each language, in the order in which they come, then the second of each, and so on."""
    seen: dict[str, int] = {}
    turns: list[tuple[int, int, str]] = []
    order: dict[str, int] = {}
    for document_id in document_ids:
        language = languages[document_id]
        turns.append((seen.get(language, 0), order.setdefault(language, len(order)), document_id))
        seen[language] = seen.get(language, 0) + 1
    return (document_id for _, _, document_id in sorted(turns))


def _evenly(keys: list[str], n: int) -> list[str]:
    n = min(n, len(keys))
    return [keys[place * len(keys) // n] for place in range(n)]


def _limit(best: float, share: float) -> float:
    """Give the score from which a candidate is taken for an answer; it lies below `best` where that is negative too."""
    return best * share if best >= 0 else best / share


def _mined(pool: Pool, lines: Sequence[Line]) -> Mined:
    with_negatives = [line for line in lines if line["negatives"]]
    rows = tuple(
        labelled(each["query_id"], pool.positives[each["query_id"]], each["negatives"]) for each in with_negatives
    )
    named = {document_id for row in rows for document_id in row.document_ids}
    return Mined(
        Lists(
            {row.query_id: pool.queries[row.query_id] for row in rows},
            {document_id: text for document_id, text in pool.documents.items() if document_id in named},
            rows,
        ),
        unfound=sum(not line["found"] for line in lines),
        false_negatives=sum(line["false_negatives"] for line in lines),
        duplicates=sum(line["duplicates"] for line in lines),
        without=len(lines) - len(with_negatives),
    )


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
