"""The vendors' own clients against our server: what they call works unmodified, and what they read is true."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import cohere
import openai
import pytest
from cohere.core.api_error import ApiError

from benchmarks.serving.server import Asking, served
from index import Collection, Document
from lfm2_colbert import load_encoder
from service.http.config import Limits, ServerConfig
from service.keys import Keyring, Role

TEXTS = {
    "de/urlaub.md": "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage. Die Katze darf mit.",
    "ar/عطلة": "يحصل الموظفون الجدد على أربعة وعشرين يوما من الإجازة.",
    "ja/休暇 1%.txt": "新入社員は初年度に二十四日の休暇を取得できます。",
    "ko/휴가": "신입 사원은 첫 해에 24일의 휴가를 받습니다.",
    "th/วันหยุด": "พนักงานใหม่ได้รับวันหยุดพักร้อนยี่สิบสี่วันในปีแรก",
    "emoji/🐈‍⬛": "Auf dem Sofa 🐈‍⬛ schnurrt es im Café.",
}
TRUTHS = [
    ("Urlaubstage", "de/urlaub.md"),
    ("الإجازة", "ar/عطلة"),
    ("休暇", "ja/休暇 1%.txt"),
    ("휴가를", "ko/휴가"),
    ("วันหยุดพักร้อน", "th/วันหยุด"),
    ("🐈‍⬛", "emoji/🐈‍⬛"),
]
SOURCE = "https://intranet.example/urlaub?jahr=1"


@dataclass(frozen=True)
class Served:
    """A server of two collections, and keys: one that sees both, one that sees one of them."""

    ask: Asking
    everything: str
    pets_only: str
    opened: ExitStack

    def openai_by(self, key: str = "") -> openai.OpenAI:
        made = openai.OpenAI(base_url=f"{self.ask.url}/v1", api_key=key or self.everything, max_retries=0)
        return self.opened.enter_context(made)

    def cohere_by(self, key: str = "") -> cohere.ClientV2:
        return self.opened.enter_context(cohere.ClientV2(key or self.everything, base_url=self.ask.url))

    def first_cohere(self) -> cohere.Client:
        return self.opened.enter_context(cohere.Client(self.everything, base_url=self.ask.url))

    def post(self, path: str, body: Any, key: str = "") -> Any:
        return self.ask.by(key or self.everything)("POST", path, body)


def metadata_of(place: int, document_id: str) -> dict[str, Any]:
    more = {f"extra{n:02}": n for n in range(20)} if document_id.startswith("th") else {}
    page = {"url": SOURCE, "title": "Urlaub"} if document_id.startswith("de") else {"source": "file:///etc/passwd"}
    return {"year": 2020 + place, "folder": document_id.split("/")[0], "tags": ["a", "b"], "note": None, **page, **more}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("dialects")
    texts = [Document(key, text, metadata_of(n, key)) for n, (key, text) in enumerate(TEXTS.items())]
    for name, documents in (
        ("pets", texts),
        ("secret", [Document("plan", "Die Katze plant den Urlaubstage-Umsturz.")]),
    ):
        with Collection.open(name, create=True, encoder=load_encoder("hashing"), home=home) as collection:
            collection.add(documents)
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Served]:
    keyring = Keyring(home)
    everything = keyring.create("all", Role.READ)[1]
    pets_only = keyring.create("pets", Role.READ, ["pets"])[1]
    with served(home, ServerConfig(port=0, web_search="pets")) as ask, ExitStack() as opened:
        yield Served(ask, everything, pets_only, opened)


# OpenAI


@pytest.mark.parametrize(("query", "expected"), TRUTHS)
def test_openai_finds_the_file_that_answers(server: Served, query: str, expected: str) -> None:
    page = server.openai_by().vector_stores.search("pets", query=query, max_num_results=1)
    (found,) = page.data
    assert (page.object, page.model_extra) == (
        "vector_store.search_results.page",
        {"search_query": [query], "has_more": False, "next_page": None},
    )
    assert (found.file_id, found.filename) == (expected, expected.rpartition("/")[2])
    assert [(content.type, content.text) for content in found.content] == [("text", TEXTS[expected])]
    assert 0 < found.score <= 1


def test_openai_counts_a_file_by_the_query_that_it_answers_best(server: Served) -> None:
    search = server.openai_by().vector_stores.search
    alone = {query: search("pets", query=query).data for query in ("휴가를", "休暇")}
    best: dict[str, float] = {}
    for found in (each for data in alone.values() for each in data):
        best[found.file_id] = max(found.score, best.get(found.file_id, 0.0))
    joined = search("pets", query=list(alone), max_num_results=50).data
    assert {found.file_id: pytest.approx(found.score) for found in joined} == best
    assert {found.file_id for found in joined[:2]} == {"ko/휴가", "ja/休暇 1%.txt"}
    assert [found.score for found in joined] == sorted((found.score for found in joined), reverse=True)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"type": "eq", "key": "folder", "value": "ko"}, {"ko/휴가"}),
        ({"type": "gte", "key": "year", "value": 2024}, {"th/วันหยุด", "emoji/🐈‍⬛"}),
        ({"type": "in", "key": "folder", "value": ["ar", "ja"]}, {"ar/عطلة", "ja/休暇 1%.txt"}),
        ({"type": "nin", "key": "folder", "value": ["ar", "ja", "ko", "th", "emoji"]}, {"de/urlaub.md"}),
        (
            {
                "type": "and",
                "filters": [
                    {"type": "lt", "key": "year", "value": 2022},
                    {
                        "type": "or",
                        "filters": [
                            {"type": "eq", "key": "folder", "value": "ar"},
                            {"type": "ne", "key": "title", "value": "Urlaub"},
                        ],
                    },
                ],
            },
            {"ar/عطلة"},
        ),
    ],
)
def test_openai_filters_narrow_what_is_found(server: Served, filters: Any, expected: set[str]) -> None:
    found = server.openai_by().vector_stores.search("pets", query="Urlaubstage", filters=filters, max_num_results=50)
    assert {each.file_id for each in found.data} == expected


def test_openai_options_of_ranking_are_taken_and_the_threshold_holds(server: Served) -> None:
    search = server.openai_by().vector_stores.search
    scores = [found.score for found in search("pets", query="Urlaubstage").data]
    least = scores[0]
    options: Any = {"ranker": "auto", "score_threshold": least}
    found = search("pets", query="Urlaubstage", rewrite_query=True, ranking_options=options).data
    assert [each.score for each in found] == [score for score in scores if score >= least]
    assert len(found) < len(scores)


def test_openai_attributes_keep_their_bounds(server: Served) -> None:
    search = server.openai_by().vector_stores.search
    (found,) = search("pets", query="วันหยุดพักร้อน", max_num_results=1).data
    assert found.attributes is not None
    assert found.attributes == {f"extra{n:02}": n for n in range(16)}
    (other,) = search("pets", query="휴가를", max_num_results=1).data
    assert other.attributes == {"year": 2023, "folder": "ko", "source": "file:///etc/passwd"}


def test_openai_lists_stores_page_by_page(server: Served) -> None:
    client = server.openai_by()
    assert {store.id for store in client.vector_stores.list()} == {"pets", "secret"}
    assert {store.id for store in client.vector_stores.list(limit=1)} == {"pets", "secret"}
    first = client.vector_stores.list(limit=1, order="asc")
    second = first.get_next_page()
    assert first.has_more
    assert not second.has_more
    (before,) = client.vector_stores.list(before=second.data[0].id, order="asc").data
    assert before.id == first.data[0].id


def test_openai_retrieves_a_store(server: Served) -> None:
    store = server.openai_by().vector_stores.retrieve("pets")
    assert (store.id, store.name, store.object, store.status) == ("pets", "pets", "vector_store", "completed")
    counts = store.file_counts
    assert (counts.completed, counts.in_progress, counts.failed, counts.total) == (len(TEXTS), 0, 0, len(TEXTS))
    assert store.usage_bytes > 0
    assert abs(store.created_at - datetime.now(UTC).timestamp()) < 3600


def test_openai_raises_its_own_errors(server: Served) -> None:
    with pytest.raises(openai.AuthenticationError) as wrong:
        server.openai_by("lfm2_colbert_wrong").vector_stores.list()
    assert wrong.value.code == "unauthenticated"
    search = server.openai_by().vector_stores.search
    with pytest.raises(openai.NotFoundError) as unknown:
        search("nowhere", query="Katze")
    assert unknown.value.code == "not_found"
    with pytest.raises(openai.UnprocessableEntityError) as filtered:
        search("pets", query="Katze", filters={"type": "eq", "key": "colour", "value": "tabby"})
    assert filtered.value.code == "invalid_filter"
    assert "tabby" not in str(filtered.value)
    with pytest.raises(openai.UnprocessableEntityError):
        search("pets", query="Katze", max_num_results=51)
    with pytest.raises(openai.NotFoundError):
        server.openai_by().vector_stores.list(after="nowhere")


def test_openai_sees_what_the_key_may_see(server: Served) -> None:
    client = server.openai_by(server.pets_only)
    assert [store.id for store in client.vector_stores.list()] == ["pets"]
    for call in (client.vector_stores.retrieve, lambda name: client.vector_stores.search(name, query="Katze")):
        with pytest.raises(openai.NotFoundError):
            call("secret")
    with pytest.raises(openai.NotFoundError):
        client.vector_stores.list(after="secret")


# Cohere, Jina


@pytest.mark.parametrize(("query", "expected"), TRUTHS)
def test_cohere_ranks_first_what_answers(server: Served, query: str, expected: str) -> None:
    answer = server.cohere_by().rerank(model="rerank-v4.0-pro", query=query, documents=list(TEXTS.values()), top_n=2)
    assert list(TEXTS)[answer.results[0].index] == expected
    assert len(answer.results) == 2
    assert 1 >= answer.results[0].relevance_score >= answer.results[1].relevance_score >= 0
    assert answer.id
    assert answer.meta is not None
    assert answer.meta.api_version is not None
    assert answer.meta.api_version.version == "2"


@pytest.mark.parametrize(
    ("query", "text", "words"),
    [
        ("Katze Sofa", "Auf dem 🐈‍⬛ Sofa schläft die Katze.", {"Sofa", "Katze"}),
        ("🐈‍⬛", "Auf dem Sofa 🐈‍⬛ schnurrt es.", {"🐈‍⬛"}),
        ("الإجازة", "يحصل الموظفون على الإجازة", {"الإجازة"}),
    ],
)
def test_cohere_spans_cut_the_words_out_of_the_text(server: Served, query: str, text: str, words: set[str]) -> None:
    spans = cohere.RerankRelevantSpans(mode="enabled", threshold=0.5)
    documents = ["Nichts davon.", text]
    answer = server.cohere_by().rerank(model="x", query=query, documents=documents, relevant_spans=spans)
    best, worst = answer.results
    assert best.relevant_spans is not None
    assert {text[span.start : span.end] for span in best.relevant_spans} == words
    assert [span.score for span in best.relevant_spans] == sorted(
        (span.score for span in best.relevant_spans), reverse=True
    )
    assert worst.relevant_spans is None


def test_cohere_spans_are_bounded_and_only_given_where_asked_for(server: Served) -> None:
    rerank, documents = server.cohere_by().rerank, ["Die Katze schläft, der Hund bellt, ein Vogel singt."]
    asked = {"model": "x", "query": "Katze Hund Vogel", "documents": documents}
    (all_spans,) = rerank(**asked, relevant_spans=cohere.RerankRelevantSpans(mode="enabled")).results
    (two_spans,) = rerank(**asked, relevant_spans=cohere.RerankRelevantSpans(mode="enabled", max_spans=2)).results
    (none,) = rerank(**asked, relevant_spans=cohere.RerankRelevantSpans(mode="disabled")).results
    assert two_spans.relevant_spans == (all_spans.relevant_spans or [])[:2]
    assert len(all_spans.relevant_spans or []) == 3
    assert none.relevant_spans is None


def test_cohere_reads_so_many_tokens_of_a_text_as_it_is_told(server: Served) -> None:
    documents = ["Der Hund schläft. " * 20 + "Katze", "Die Katze schläft."]
    whole = server.cohere_by().rerank(model="x", query="Katze", documents=documents)
    cut = server.cohere_by().rerank(model="x", query="Katze", documents=documents, max_tokens_per_doc=8)
    assert {result.index: result.relevance_score for result in whole.results}[0] == pytest.approx(1, abs=0.01)
    assert {result.index: result.relevance_score for result in cut.results}[0] < 0.9
    assert cut.results[0].index == 1


def test_the_first_version_of_cohere_ranks_objects(server: Served) -> None:
    client = server.first_cohere()
    documents: Any = ["Ein Hund bellt.", {"text": "Die Katze schläft.", "title": "Tiere"}]
    answer = client.rerank(model="rerank-v3.5", query="Katze", documents=documents, return_documents=True)
    assert [result.index for result in answer.results] == [1, 0]
    texts = [result.document.text for result in answer.results if result.document]
    assert texts == ["Die Katze schläft.", "Ein Hund bellt."]
    by_title = client.rerank(query="Tiere", documents=[{"text": "a", "title": "Tiere"}], rank_fields=["title"])
    assert by_title.results[0].relevance_score == pytest.approx(1, abs=0.01)
    assert by_title.results[0].document is None


def test_jina_and_open_webui_read_their_shape(server: Served) -> None:
    body = {"model": "jina-reranker-v3", "query": "休暇", "documents": list(TEXTS.values()), "top_n": 3}
    answer = server.post("/v1/rerank", body).json
    assert [result.keys() for result in answer["results"]] == [{"index", "relevance_score"}] * 3
    assert list(TEXTS)[answer["results"][0]["index"]] == "ja/休暇 1%.txt"
    assert answer["model"] == "hashing"
    encoder = load_encoder("hashing")
    assert answer["usage"]["total_tokens"] == sum(map(len, encoder.token_spans(["休暇", *TEXTS.values()])))


def test_open_webui_gives_each_of_its_texts_the_score_of_the_same_place(server: Served) -> None:
    documents = [*TEXTS.values(), ""]
    body = {"model": "any", "query": "휴가를", "documents": documents, "top_n": len(documents)}
    results = sorted(server.post("/v1/rerank", body).json["results"], key=lambda result: result["index"])
    scores = [result["relevance_score"] for result in results]
    assert len(scores) == len(documents)
    assert list(TEXTS)[scores.index(max(scores))] == "ko/휴가"
    assert scores[-1] == 0


def test_cohere_raises_its_own_errors(server: Served) -> None:
    with pytest.raises(cohere.UnauthorizedError):
        server.cohere_by("lfm2_colbert_wrong").rerank(model="x", query="Katze", documents=["Katze"])
    for wrong in ({"documents": []}, {"top_n": 0}, {"query": ""}):
        with pytest.raises(cohere.UnprocessableEntityError):
            server.cohere_by().rerank(**{"model": "x", "query": "Katze", "documents": ["Katze"], **wrong})
    with pytest.raises(ApiError) as lacking:
        server.first_cohere().rerank(query="a", documents=[{"title": "geheim"}])
    assert "geheim" not in str(lacking.value.body)
    assert server.post("/v2/rerank", {"query": "a", "documents": ["a"], "colour": 1}).code == "invalid_request"


def test_a_reranking_that_nobody_waits_for_makes_room_for_searches(home: Path) -> None:
    body = {"query": "Katze", "documents": [f"Katze {n} schläft. " * 1000 for n in range(1000)]}
    config = ServerConfig(port=0, limits=Limits(deadline_seconds=1.0))
    with served(home, config) as ask:
        ask = ask.by(Keyring(home).create("waiting", Role.READ)[1])
        for _ in range(2):  # as many as there are threads that search
            assert ask("POST", "/v2/rerank", body).code == "deadline_exceeded"
        assert ask.search("pets", query="Katze").status == 200


# Open WebUI


@pytest.mark.parametrize(("query", "expected"), TRUTHS)
def test_open_webui_searches_the_web_here(server: Served, query: str, expected: str) -> None:
    (page,) = server.post("/integrations/openwebui/search", {"query": query, "count": 1}).json
    assert page.keys() == {"link", "title", "snippet"}
    assert page["snippet"] == TEXTS[expected]
    if expected == "de/urlaub.md":
        assert (page["link"], page["title"]) == (SOURCE, "Urlaub")
        return
    assert page["title"] == expected
    assert unquote(page["link"]) == f"{server.ask.url}/v1/collections/pets/documents/{expected}"
    document = server.ask.by(server.everything)("GET", urlsplit(page["link"]).path).json
    assert (document["document_id"], document["text"]) == (expected, TEXTS[expected])


def test_open_webui_needs_a_key_that_sees_the_collection(server: Served, home: Path) -> None:
    path, body = "/integrations/openwebui/search", {"query": "Katze", "count": 3}
    assert server.ask("POST", path, body).code == "unauthenticated"
    assert server.post(path, body, server.pets_only).status == 200
    blind = Keyring(home).create("blind", Role.READ, ["secret"])[1]
    assert server.post(path, body, blind).code == "not_found"


def test_open_webui_is_told_when_no_collection_answers(ask: Asking) -> None:
    answer = ask("POST", "/integrations/openwebui/search", {"query": "Katze", "count": 3})
    assert (answer.status, answer.code) == (409, "not_configured")
    assert "--web-search" in answer.json["hint"]
