"""Mining against its definition, by hand values, and across kills."""

from itertools import count
from pathlib import Path

import pytest

from index import Collection, Document
from index.maxsim import maxsim
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.training.lists import text_id
from lfm2_colbert.training.mining import MiningOptions, Pool, chosen, in_turns, mine, pooled
from lfm2_colbert.training.sources import Pair

PAIRS = [
    Pair("Wie viele Tage Urlaub gibt es?", "Es gibt 24 Tage Urlaub im Jahr.", "de", "faq"),
    Pair("Wie viele Tage Urlaub gibt es?", "Urlaub gibt es 24 Tage lang.", "de", "faq"),
    Pair("Wer genehmigt Urlaub?", "Urlaub genehmigt die Leitung, auch viele Tage.", "de", "faq"),
    Pair("Wer genehmigt Reisen?", "Reisen genehmigt die Leitung.", "de", "faq"),
    Pair("How many days of Urlaub?", "There are 24 days of Urlaub.", "en", "faq"),
    Pair("休暇は何日ですか", "休暇は年に24日です。", "ja", "faq"),
    Pair("誰が休暇を認めますか", "休暇は上司が認めます。", "ja", "faq"),
    Pair("كم يوما إجازة؟", "24 يوما إجازة في السنة.", "ar", "faq"),
    Pair("من يوافق على إجازة؟", "المدير يوافق على كل إجازة.", "ar", "faq"),
    Pair("Wer genehmigt es?", "REISEN genehmigt  die Leitung.", "de", "faq"),
]
POOL = pooled(PAIRS)


class Exhaustive:
    """Scores every document by its definition."""

    fingerprint = "exhaustive"

    def __init__(self, pool: Pool) -> None:
        self._encoder, self._ids = HashingEncoder(), list(pool.documents)
        self._vectors = self._encoder.encode_documents(list(pool.documents.values()))
        self.asked: list[str] = []

    def search(self, query: str, k: int) -> list[tuple[str, float]]:
        self.asked.append(query)
        own = self._encoder.encode_queries([query])[0]
        scores = [float(maxsim(own, each)) for each in self._vectors]
        return sorted(zip(self._ids, scores, strict=True), key=lambda each: (-each[1], each[0]))[:k]


class Killed(Exception):
    """Stands for a kill."""


def ignore(*told: object) -> None:
    """Show nothing."""


def test_texts_are_pooled_once_and_all_answers_of_a_question_are_its_positives() -> None:
    assert len(POOL.queries) == len(PAIRS) - 1
    assert POOL.positives[text_id(PAIRS[0].query)] == (text_id(PAIRS[0].document), text_id(PAIRS[1].document))
    assert POOL.languages[text_id(PAIRS[5].document)] == "ja"
    assert pooled(PAIRS[:-1]).fingerprint != POOL.fingerprint


@pytest.mark.parametrize("balance", [False, True])
def test_negatives_are_those_of_the_definition(tmp_path: Path, balance: bool) -> None:
    retriever = Exhaustive(POOL)
    mined = mine(POOL, retriever, MiningOptions(3, 0.9, balance), tmp_path / "journal", ignore)
    rows = {row.query_id: row for row in mined.lists.rows}
    for query_id, query in POOL.queries.items():
        ranked = retriever.search(query, len(POOL.documents))
        positives = POOL.positives[query_id]
        best = max(score for document_id, score in ranked if document_id in positives)
        texts = {" ".join(POOL.documents[each].casefold().split()) for each in positives}
        left = [
            document_id
            for document_id, score in ranked
            if score < 0.9 * best
            and " ".join(POOL.documents[document_id].casefold().split()) not in texts
            and document_id not in positives
        ]
        if balance:
            ordered = []
            while left:
                for language in list(dict.fromkeys(POOL.languages[each] for each in left)):
                    first = next(each for each in left if POOL.languages[each] == language)
                    ordered.append(first)
                    left.remove(first)
            left = ordered
        assert rows[query_id].document_ids == (*positives, *left[:3])
        assert rows[query_id].scores == (1.0,) * len(positives) + (0.0,) * 3


def hand_pool(*texts: str) -> Pool:
    documents = {f"d{number}": text for number, text in enumerate(texts)}
    return Pool({"q": "?"}, documents, {"q": ("d0", "d1")}, dict.fromkeys(documents, "de"))


def test_what_scores_nearly_as_the_best_answer_is_no_negative() -> None:
    pool = hand_pool("a", "b", "c", "d", "e", "A ")
    ranking = [("d2", 30.0), ("d0", 20.0), ("d3", 19.0), ("d4", 18.99), ("d5", 10.0), ("d1", 5.0)]
    found = chosen(pool, "q", ranking, MiningOptions())
    assert found == {"negatives": ["d4"], "found": True, "false_negatives": 2, "duplicates": 1}


def test_scores_below_zero_are_limited_below_the_answer_too() -> None:
    ranking = [("d0", -1.0), ("d2", -1.05), ("d3", -1.06)]
    assert chosen(hand_pool("a", "b", "c", "d"), "q", ranking, MiningOptions())["negatives"] == ["d3"]


def test_where_no_answer_is_found_nothing_is_taken_out_by_score() -> None:
    found = chosen(hand_pool("a", "b", "c", "d"), "q", [("d2", 9.0), ("d3", 1.0)], MiningOptions())
    assert found == {"negatives": ["d2", "d3"], "found": False, "false_negatives": 0, "duplicates": 0}


def test_languages_take_turns() -> None:
    languages = {"a": "de", "b": "de", "c": "ja", "d": "de", "e": "ar"}
    assert list(in_turns("abcde", languages)) == ["a", "c", "e", "b", "d"]


def test_a_killed_mining_goes_on_and_ends_with_the_same(tmp_path: Path) -> None:
    calls, retriever = count(), Exhaustive(POOL)

    def killed(done: int, total: int) -> None:
        if next(calls) == 3:
            raise Killed

    with pytest.raises(Killed):
        mine(POOL, retriever, MiningOptions(2), tmp_path / "killed", killed)
    mined = mine(POOL, retriever, MiningOptions(2), tmp_path / "killed", ignore)
    assert retriever.asked == list(POOL.queries.values())
    assert mined == mine(POOL, Exhaustive(POOL), MiningOptions(2), tmp_path / "whole", ignore)
    with pytest.raises(InvalidArgumentError, match="other texts or options"):
        mine(POOL, retriever, MiningOptions(3), tmp_path / "killed", ignore)


def test_impossible_options_are_refused() -> None:
    for options in ({"candidates": 0}, {"share": 0.0}, {"share": 1.5}):
        with pytest.raises(InvalidArgumentError):
            MiningOptions(**options)  # type: ignore[arg-type]


def test_a_collection_is_a_retriever_of_the_same_negatives(tmp_path: Path) -> None:
    with Collection.open("pool", create=True, encoder=HashingEncoder(), codec="float16", home=tmp_path) as collection:
        collection.add(Document(key, text) for key, text in POOL.documents.items())

        class Served:
            fingerprint = "exhaustive"

            def search(self, query: str, k: int) -> list[tuple[str, float]]:
                found = collection.search(query, k=k, mode="semantic", effort="exact", highlight=False)
                return [(hit.document_id, hit.score) for hit in found]

        options = MiningOptions(4, 0.9)
        served = mine(POOL, Served(), options, tmp_path / "served", ignore).lists
    exhaustive = mine(POOL, Exhaustive(POOL), options, tmp_path / "exhaustive", ignore).lists
    assert served == exhaustive
