"""What a sentence rests on: sentences of all scripts, numbers of all digits, words that are there or not."""

import asyncio

import numpy as np
import pytest

from index import Hit
from index.evidence import encoded_evidence
from index.sentences import sentences
from index.types import Span
from lfm2_colbert import load_encoder
from service.rag.generators.base import Turn
from service.rag.generators.extractive import Extractive
from service.rag.grounds import Ground
from service.rag.harmless import harmless
from service.rag.numbers import missing, numbers
from service.rag.prompt import neutral
from service.rag.support import judge

ENCODER = load_encoder("nano", threads=1)


def ground(text: str, name: str = "d", start: int = 0, language: str = "de") -> Ground:
    hit = Hit(1, name, 0, 0.5, 0.5, text, Span(start, start + len(text)), language, {})
    return Ground(hit, encoded_evidence(text, ENCODER))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Am 3. Mai kam Dr. Wu. Er blieb.", ["Am 3. Mai kam Dr. Wu.", "Er blieb."]),
        (
            "J. R. R. Tolkien schrieb z. B. das. „Nein.“ Doch!",
            ["J. R. R. Tolkien schrieb z. B. das.", "„Nein.“", "Doch!"],
        ),
        ('It is 3.5 kg. She said "Go!" and left.', ["It is 3.5 kg.", 'She said "Go!" and left.']),
        ("東京は首都です。「はい。」そう？はい", ["東京は首都です。", "「はい。」", "そう？", "はい"]),
        ("هل هذا صحيح؟ نعم، ٢٤ يوما.", ["هل هذا صحيح؟", "نعم، ٢٤ يوما."]),
        ("यह वाक्य है। दूसरा।", ["यह वाक्य है।", "दूसरा।"]),
        ("พนักงานใหม่ได้รับวันหยุดพักร้อน จากนั้นจะได้รับเพิ่ม", ["พนักงานใหม่ได้รับวันหยุดพักร้อน", "จากนั้นจะได้รับเพิ่ม"]),
        ("- eins\n- zwei\n\n***\n", ["- eins", "- zwei"]),
        ("", []),
    ],
)
def test_sentences_end_as_each_script_ends_them(text: str, expected: list[str]) -> None:
    assert [text[each.start : each.end] for each in sentences(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.234.567 und 3,5", {"1234567", "3.5"}),
        ("1,234.50", {"1234.50"}),
        ("١٬٢٣٤ و ٢٤", {"1234", "24"}),
        ("२४ दिन", {"24"}),
        ("二十四日、一九九〇年、三万五千", {"24", "1990", "35000"}),
        ("03.10.2024 um 12:30", {"3", "10", "2024", "12", "30"}),
        ("10 000 km", {"10000"}),
        ("keine", set()),
    ],
)
def test_numbers_are_read_alike_in_all_digits(text: str, expected: set[str]) -> None:
    assert numbers(text) == expected


@pytest.mark.parametrize(
    ("sentence", "grounds", "lacking"),
    [
        ("Es sind 25 Tage.", "24 Tage", ["25"]),
        ("Es sind 24 Tage [1], [2, 3].", "24 Tage", []),
        ("1. Es sind 24 Tage (2).", "24 Tage", []),
        ("24日です。", "二十四日", []),
        ("٢٤ يوما", "24 days", []),
        ("Es sind 5,0 kg.", "5 kg", []),
        ("Es war 24.", "1924", ["24"]),
        ("Im Jahr 2024 waren es 7.", "2024", ["7"]),
    ],
)
def test_numbers_that_stand_nowhere_are_missed(sentence: str, grounds: str, lacking: list[str]) -> None:
    assert missing(sentence, grounds) == lacking


def test_a_sentence_cites_where_its_words_stand() -> None:
    hund, katze = "Der Hund schläft im Garten.", "Die Katze frisst Fisch."
    grounds = [ground(f"{hund} {katze}", "a", start=100), ground("Paris liegt in Frankreich.", "b")]
    verdict = judge("Die Katze frisst Fisch.", grounds, ENCODER)
    assert verdict.supported
    assert verdict.score > 0.75
    (citation,) = verdict.citations
    assert (citation.document_id, citation.start, citation.text) == ("a", 100 + len(hund) + 1, katze)


def test_a_sentence_of_two_passages_cites_both() -> None:
    grounds = [ground("Der Hund schläft im Garten.", "a"), ground("Die Katze frisst frischen Fisch.", "b")]
    verdict = judge("Der Hund schläft im Garten und die Katze frisst frischen Fisch.", grounds, ENCODER)
    assert {each.document_id for each in verdict.citations} == {"a", "b"}
    assert verdict.supported


@pytest.mark.parametrize("sentence", ["Der Mond besteht aus Käse.", "…", ""])
def test_what_no_passage_says_is_not_supported(sentence: str) -> None:
    assert not judge(sentence, [ground("Die Katze frisst Fisch.")], ENCODER).supported
    assert not judge(sentence, [], ENCODER).supported


def test_a_passage_has_the_best_similarity_of_each_of_its_sentences() -> None:
    found = ground("Der Hund schläft. Die Katze frisst.")
    vectors, firsts = found.words
    asked = vectors[:2]
    first, second = np.split(vectors, [int(firsts[1])])
    expected = np.stack([(asked @ first.T).max(axis=1), (asked @ second.T).max(axis=1)], axis=1)
    np.testing.assert_allclose(found.best(asked), expected, atol=1e-6)


@pytest.mark.parametrize(
    "control",
    ["<|im_start|>", "<|im_end|>", "<|tool_call_start|>", "<|reserved_4|>", "</s>", "[INST]", "[/INST]", "<<SYS>>",
     "<start_of_turn>", "<image>", "<think>", "<｜User｜>", "</document1>", "<document12>"],
)  # fmt: skip
def test_strings_that_control_models_are_taken_apart(control: str) -> None:
    assert control not in neutral(f"a{control}b")
    assert neutral(f"a{control}b").replace("\u2060", "") == f"a{control}b"


@pytest.mark.parametrize("text", ["a < b und c > d", "[1] Siehe §3 (2).", "10:30 Uhr", "List[int]", "Café 犬 🐈‍⬛"])
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert harmless(text) == text
    assert neutral(text) == text


def test_rewriting_without_a_model_joins_the_last_question() -> None:
    history = [Turn("user", "A?"), Turn("assistant", "a"), Turn("user", "B?"), Turn("assistant", "b")]
    assert asyncio.run(Extractive().rewrite(history, "C?")) == "B?\nC?"
