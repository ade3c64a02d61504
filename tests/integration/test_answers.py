"""Answers over HTTP and on the command line: each sentence is quoted from, or held against, what was found."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.server import Asking, served
from index import Collection, Document
from lfm2_colbert import load_encoder
from service.rag.wording import NOTHING

GERMAN = (
    "Urlaub Kündigung Miete Wohnung Vertrag Arbeit Straße Bahnhof Rechnung Zahlung Frist Antrag Schule Lehrer Kinder "
    "Garten Wasser Winter Sommer Reise Zug Fahrkarte Krankheit Arzt Versicherung Gehalt Steuer Haushalt Küche Möbel"
).split()
TEXTS = {
    "de/urlaub.md": "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage. Die Katze darf mit.",
    "ar/عطلة": "يحصل الموظفون الجدد على أربعة وعشرين يوما من الإجازة.",
    "ja/休暇.txt": "犬は吠えます。新入社員は初年度に二十四日の休暇を取得できます。猫は寝ます。",
    "th/วันหยุด": "พนักงานใหม่ได้รับวันหยุดพักร้อนยี่สิบสี่วันในปีแรก",
    "emoji/🐈‍⬛": "Auf dem Sofa 🐈‍⬛ schnurrt es im Cafe\u0301. Der Hund bellt.",
}


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    home = tmp_path_factory.mktemp("home")
    with Collection.open("pets", create=True, encoder=load_encoder("nano"), home=home) as collection:
        collection.add([Document(name, text) for name, text in TEXTS.items()])
    with served(home, model="nano") as asking:
        yield asking


def answered(ask: Asking, question: str, **more: Any) -> Any:
    answer = ask("POST", "/v1/collections/pets/answer", {"question": question, **more})
    assert answer.status == 200
    return answer.json


def events_of(body: bytes) -> list[tuple[int, str, Any]]:
    """Read server-sent events: id, name, data."""
    found = []
    for block in body.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found


@pytest.mark.parametrize(
    ("question", "quoted"),
    [
        ("Wie viele Urlaubstage haben Mitarbeiter im ersten Jahr?", "de/urlaub.md"),
        ("كم يوم إجازة للموظفين الجدد؟", "ar/عطلة"),
        ("新入社員の休暇は何日ですか。", "ja/休暇.txt"),
        ("วันหยุดพักร้อนของพนักงานใหม่", "th/วันหยุด"),
        ("Was schnurrt auf dem Sofa?", "emoji/🐈‍⬛"),
    ],
)
def test_an_answer_quotes_what_stands_in_a_document(ask: Asking, question: str, quoted: str) -> None:
    answer = answered(ask, question)
    assert quoted in {each["document_id"] for sentence in answer["sentences"] for each in sentence["citations"]}
    for sentence in answer["sentences"]:
        (citation,) = sentence["citations"]
        text = TEXTS[citation["document_id"]]
        assert text[citation["start"] : citation["end"]] == citation["text"] == sentence["text"]
        assert answer["answer"][sentence["start"] : sentence["end"]] == sentence["text"]


def test_of_a_japanese_passage_only_the_sentence_that_answers_is_quoted(ask: Asking) -> None:
    answer = answered(ask, "新入社員の休暇は何日ですか。", k=1)
    assert answer["answer"] == "新入社員は初年度に二十四日の休暇を取得できます。"


def test_a_filter_bounds_what_may_be_cited(ask: Asking) -> None:
    answer = answered(ask, "休暇", where='lang = "de"')
    assert {each["language"] for each in answer["sources"]} == {"de"}


def test_events_tell_what_the_json_answer_holds(ask: Asking) -> None:
    question = "Wie viele Urlaubstage haben Mitarbeiter im ersten Jahr?"
    whole = answered(ask, question)
    events = events_of(ask("POST", "/v1/collections/pets/answer", {"question": question, "stream": True}).body)
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    assert events[0][1] == "sources"
    assert events[0][2]["sources"] == whole["sources"]
    assert "".join(data["text"] for _, name, data in events if name == "delta") == whole["answer"]
    assert [data for _, name, data in events if name == "citation"] == whole["sentences"]
    assert events[-1][1] == "done"
    assert events[-1][2]["answer"] == whole["answer"]


@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_answered_is_refused_by_a_status(ask: Asking, stream: bool) -> None:
    path = "/v1/collections/pets/answer"
    refused = ask("POST", path, {"question": "x", "where": "lang ==", "stream": stream})
    assert (refused.status, refused.code) == (422, "invalid_filter")
    refused = ask("POST", "/v1/collections/none/answer", {"question": "x", "stream": stream})
    assert (refused.status, refused.code) == (404, "not_found")


@pytest.mark.parametrize("field", ["base_url", "api_key", "model", "llm", "headers"])
def test_a_request_names_no_language_model(ask: Asking, field: str) -> None:
    refused = ask("POST", "/v1/collections/pets/answer", {"question": "x", field: "http://169.254.169.254/"})
    assert (refused.status, refused.code) == (422, "invalid_request")


def test_a_follow_up_is_searched_for_with_the_question_before(ask: Asking) -> None:
    history = [{"role": "user", "content": "Urlaubstage"}, {"role": "assistant", "content": "24"}]
    assert answered(ask, "Im ersten Jahr?", history=history)["query"] == "Urlaubstage\nIm ersten Jahr?"
    assert answered(ask, "Im ersten Jahr?", history=history, rewrite=False)["query"] == "Im ersten Jahr?"


def test_nothing_is_answered_where_nothing_relevant_was_found(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    compounds = [[first + rng.choice(GERMAN).lower() for first in rng.choice(GERMAN, 6)] for _ in range(120)]
    with Collection.open("many", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add([Document(f"{n}", " ".join(rng.choice(own, 30))) for n, own in enumerate(compounds)])
        assert collection.optimize().calibrated
    with served(tmp_path) as asking:
        body = {"question": "Wir möchten gerne wissen, welche Schuhgröße Xaver trägt"}
        found = asking("POST", "/v1/collections/many/answer", body).json
        assert "nothing_relevant" in {each["code"] for each in found["warnings"]}
        assert (found["answer"], found["sentences"]) == ("", [])
        said = {"model": "many", "messages": [{"role": "user", "content": body["question"]}]}
        message = asking("POST", "/v1/chat/completions", said).json["choices"][0]["message"]
        assert message["content"] == NOTHING["de"]
