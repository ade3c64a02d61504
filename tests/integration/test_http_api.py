"""The search API as people use it, over a real socket: what it answers is held against the collection itself."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from benchmarks.serving.server import LINES, Asking, served
from index import Collection, Document
from lfm2_colbert import load_encoder
from service.http.strict_json import MAX_NAME_CHARACTERS

TEXTS = {
    "de/urlaub.md": "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage.",
    "ar/عطلة": "يحصل الموظفون الجدد على أربعة وعشرين يوما من الإجازة.",
    "ja/休暇 1%.txt": "新入社員は初年度に二十四日の休暇を取得できます。",
    "ko/휴가": "신입 사원은 첫 해에 24일의 휴가를 받습니다.",
    "zh/假期": "新员工第一年有二十四天假期。",
    "th/วันหยุด": "พนักงานใหม่ได้รับวันหยุดพักร้อนยี่สิบสี่วันในปีแรก",
    "emoji/🐈‍⬛": "Die Katze 🐈‍⬛ schläft im Café, wo e\u0301 steht.",
}
DOCUMENTS = [
    {"id": key, "text": text, "metadata": {"folder": key.split("/")[0], "year": 2020 + n}}
    for n, (key, text) in enumerate(TEXTS.items())
]


@pytest.fixture
def filled(ask: Asking) -> Asking:
    assert ask("POST", "/v1/collections", {"name": "pets"}).status == 201
    assert ask.put("pets", *DOCUMENTS).json["added"] == len(DOCUMENTS)
    return ask


def place(document_id: str) -> str:
    return f"/v1/collections/pets/documents/{quote(document_id, safe='')}"


def test_a_search_answers_what_the_collection_answers(filled: Asking, tmp_path: Path) -> None:
    answer = filled.search("pets", query="wie viele Urlaubstage", k=3, explain=True).json
    with Collection.open("pets", home=tmp_path / "home") as collection:
        found = collection.search("wie viele Urlaubstage", k=3)
    assert [(hit["document_id"], hit["raw_score"], hit["text"]) for hit in answer["hits"]] == [
        (hit.document_id, pytest.approx(hit.raw_score), hit.text) for hit in found
    ]
    assert [len(hit["matches"]) for hit in answer["hits"]] == [len(hit.matches) for hit in found]
    assert answer["query"] == "wie viele Urlaubstage"
    assert {"encode", "search", "explain"} <= answer["timings_ms"].keys()


@pytest.mark.parametrize(
    ("query", "expected"),
    [("休暇", "ja/休暇 1%.txt"), ("휴가를", "ko/휴가"), ("Cafe\u0301", "emoji/🐈‍⬛")],
)
def test_highlights_cut_the_words_out_of_the_text(filled: Asking, query: str, expected: str) -> None:
    (hit,) = filled.search("pets", query=query, k=1, mode="lexical").json["hits"]
    assert hit["document_id"] == expected
    assert TEXTS[expected][hit["span"]["start"] : hit["span"]["end"]] == hit["text"]


def test_many_queries_are_answered_in_their_order(filled: Asking) -> None:
    queries = ["Katze", "휴가", "假期"]
    answers = filled.search("pets", queries=queries, k=1).json["results"]
    assert [each["query"] for each in answers] == queries
    alone = [filled.search("pets", query=query, k=1).json["hits"][0]["document_id"] for query in queries]
    assert [each["hits"][0]["document_id"] for each in answers] == alone


def test_exact_is_a_mode_that_scores_every_passage(filled: Asking) -> None:
    answer = filled.search("pets", query="Katze", mode="exact").json
    assert answer["mode"] == "semantic"
    assert len(answer["hits"]) == len(DOCUMENTS)


def test_filters_and_facets_speak_of_the_same_documents(filled: Asking) -> None:
    where = "year >= 2023"
    hits = filled.search("pets", query="Urlaub", where=where, mode="exact").json["hits"]
    expected = {each["id"] for each in DOCUMENTS if each["metadata"]["year"] >= 2023}  # type: ignore[index]
    assert {hit["document_id"] for hit in hits} == expected
    asked = {"field": "folder", "where": {"type": "gte", "key": "year", "value": 2023}}
    values = filled("POST", "/v1/collections/pets/facets", asked).json["values"]
    assert {each["value"] for each in values} == {key.split("/")[0] for key in expected}


def test_pages_follow_each_other_without_gap_or_repetition(filled: Asking) -> None:
    whole = [hit["document_id"] for hit in filled.search("pets", query="Urlaub", mode="exact").json["hits"]]
    paged: list[str] = []
    cursor: dict[str, Any] = {}
    while len(paged) < len(whole):
        answer = filled.search("pets", query="Urlaub", mode="exact", k=2, **cursor).json
        paged += [hit["document_id"] for hit in answer["hits"]]
        cursor = {"cursor": answer["cursor"]}
    assert paged == whole


@pytest.mark.parametrize("cursor", ["x", "0.", "0.x", "9.AAAA", "²." + "A" * 20, "00001.x"])
def test_a_cursor_that_is_none_is_refused(filled: Asking, cursor: str) -> None:
    answer = filled.search("pets", query="Urlaub", cursor=cursor)
    assert (answer.status, answer.code) == (422, "invalid_argument")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: each["id"])
def test_a_document_comes_back_as_it_was_put(filled: Asking, document: dict[str, Any]) -> None:
    answer = filled("GET", place(document["id"])).json
    assert answer == {
        "document_id": document["id"],
        "text": document["text"],
        "metadata": document["metadata"],
        "pending": False,
    }


def test_a_deleted_document_is_gone_at_once(filled: Asking) -> None:
    assert filled("DELETE", place("ko/휴가")).json == {"deleted": "ko/휴가"}
    assert filled("GET", place("ko/휴가")).code == "not_found"
    assert filled("DELETE", place("ko/휴가")).code == "not_found"
    hits = filled.search("pets", query="휴가", mode="exact").json["hits"]
    assert "ko/휴가" not in {hit["document_id"] for hit in hits}


def test_documents_are_walked_through_in_the_order_of_their_ids(filled: Asking) -> None:
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        path = f"/v1/collections/pets/documents?limit=3&cursor={quote(cursor)}"
        answer = filled("GET", path).json
        seen += [each["document_id"] for each in answer["documents"]]
        assert all("text" not in each for each in answer["documents"])
        cursor = answer["cursor"]
    assert seen == sorted(TEXTS)


def test_each_document_is_judged_by_itself(filled: Asking) -> None:
    good, empty = {"id": "good", "text": "gut"}, {"id": "empty", "text": "\u3000"}
    answer = filled.put("pets", good, empty, {"id": "a\n", "text": "x"})
    items = [(each["id"], each["status"], each.get("error", {}).get("code")) for each in answer.json["items"]]
    assert items == [("good", "added", None), ("empty", "failed", "empty_document"), (None, "failed", "invalid_id")]
    assert answer.json["errors"] is True
    assert filled("GET", place("good")).json["text"] == "gut"


def test_the_status_says_that_not_all_went_well(filled: Asking) -> None:
    answer = filled.put("pets", {"id": "empty", "text": ""})
    assert answer.status == 207
    assert answer.json["items"][0]["error"]["code"] == "empty_document"


@pytest.mark.parametrize(
    "metadata",
    [{str(n): n for n in range(65)}, {"a": {"b": {"c": {"d": {"e": 1}}}}}, {"a": "x" * 70_000}],
    ids=["keys", "depth", "size"],
)
def test_metadata_has_bounds(filled: Asking, metadata: dict[str, Any]) -> None:
    (item,) = filled.put("pets", {"id": "a", "text": "x", "metadata": metadata}).json["items"]
    assert item["error"]["code"] == "invalid_metadata"


def test_a_stream_names_the_lines_that_failed_and_stores_the_others(filled: Asking) -> None:
    lines = [json.dumps({"id": f"s{n}", "text": f"Zeile {n} 東京"}, ensure_ascii=False) for n in range(600)]
    lines[10], lines[20], lines[30] = "no json", '{"id": "x"}', '{"id": "y", "text": "z", "other": 1}'
    lines.insert(40, "")
    answer = filled("POST", "/v1/collections/pets/documents?wait=searchable", "\n".join(lines).encode(), LINES).json
    assert (answer["added"], answer["failed"], answer["errors"]) == (597, 3, True)
    failed = [(each["line"], each["error"]["code"]) for each in answer["items"]]
    assert failed == [(11, "invalid_json"), (21, "invalid_document"), (31, "invalid_document")]
    assert filled("GET", "/v1/collections/pets").json["documents"] == len(DOCUMENTS) + 597


def test_putting_a_document_again_changes_nothing(filled: Asking) -> None:
    answer = filled.put("pets", *DOCUMENTS).json
    assert (answer["added"], answer["changed"], answer["unchanged"]) == (0, 0, len(DOCUMENTS))


def test_a_job_is_followed_to_its_end(filled: Asking) -> None:
    job = filled("POST", "/v1/collections/pets/optimize").json["job"]
    events = filled("GET", f"/v1/jobs/{job}/events")
    assert events.headers["content-type"].startswith("text/event-stream")
    last = events.body.decode().strip().split("\n\n")[-1].split("\n")
    assert last[0] == "event: done"
    assert json.loads(last[1].removeprefix("data: "))["job"] == job
    assert filled("GET", f"/v1/jobs/{job}").json["state"] == "done"
    assert job in {each["job"] for each in filled("GET", "/v1/jobs").json["jobs"]}


def test_collections_are_listed_described_and_deleted(filled: Asking) -> None:
    (listed,) = filled("GET", "/v1/collections").json["collections"]
    assert (listed["collection"], listed["documents"], listed["encoder"]) == ("pets", len(DOCUMENTS), "hashing")
    status = filled("GET", "/v1/collections/pets").json
    assert (status["documents"], status["pending"]) == (len(DOCUMENTS), 0)
    assert "folder" in {each["name"] for each in status["fields"]}
    assert filled("POST", "/v1/collections", {"name": "pets"}).code == "already_exists"
    assert filled("DELETE", "/v1/collections/pets").json == {"deleted": "pets"}
    assert filled("GET", "/v1/collections").json == {"collections": []}
    assert filled.search("pets", query="Katze").code == "not_found"


@pytest.mark.parametrize("name", ["", "..", "Pets", "a/b", "a" * 64, "-a", "ペット", "CON ", "a\n"])
def test_a_name_that_is_none_makes_no_collection(ask: Asking, name: str) -> None:
    assert ask("POST", "/v1/collections", {"name": name}).code == "invalid_request"
    assert ask("GET", "/v1/collections").json == {"collections": []}


def test_what_another_process_wrote_is_found_by_the_next_search(filled: Asking, tmp_path: Path) -> None:
    filled.search("pets", query="Papagei", mode="lexical")
    time.sleep(2.5)  # the server gives the lock back when it has nothing to write
    with Collection.open("pets", home=tmp_path / "home") as collection:
        collection.add([Document("new", "Der Papagei spricht.")])
    (hit,) = filled.search("pets", query="Papagei", mode="lexical").json["hits"]
    assert hit["document_id"] == "new"


def test_who_writes_elsewhere_is_not_disturbed(filled: Asking, tmp_path: Path) -> None:
    time.sleep(2.5)
    with Collection.open("pets", home=tmp_path / "home") as collection:
        collection.add([Document("new", "Der Papagei spricht.")])
        answer = filled.put("pets", {"id": "late", "text": "zu spät"})
        assert (answer.status, answer.code) == (409, "index_locked")
        assert filled.search("pets", query="Papagei").status == 200


def test_a_rebuilt_collection_is_opened_anew(filled: Asking, tmp_path: Path) -> None:
    assert filled.search("pets", query="Katze").status == 200
    time.sleep(2.5)
    with Collection.open("pets", home=tmp_path / "home") as collection:
        collection.rebuild("nano")
    first = filled.search("pets", query="Katze", k=1)
    again = first if first.status == 200 else filled.search("pets", query="Katze", k=1)
    assert again.json["hits"][0]["document_id"] == "emoji/🐈‍⬛"


def test_what_an_earlier_server_left_is_encoded(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Collection.open("pets", create=True, encoder="hashing", home=home) as collection:
        collection.put([Document("a", "Der Papagei spricht.")])
    with served(home) as ask:
        for job in ask("GET", "/v1/jobs").json["jobs"]:
            ask("GET", f"/v1/jobs/{job['job']}/events")
        assert ask("GET", "/v1/collections/pets").json["pending"] == 0
        assert ask.search("pets", query="Papagei", k=1).json["hits"][0]["document_id"] == "a"


def test_metrics_name_what_was_done(filled: Asking) -> None:
    filled.search("pets", query="Katze")
    filled.search("nothing", query="Katze")
    exposed = filled("GET", "/metrics").body.decode()
    assert 'lfm2_colbert_search_seconds_count{collection="pets",stage="encode"} 1.0' in exposed
    assert 'lfm2_colbert_errors_total{code="not_found"} 1.0' in exposed
    assert f'lfm2_colbert_index_chunks{{collection="pets"}} {len(DOCUMENTS)}.0' in exposed


def test_every_example_of_the_description_is_answered(filled: Asking) -> None:
    description = filled("GET", "/openapi.json").json
    asked = 0
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            for example in description["components"]["schemas"].get(name, {}).get("examples", []):
                answer = filled(method.upper(), path.replace("{name}", "pets"), example)
                assert answer.status < 300, (path, answer.body)
                asked += 1
    assert asked >= 5


def parts_of_bodies(description: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All that the description says of bodies, components in it once each."""
    operations = [each for path in description["paths"].values() for each in path.values()]
    waiting: list[Any] = [each.get("requestBody", {}) for each in operations]
    components = dict(description["components"]["schemas"])
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            yield part
            waiting += [*part.values(), components.pop(str(part.get("$ref")).rpartition("/")[2], None)]


