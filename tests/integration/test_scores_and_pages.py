"""Scores with a meaning, groups, near-duplicates, languages in turn, pages and batches, through a collection."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Collection, Document, SearchOptions
from index.calibration import THRESHOLD, fitted, logistic, stored_calibration
from index.fusion import Mode
from index.grouping import in_turns, shingles
from index.search import Scored, Unit, max_pooled
from index.showing import score_notices
from index.types import Around, Hit, SearchResult, Span
from lfm2_colbert.errors import CursorExpiredError, InvalidArgumentError, Lfm2ColbertError, QueryTooLongError
from service.cli.runs import read_queries, trec_lines

WORDS = [f"{start}{end}" for start in ("ber", "kol", "mar", "tis", "vun") for end in ("ga", "lo", "mi", "ne", "ru")]


def documents(n: int) -> list[Document]:
    rng = np.random.default_rng(1)
    return [
        Document(f"{number:03}", " ".join(rng.choice(WORDS, 30)), {"shelf": number % 4}) for number in range(n)
    ]  # fmt: skip


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    opened = Collection.open("c", create=True, encoder="hashing", home=tmp_path)
    opened.add(documents(60))
    return opened


def ids(result: SearchResult) -> list[str]:
    return [hit.document_id for hit in result]


@pytest.mark.parametrize("mode", ["semantic", "lexical", "hybrid"])
@pytest.mark.parametrize("k", [7, 30])
def test_pages_together_are_one_deep_search(collection: Collection, mode: str, k: int) -> None:
    deep = collection.search("berga kollo marmi", k=60, mode=mode, effort="exact")
    pages, cursor = [], None
    while True:
        page = collection.search(
            "berga kollo marmi", k=k, mode=mode, effort="exact", options=SearchOptions(cursor=cursor)
        )
        pages += page.hits
        cursor = page.cursor
        if cursor is None:
            break
    assert tuple(pages) == deep.hits


def test_pages_stay_in_their_state_and_expire_with_it(collection: Collection, tmp_path: Path) -> None:
    with Collection.open("c", home=tmp_path) as reader:
        deep, first = reader.search("berga", k=20), reader.search("berga", k=10)
        collection.add([Document("new", "berga " * 30)])
        collection.delete(deep.hits[15].document_id)
        after = reader.search("berga", k=10, options=SearchOptions(cursor=first.cursor))
        assert ids(after) == [each for each in ids(deep)[10:] if each != deep.hits[15].document_id]
    with Collection.open("c", home=tmp_path) as other, pytest.raises(CursorExpiredError):
        other.search("berga", k=10, options=SearchOptions(cursor=first.cursor))


def test_a_cursor_of_another_question_or_beyond_the_deepest_place_is_refused(collection: Collection) -> None:
    cursor = collection.search("berga", k=5).cursor
    for query, written in (("kollo", cursor), ("berga", "nonsense"), ("berga", "WzFd")):
        with pytest.raises(InvalidArgumentError):
            collection.search(query, k=5, options=SearchOptions(cursor=written))


def test_a_field_gives_so_many_hits_of_each_of_its_values(collection: Collection) -> None:
    everything = collection.search("berga kollo", k=60)
    found = collection.search("berga kollo", k=60, options=SearchOptions(group_by="shelf", per_group=2))
    expected, seen = [], [0] * 4
    for hit in everything:
        seen[hit.metadata["shelf"]] += 1
        if seen[hit.metadata["shelf"]] <= 2:
            expected.append(hit.document_id)
    assert ids(found) == expected


def test_passages_of_one_document_are_hits_of_their_own_where_they_are_asked_for(collection: Collection) -> None:
    collection.add([Document("long", " ".join(f"Der Satz {n} spricht von kwalo." for n in range(120)))])
    assert len(collection.passages("long")) > 3
    for options, n_hits in ((SearchOptions(group_by="passage"), 5), (SearchOptions(per_group=3), 3)):
        found = [hit for hit in collection.search("kwalo", k=5, options=options) if hit.document_id == "long"]
        assert len({hit.passage for hit in found}) == len(found) == n_hits


def test_near_duplicates_collapse_into_the_best(collection: Collection) -> None:
    text = documents(60)[3].text
    collection.add([Document("copy", text + "!"), Document("other", text[: len(text) // 2])])
    assert {"003", "copy"} <= set(ids(collection.search(text, k=60)))
    found = ids(collection.search(text, k=60, options=SearchOptions(collapse=0.9)))
    assert len({"003", "copy"} & set(found)) == 1
    assert "other" in found


def test_shingles_hold_for_scripts_without_spaces() -> None:
    assert shingles("東京は日本の首都") == {"東京は日本", "京は日本の", "は日本の首", "日本の首都"}
    assert shingles("ＡＢＣ, d") == shingles("abc d")


@given(st.lists(st.sampled_from(["de", "ja", "ar"]), max_size=60))
def test_turns_keep_the_order_within_a_language(languages: list[str]) -> None:
    order = in_turns(languages)
    assert sorted(order) == list(range(len(languages)))
    for language in set(languages):
        own = [place for place in order if languages[place] == language]
        assert own == sorted(own)
    n_languages = len(set(languages))
    assert len({languages[place] for place in order[:n_languages]}) == n_languages


@given(st.lists(st.lists(st.floats(0, 1), min_size=6, max_size=6), min_size=1, max_size=4), st.integers(1, 6))
def test_the_best_of_each_window_are_enough_for_max_pooling(scores: list[list[float]], k: int) -> None:
    rankings = [
        sorted(
            (Scored(d, str(d), 0, 0, d, s, s) for d, s in enumerate(own)), key=lambda hit: (-hit.score, hit.document)
        )
        for own in scores
    ]
    best = {document: max(own[document] for own in scores) for document in range(6)}
    expected = sorted(best, key=lambda document: (-best[document], str(document)))[:k]
    found = max_pooled([own[:k] for own in rankings], k, Unit.DOCUMENT)
    assert [hit.document for hit in found] == expected


def test_optimize_gives_scores_a_meaning_and_a_rebuild_forgets_it(collection: Collection) -> None:
    """Each passage has words of its own."""
    rng = np.random.default_rng(2)
    for number in range(60):
        collection.delete(f"{number:03}")
    topics = [[f"{topic}{word}" for word in WORDS[:6]] for topic in range(120)]
    collection.add([Document(f"topic {n}", " ".join(rng.choice(topics[n], 30))) for n in range(120)])
    assert "score_uncalibrated" in [notice.code for notice in collection.search("0berga").warnings]
    assert collection.optimize().calibrated
    answered = collection.search(" ".join(f"0{word}" for word in WORDS[:6]), mode="semantic")
    assert answered.hits[0].score > 0.5
    assert answered.warnings == ()
    assert [hit.score for hit in answered] == sorted((hit.score for hit in answered), reverse=True)
    strange = collection.search("qqqxx zzzyy wwwvv jjjkk hhhgg", mode="semantic")
    assert strange.hits[0].score < answered.hits[0].score
    meaning = stored_calibration(collection._store)
    assert meaning is not None
    (notice,) = score_notices([replace(strange.hits[0], score=THRESHOLD / 2)], Mode.SEMANTIC, meaning)
    assert notice.code == "nothing_relevant"
    assert "%" in notice.message
    assert score_notices([replace(strange.hits[0], score=THRESHOLD)], Mode.SEMANTIC, meaning) == []
    collection.rebuild(codec="float16")
    assert "score_uncalibrated" in [notice.code for notice in collection.search("0berga").warnings]


GERMAN = (
    "Urlaub Kündigung Miete Wohnung Vertrag Arbeit Straße Bahnhof Rechnung Zahlung Frist Antrag Schule Lehrer Kinder "
    "Garten Wasser Winter Sommer Reise Zug Fahrkarte Krankheit Arzt Versicherung Gehalt Steuer Haushalt Küche Möbel"
).split()


def test_a_question_in_another_language_is_not_told_that_nothing_is_relevant(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    compounds = [[first + rng.choice(GERMAN).lower() for first in rng.choice(GERMAN, 6)] for _ in range(120)]
    with Collection.open("de", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add([Document(f"{n}", " ".join(rng.choice(own, 30))) for n, own in enumerate(compounds)])
        assert collection.optimize().calibrated
        own = collection.search("Wir möchten gerne wissen, welche Schuhgröße Xaver trägt", mode="semantic", k=3)
        foreign = collection.search("كم يوم إجازة لدي في السنة الأولى؟", mode="semantic", k=3)
        other = collection.search("有給休暇は何日ありますか。", mode="semantic", k=3)
        further = SearchOptions(cursor=foreign.cursor)
        page = collection.search(foreign.query, mode="semantic", k=3, options=further)
    assert [notice.code for notice in own.warnings] == ["nothing_relevant"]
    for result in (foreign, other, page):
        assert [notice.code for notice in result.warnings] == ["score_uncalibrated"]
    shown = [hit.score for hit in (*foreign, *page)]
    assert shown == sorted(shown, reverse=True)  # one meaning on all pages


def test_a_curve_gives_back_the_one_its_samples_follow() -> None:
    rng = np.random.default_rng(3)
    own, other = rng.normal(0.7, 0.1, 20_000), rng.normal(0.5, 0.1, 20_000)
    level, slope = logistic(own, other)  # of two normal distributions: slope (0.7 - 0.5) / 0.1², even at 0.6
    assert slope == pytest.approx(20, rel=0.1)
    assert -level / slope == pytest.approx(0.6, abs=0.01)


def test_a_batch_answers_as_single_searches_do(collection: Collection) -> None:
    queries = [f"{a} {b}" for a, b in zip(WORDS * 2, reversed(WORDS * 2), strict=True)]
    for mode in ("semantic", "lexical", "hybrid"):
        batch = list(collection.search_batch(queries, k=5, mode=mode, highlight=True))
        assert [result.hits for result in batch] == [
            collection.search(query, k=5, mode=mode).hits for query in queries
        ]  # fmt: skip
    with pytest.raises(QueryTooLongError):
        collection.search_batch(["berga", "a" * 9000])


def hit(document_id: str, score: float) -> Hit:
    return Hit(1, document_id, 0, score, score, "", Span(0, 0), "de", {})


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=300))
def test_scores_of_a_run_fall_strictly_in_float32(scores: list[float]) -> None:
    lines = [line.split(" ") for line in trec_lines("q", SearchResult("q", tuple(map(hit, map(str, scores), scores))))]
    read = np.array([line[4] for line in lines]).astype(np.float32)
    assert (np.diff(read) < 0).all()
    assert [int(line[3]) for line in lines] == list(range(1, len(lines) + 1))
    assert [line[2] for line in lines] == list(dict.fromkeys(map(str, scores)))


def test_white_space_of_an_id_does_not_part_columns() -> None:
    (line,) = trec_lines("q", SearchResult("q", (hit("a b\u3000.txt", 0.5),)))
    assert line == "q Q0 a%20b%E3%80%80.txt 1 0.5 lfm2-colbert\n"


def test_questions_are_read_from_json_lines_and_columns(tmp_path: Path) -> None:
    path = tmp_path / "queries"
    path.write_text('{"_id": 1, "text": "首都は?"}\nzwei\tWie lange\tnoch?\n\n', encoding="utf-8")
    assert [tuple(query) for query in read_queries(path)] == [("1", "首都は?"), ("zwei", "Wie lange\tnoch?")]


@pytest.mark.parametrize("text", ["", "no tabulator", "a\t ", "a\tx\na\ty", '{"text": "x"}', "a b\tx", "[1]"])
def test_what_is_no_question_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "queries"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Lfm2ColbertError, match="queries"):
        read_queries(path)


def test_parts_of_a_long_question_count_by_vector_and_not_by_their_length(collection: Collection) -> None:
    query = " ".join([*WORDS, *reversed(WORDS[:20])])
    result = collection.search(query, mode="semantic", k=20, highlight=False)
    assert "query_split" in [notice.code for notice in result.warnings]
    scores = [hit.score for hit in result]
    assert scores == sorted(scores, reverse=True)
    assert len({round(hit.raw_score / hit.score) for hit in result}) > 1  # windows of more than one length


def test_what_is_collapsed_is_said(collection: Collection) -> None:
    text = "exactly the same words in the same order, twice over"
    collection.add([Document(f"copy {n}", text) for n in range(3)])
    result = collection.search(text, k=5, options=SearchOptions(collapse=0.9))
    assert result.hits[0].document_id == "copy 0"
    assert [notice.message[0] for notice in result.warnings if notice.code == "duplicates_collapsed"] == ["2"]


def test_error_rates_are_those_at_the_threshold(collection: Collection) -> None:
    rng = np.random.default_rng(4)
    pairs = np.column_stack([rng.normal(0.7, 0.1, 2000), rng.normal(0.5, 0.1, 2000)])
    found = fitted(pairs, collection._store)
    assert found is not None
    held_out = pairs[1::2]
    below = [found.score(own, 1) < THRESHOLD for own in held_out[:, 0]]
    reached = [found.score(other, 1) >= THRESHOLD for other in held_out[:, 1]]
    assert found.false_positive_rate == pytest.approx(np.mean(below))
    assert found.false_negative_rate == pytest.approx(np.mean(reached))


def test_passages_of_a_document_are_listed_with_their_places(tmp_path: Path) -> None:
    text = "\n\n".join(f"Absatz {n}: " + "有給休暇 Urlaub 연차 " * 12 for n in range(6))
    with Collection.open("pages", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add([Document("long", text), Document("short", "ein Satz")])
        found = collection.passages("long")
        assert [passage.ordinal for passage in found] == list(range(len(found)))
        assert len(found) > 1
        assert found[0].start == 0
        assert found[-1].end == len(text.rstrip())
        assert collection.passages("short")[0].tokens == 2
        assert collection.passages("none") == []
        assert not collection.calibrated


def test_neighbours_come_with_a_hit_as_the_document_has_them(tmp_path: Path) -> None:
    sentences = [f"{words} {n} " * 40 for n, words in enumerate(("Hund", "猫が寝る", "القطة", "วันลา", "Straße"))]
    text = "\n\n".join(sentences)
    with Collection.open("long", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add([Document("long", text), Document("short", "Vogel")])
        passages = collection.passages("long")
        for n in (1, 3):
            options = SearchOptions(neighbours=n, group_by="passage")
            for hit in collection.search("猫 Straße Vogel Hund", k=20, options=options):
                own = passages if hit.document_id == "long" else collection.passages("short")
                near = own[max(0, hit.passage - n) : hit.passage + n + 1]
                whole = text if hit.document_id == "long" else "Vogel"
                assert hit.around == Around(near[0].start, near[-1].end, whole[near[0].start : near[-1].end])
        assert all(hit.around is None for hit in collection.search("Hund"))
        with pytest.raises(InvalidArgumentError, match="neighbours must be 0 to 10"):
            collection.search("Hund", options=SearchOptions(neighbours=11))
