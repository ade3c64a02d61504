"""Questions out of texts of many scripts, and their division: nothing that asks stays in what answers."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert.errors import TooFewDocumentsError
from lfm2_colbert.training import division
from lfm2_colbert.training.adaptation import RECIPE, lifted, pairs_of, questions_by_language, read_domain_recipe
from lfm2_colbert.training.division import LEAST_DOCUMENTS, Division, distinct, divide
from lfm2_colbert.training.lists import Lists, Row
from lfm2_colbert.training.questions import Kind, Passage, Question, asked, can_answer, first_sentence, plain, weight
from lfm2_colbert.training.sources import Pair, read_all_pairs, write_pairs

BODIES = {
    "de": "Neue Mitarbeiter haben im ersten Jahr Anspruch auf 24 freie Tage, danach auf dreißig.",
    "ar": "يحصل الموظفون الجدد على أربعة وعشرين يوما من الإجازة السنوية المدفوعة في السنة الأولى من العمل.",
    "ja": "新入社員は初年度に二十四日の休暇を取得でき、二年目からは三十日になります。",
    "ko": "신입 사원은 첫 해에 스물네 일의 휴가를 받으며 다음 해부터는 서른 일의 휴가를 받습니다.",
    "zh": "新员工第一年享有二十四天带薪年假，从第二年开始增加到三十天。",
    "th": "พนักงานใหม่ได้รับวันหยุดพักร้อนยี่สิบสี่วันในปีแรก และได้รับสามสิบวันตั้งแต่ปีที่สองเป็นต้นไป",
}
HEADINGS = {
    "de": "Urlaub im ersten Jahr",
    "ar": "الإجازة في السنة الأولى",
    "ja": "初年度の休暇について",
    "ko": "첫 해의 휴가 일수 안내",
    "zh": "新员工的年假",
    "th": "วันหยุดพักร้อนในปีแรก",
}
FIRST = {
    "de": ("Der Antrag geht (wie z. B. 2024 auch) an die Leitung.", " "),
    "ar": ("هل يقدم الطلب إلى المدير مباشرة؟", " "),
    "ja": ("「申請書は上司に提出してください。」", ""),
    "ko": ("신청서는 부서의 팀장에게 직접 제출합니다.", " "),
    "zh": ("申请表应当提交给部门经理。", ""),
    "th": ("ใบสมัครต้องส่งให้ผู้จัดการโดยตรง", " "),
}


def passage(text: str, *, ordinal: int = 0, title: str = "", document_id: str = "d", language: str = "de") -> Passage:
    return Passage(document_id, ordinal, language, text, title=title)


def found(text: str, *, ordinal: int = 0, title: str = "") -> tuple[list[tuple[str, Kind]], str]:
    made = asked(passage(text, ordinal=ordinal, title=title))
    return [(each.text, each.kind) for each in made.questions], made.text


@pytest.mark.parametrize("language", BODIES)
def test_a_heading_asks_in_every_script_and_is_taken_out(language: str) -> None:
    heading, body = HEADINGS[language], BODIES[language]
    asks = [(heading, Kind.HEADING)]
    assert found(f"## {heading} ##\n\n{body}") == (asks, body)
    assert found(f"{heading}\n=====\n{body}", ordinal=3) == (asks, body)
    assert found(f"{body}\n\n# {heading}\n{body}", ordinal=3) == (asks, f"{body}\n\n{body}")
    assert found(f"{heading}\n\n{body}") == (asks, body)  # of plain text, as it stands above


@pytest.mark.parametrize("language", BODIES)
def test_where_nothing_stands_above_the_first_sentence_asks_for_the_rest(language: str) -> None:
    (sentence, space), body = FIRST[language], BODIES[language]
    assert found(f"{sentence}{space}{body}", ordinal=2) == ([(sentence, Kind.SENTENCE)], body)


def test_a_title_from_outside_asks_for_the_first_passage_alone() -> None:
    body = BODIES["ja"]
    assert found(body, title=HEADINGS["ja"]) == ([(HEADINGS["ja"], Kind.TITLE)], body)
    assert found(body, ordinal=1, title=HEADINGS["ja"]) == ([], body)
    both = f"# {HEADINGS['de']}\n\n{BODIES['de']}"
    assert found(both, title="URLAUB  im ersten Jahr") == ([(HEADINGS["de"], Kind.HEADING)], BODIES["de"])
    text = f"{HEADINGS['de']}.\n{BODIES['de']}"
    assert found(text, title=f"{HEADINGS['de']}.")[1] == BODIES["de"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "🎉🎉🎉",
        "🎉\n\n🐈‍⬛ 👩‍👩‍👧",
        f"# {HEADINGS['de']}",
        f"# {HEADINGS['de']}\n\nZu kurz.",
        f"## 🎉\n{BODIES['de']}",
        f"{BODIES['de']} und noch viele Worte ohne Ende",
        f"```\n# {HEADINGS['de']}\n{BODIES['de']}\n```",
    ],
)
def test_what_cannot_ask_or_answer_has_no_question_and_stays_as_it_is(text: str) -> None:
    assert found(text) == ([], text)


def test_emoji_in_a_heading_stay_with_its_words() -> None:
    assert found(f"# 🐈 Katzen füttern 🎉\n{BODIES['de']}") == ([("🐈 Katzen füttern 🎉", Kind.HEADING)], BODIES["de"])


def test_first_lines_that_are_items_or_sentences_are_no_titles() -> None:
    for line in ("- Erstens der Antrag", "1. Erstens der Antrag", "Der Antrag geht an die Leitung:"):
        assert Kind.HEADING not in [kind for _, kind in found(f"{line}\n{BODIES['de']}")[0]]


def test_dense_scripts_weigh_more_and_marks_nothing() -> None:
    assert [weight(text) for text in ("休暇", "カナ", "휴가", "عطلة", "วันหยุด", "é\u0301!", "👩‍👩‍👧 ٣")] == [
        6,
        6,
        4,
        4,
        5,
        1,
        1,
    ]


@given(st.text(st.sampled_from("ab Cü。.!? \n東京กข🎉#`-="), max_size=400), st.integers(0, 1))
def test_nothing_is_lost_but_white_space_and_marks_of_headings(text: str, ordinal: int) -> None:
    made = asked(passage(text, ordinal=ordinal))

    def letters(*texts: str) -> list[str]:
        return sorted(character for each in texts for character in each if character.isalpha())

    assert not made.questions or len(letters(made.text)) < len(letters(text))
    assert set(letters(made.text, *(each.text for each in made.questions))) <= set(letters(text))
    if not made.questions:
        assert made.text == text
    sentence, rest = first_sentence(text)
    assert letters(sentence, rest) == letters(text)


def passages(n: int, each: int = 2) -> list[Passage]:
    return [
        Passage(
            f"{number}.md", place, "de", f"Text {number} {place}", (Question(f"Frage {number} {place}?", Kind.HEADING),)
        )
        for number in range(n)
        for place in range(each)
    ]


def ids(side: Sequence[Passage]) -> set[str]:
    return {each.document_id for each in side}


def test_no_document_is_on_both_sides_and_the_seed_decides() -> None:
    made = divide(passages(100), 1)
    assert (len(ids(made.held_out)), len(ids(made.training))) == (25, 75)
    assert not ids(made.held_out) & ids(made.training)
    assert len(made.training) + len(made.held_out) == 200
    assert divide(passages(100)[::-1], 1).held_out[::-1] == made.held_out
    assert ids(divide(passages(100), 2).held_out) != ids(made.held_out)


def test_a_text_of_a_held_out_document_is_not_learned_from() -> None:
    own = passages(100)
    held = divide(own, 1).held_out[0]
    copied = [
        Passage(each.document_id, each.ordinal, "de", held.text.upper() + " ", each.questions)
        if each.document_id not in ids(divide(own, 1).held_out) and each.ordinal
        else each
        for each in own
    ]
    made = divide(copied, 1)
    assert made.left_out["shared"] == 75
    assert plain(held.text) not in {plain(each.text) for each in made.training}


def test_questions_that_several_passages_have_are_left_out_on_both_sides() -> None:
    made = divide(passages(100), 1)
    common = Question("Einleitung  und  Zweck", Kind.HEADING), Question("EINLEITUNG und Zweck", Kind.HEADING)
    first, other = (
        Passage(
            side[0].document_id, 9, "de", "Text", (question, Question(f"eigen {question.text[0:3]} {n}", Kind.TITLE))
        )
        for n, (side, question) in enumerate(zip(made.sides, common, strict=True))
    )
    left = distinct(Division((*made.training, first), (*made.held_out, other), made.left_out))
    assert left.left_out["repeated"] == 2
    questions = {plain(each.text) for side in left.sides for own in side for each in own.questions}
    assert plain(common[0].text) not in questions
    assert "eigen ein 0" in questions


def test_more_than_is_asked_for_is_drawn_from_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division, "MOST_TRAINING", 10)
    monkeypatch.setattr(division, "MOST_HELD_OUT", 5)
    made = divide(passages(100), 1)
    assert (len(made.training), len(made.held_out), made.left_out["undrawn"]) == (10, 5, 185)


def test_too_few_documents_say_how_many_are_needed() -> None:
    assert divide(passages(LEAST_DOCUMENTS), 1)
    with pytest.raises(TooFewDocumentsError, match=rf"^{LEAST_DOCUMENTS - 1} documents .* needs {LEAST_DOCUMENTS}$"):
        divide(passages(LEAST_DOCUMENTS - 1), 1)
    same = [Passage(f"{n}", 0, "de", f"Text {n}", (Question("Einleitung", Kind.HEADING),)) for n in range(100)]
    with pytest.raises(TooFewDocumentsError, match=r"^0 documents"):
        distinct(divide(same, 1))


def test_counts_say_what_a_language_has_not() -> None:
    own = [*passages(2), Passage("x", 0, "th", BODIES["th"])]
    none = dict.fromkeys(("heading", "title", "sentence", "written", "none"), 0)
    assert questions_by_language(own) == {"de": none | {"heading": 4}, "th": none | {"none": 1}}
    assert can_answer(own[-1])
    assert not can_answer(own[0])


def test_pairs_are_read_as_they_were_written(tmp_path: Path) -> None:
    own = [Pair(HEADINGS[language], BODIES[language], language, "documents") for language in BODIES]
    write_pairs(tmp_path, own)
    assert sorted(read_all_pairs(tmp_path), key=repr) == sorted(own, key=repr)
    assert pairs_of(passages(1, 1)) == [Pair("Frage 0 0?", "Text 0 0", "de", "documents")]


def test_what_answers_is_lifted_above_what_the_encoder_says() -> None:
    texts = {"a": "A", "b": "B", "c": "C", "d": "D"}
    labels = Lists({"q": "Q"}, texts, (Row("q", tuple(texts), (1.0, 0.0, 0.0, 0.0)),))
    scored = Lists({"q": "Q"}, texts, (Row("q", tuple(texts), (0.6, 0.8, 0.6, 0.4)),))
    (row,) = lifted(labels, scored).rows
    # Labels: mean 1/4, deviation √3/4 → √3 and −1/√3; scores: mean .6, deviation .2/√2 → 0, √2, 0, −√2.
    rest = -(3**-0.5)
    expected = [3**0.5 / 2, (rest + 2**0.5) / 2, rest / 2, (rest - 2**0.5) / 2]
    assert row.scores == pytest.approx(expected, abs=1e-5)


def test_the_recipe_holds_tokens_to_the_model_that_is_given() -> None:
    folders = {name: Path(name) for name in ("pairs", "lists", "held_out")}
    recipe = read_domain_recipe(None, "a/model", **folders)
    assert (recipe.start, recipe.teacher, recipe.shape) == ("a/model", "a/model", None)
    assert (recipe.data.pairs, recipe.data.sources, recipe.data.held_out) == ("pairs", ("documents",), "held_out")
    assert recipe.loss.token >= recipe.loss.contrastive > 0
    assert read_domain_recipe(RECIPE, "a/model", **folders) == recipe
    assert (RECIPE.parents[2] / "recipes" / "domain.toml").resolve() == RECIPE