def test_the_description_bounds_every_name_that_a_client_may_choose(ask: Asking) -> None:
    parts = parts_of_bodies(ask("GET", "/openapi.json").json)
    free = [part for part in parts if part.get("type") == "object" and part.get("additionalProperties") is not False]
    assert len(free) >= 10
    for part in free:
        assert part["propertyNames"] == {"maxLength": MAX_NAME_CHARACTERS}, part
        assert part["additionalProperties"] in ({"type": "string"}, {"$ref": "#/components/schemas/AnyJson"})


@pytest.mark.parametrize("inner", [{}, {"und": [{}]}])
def test_a_name_as_long_as_described_is_not_refused_for_its_length(filled: Asking, inner: dict[str, Any]) -> None:
    name = "名" * MAX_NAME_CHARACTERS
    assert filled.search("pets", query="Katze", where={name: inner}).json["code"] == "invalid_filter"
    refused = filled.search("pets", query="Katze", where={"a": [{name + "名": inner}]})
    assert (refused.status, refused.json["code"]) == (400, "json_too_complex")


def test_token_vectors_are_those_of_the_encoder(ask: Asking) -> None:
    text = "東京は日本の首都です。"
    answer = ask("POST", "/v1/embeddings/multi", {"input": [text], "kind": "query"}).json
    encoder = load_encoder("hashing")
    np.testing.assert_allclose(answer["data"][0]["vectors"], encoder.encode_queries([text])[0], atol=1e-6)
    assert answer["data"][0]["spans"] == encoder.query_spans(text).tolist()
    assert answer["warnings"] == []


