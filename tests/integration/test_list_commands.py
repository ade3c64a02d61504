"""Mining and scoring as a person meets them: from pairs to scored lists, again at no cost, errors with a way out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lfm2_colbert.training.lists import Lists, read_lists, text_id

PAIRS = {
    "de": [
        ("Wie viele Tage Urlaub gibt es?", "Es gibt 24 Tage Urlaub im Jahr."),
        ("Wer genehmigt Reisen?", "Reisen genehmigt die Leitung."),
        ("Wer genehmigt Urlaub?", "Urlaub genehmigt die Abteilung."),
        ("Wann beginnt das Jahr?", "Das Jahr beginnt im Januar."),
    ],
    "ja": [("休暇は何日ですか", "休暇は年に24日です。"), ("誰が休暇を認めますか", "休暇は上司が認めます。")],
    "ar": [("كم يوما إجازة؟", "24 يوما إجازة في السنة."), ("من يوافق على إجازة؟", "المدير يوافق على كل إجازة.")],
}


Run = Callable[..., Any]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for language, rows in PAIRS.items():
        path = tmp_path / "pairs" / "faq" / f"{language}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"query": query, "positive": positive}) for query, positive in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "pairs"


def by_query(lists: Lists) -> dict[str, list[str]]:
    return {lists.queries[row.query_id]: [lists.documents[each] for each in row.document_ids] for row in lists.rows}


def test_pairs_become_scored_lists(run: Run, pairs: Path, tmp_path: Path) -> None:
    mined = run("mine", pairs, "-o", tmp_path / "lists", "--model", "hashing", "--candidates", 2, "--json")
    assert mined.status == 0, mined.err
    report = json.loads(mined.out)
    assert (report["lists"], report["unfound"], report["without"]) == (8, 0, 0)
    lists = read_lists(tmp_path / "lists")
    found = by_query(lists)
    positive, *negatives = found["Wer genehmigt Urlaub?"]
    assert positive == "Urlaub genehmigt die Abteilung."
    assert set(negatives) == {"Reisen genehmigt die Leitung.", "Es gibt 24 Tage Urlaub im Jahr."}
    assert {row.scores for row in lists.rows} == {(1.0, 0.0, 0.0)}
    scored = run("score", tmp_path / "lists", "--teacher", "hashing", "--json")
    assert json.loads(scored.out)["scores"] == 24
    again = read_lists(tmp_path / "lists" / "scored")
    assert by_query(again) == found
    assert all(row.scores[0] == max(row.scores) for row in again.rows)
    several = run("score", tmp_path / "lists", "--teacher", "hashing,nano", "-o", tmp_path / "both")
    assert "24 scores by hashing, nano-1" in several.out
    assert all(abs(sum(row.scores)) < 1e-5 for row in read_lists(tmp_path / "both").rows)


def test_mining_again_does_nothing_and_other_options_are_refused(run: Run, pairs: Path, tmp_path: Path) -> None:
    mine = ("mine", pairs / "faq" / "de.jsonl", "-o", tmp_path / "lists", "--model", "hashing", "--limit", 2)
    first = run(*mine)
    assert first.status == 0
    journal = tmp_path / "lists" / ".mining" / "mined.jsonl"
    before = journal.read_bytes()
    assert run(*mine).out == first.out
    assert journal.read_bytes() == before
    queries = read_lists(tmp_path / "lists").queries
    assert set(queries.values()) <= {PAIRS["de"][0][0], PAIRS["de"][2][0]}
    other = run(*mine, "--mode", "semantic")
    assert other.status == 2
    assert "error[invalid_argument]" in other.err


def test_languages_take_turns_where_asked_for(run: Run, pairs: Path, tmp_path: Path) -> None:
    language = {text_id(positive): name for name, rows in PAIRS.items() for _, positive in rows}
    options = ("--model", "hashing", "--mode", "semantic", "--candidates", 3, "--lang-balance", "--format", "parquet")
    pytest.importorskip("pyarrow")
    assert run("mine", pairs, "-o", tmp_path / "lists", *options).status == 0
    assert (tmp_path / "lists" / "train.parquet").exists()
    for row in read_lists(tmp_path / "lists").rows:
        assert {language[each] for each in row.document_ids[1:]} == {"de", "ja", "ar"}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("mine", "{pairs}", "-o", "{out}", "--candidates", "0"), "invalid_argument"),
        (("mine", "{pairs}", "-o", "{out}", "--format", "csv"), "unknown_name"),
        (("mine", "{pairs}", "-o", "{out}", "--model", "none"), "unknown_encoder"),
        (("mine", "{pairs}/faq", "-o", "{out}"), "not_found"),
        (("score", "{pairs}", "--teacher", "hashing"), "not_found"),
        (("score", "{pairs}", "--teacher", "judge", "--judge-model", "m"), "invalid_argument"),
    ],
)
def test_errors_are_coded(run: Run, pairs: Path, tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    outcome = run(*(each.format(pairs=pairs, out=tmp_path / "out") for each in arguments))
    assert f"error[{code}]" in outcome.err
    assert "help:" in outcome.err
    assert outcome.status == 2


def test_the_key_of_a_judge_comes_from_the_environment(
    run: Run, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LFM2_COLBERT_JUDGE_KEY", "secret")
    assert run("mine", pairs, "-o", tmp_path / "lists", "--model", "hashing").status == 0
    address = ("--judge-address", "ftp://nowhere", "--judge-model", "m")
    refused = run("score", tmp_path / "lists", "--teacher", "judge", *address)
    assert "error[invalid_argument] 'ftp://nowhere' is no address" in refused.err
    assert "secret" not in refused.err