def test_a_text_that_is_not_read_to_its_end_is_named(ask: Asking) -> None:
    encoder = load_encoder("hashing")
    most = encoder.max_document_tokens
    texts = ["Hund", "犬 " * (most + 5)]
    answer = ask("POST", "/v1/embeddings/multi", {"input": texts, "kind": "document"}).json
    assert [len(each["vectors"]) for each in answer["data"]] == list(map(len, encoder.encode_documents(texts)))
    message = f"text 1 has {most + 5:,} tokens; the encoder reads {most:,} of them"
    assert answer["warnings"] == [{"code": "text_cut", "message": message}]


@pytest.mark.parametrize(
    "place",
    [
        {"page": "1"}, {"page": 0}, {"page": True}, {"box": [1, 2, 3, 4]}, {"page": 1, "box": [1, 2, 3]},
        {"page": 1, "box": ["a", 2, 3, 4]}, {"heading": "A"}, {"heading": []}, {"cell": 5}, {"line": "x"},
        {"slide": 2.5}, {"where": "here"},
    ],
)  # fmt: skip
def test_a_place_that_is_none_is_refused_before_a_search_can_meet_it(ask: Asking, place: dict[str, Any]) -> None:
    assert ask("POST", "/v1/collections", {"name": "pets"}).status == 201
    document = {"id": "placed", "text": "Der Uhu ruft 🦉.", "anchors": [{"start": 0, "place": place}]}
    lines = json.dumps(document).encode()
    for answer in (
        ask("POST", "/v1/collections/pets/documents?wait=searchable", {"documents": [document]}),
        ask("POST", "/v1/collections/pets/documents?wait=searchable", lines, {"content-type": "application/x-ndjson"}),
    ):
        assert answer.status == 207
        assert answer.json["items"][0]["error"]["code"] == "invalid_argument"
    assert ask("POST", "/v1/collections/pets/search", {"query": "Uhu"}).status == 200


def test_places_come_back_with_hits(ask: Asking) -> None:
    assert ask("POST", "/v1/collections", {"name": "pets"}).status == 201
    place = {"page": 3, "box": [72.0, 500, 300, 520], "heading": ["動物", "Vögel"]}
    document = {"id": "placed", "text": "Der Uhu ruft 🦉.", "anchors": [{"start": 0, "place": place}]}
    assert ask("POST", "/v1/collections/pets/documents?wait=searchable", {"documents": [document]}).status == 200
    hits = ask("POST", "/v1/collections/pets/search", {"query": "Uhu", "k": 1}).json["hits"]
    assert [(hit["document_id"], hit["anchor"]) for hit in hits] == [("placed", place)]
