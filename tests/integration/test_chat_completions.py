"""OpenAI's own client chats with a collection: whole, in chunks, and refused as its own errors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from benchmarks.serving.language_model import DIE, scripted
from benchmarks.serving.server import Asking, served
from index import Collection, Document
from lfm2_colbert import load_encoder
from service.http.config import ServerConfig
from service.keys import Keyring, Role
from service.rag.generators.choosing import Choice

TEXT = "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage. Die Katze darf mit ins Büro."
QUESTION: Any = [{"role": "user", "content": "Wie viele Urlaubstage haben Mitarbeiter?"}]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    for name in ("pets", "plants"):
        with Collection.open(name, create=True, encoder=load_encoder("nano"), home=folder) as collection:
            collection.add(
                [Document("de/urlaub.md", TEXT), Document("ja", "犬は走る。", {"url": "https://intranet.example/inu"})]
            )
    return folder


@pytest.fixture(scope="module")
def token(home: Path) -> str:
    return Keyring(home).create("chat", Role.READ, ["pets"])[1]


@pytest.fixture(scope="module")
def ask(home: Path, token: str) -> Iterator[Asking]:
    with served(home, model="nano") as asking:
        yield asking


def client_of(ask: Asking, token: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{ask.url}/v1", api_key=token, max_retries=0)


def test_collections_that_the_key_may_see_are_models(ask: Asking, token: str) -> None:
    with client_of(ask, token) as client:
        assert [model.id for model in client.models.list()] == ["pets"]


def test_an_answer_bears_its_citations_as_annotations(ask: Asking, token: str) -> None:
    with client_of(ask, token) as client:
        message = client.chat.completions.create(model="pets", messages=QUESTION, temperature=1).choices[0].message
    assert message.content
    assert message.annotations
    cited = message.annotations[0].url_citation
    assert message.content[cited.start_index : cited.end_index] == TEXT.split(". ")[0] + "."
    assert (cited.title, cited.url) == (
        "de/urlaub.md", f"{ask.url}/v1/collections/pets/documents/de/urlaub.md",
    )  # fmt: skip
    assert ask.by(token)("GET", cited.url.removeprefix(ask.url)).json["text"] == TEXT


def test_a_document_from_the_web_is_cited_by_its_own_address(ask: Asking, token: str) -> None:
    with client_of(ask, token) as client:
        message = (
            client.chat.completions.create(model="pets", messages=[{"role": "user", "content": "犬は何をする？"}])
            .choices[0]
            .message
        )
    assert message.annotations
    assert message.annotations[0].url_citation.url == "https://intranet.example/inu"


def test_chunks_make_up_the_same_answer(ask: Asking, token: str) -> None:
    with client_of(ask, token) as client:
        whole = client.chat.completions.create(model="pets", messages=QUESTION).choices[0].message
        chunks = list(client.chat.completions.create(model="pets", messages=QUESTION, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert whole.annotations
    annotations: Any = chunks[-2].choices[0].delta.model_extra
    assert annotations["annotations"] == [each.model_dump() for each in whole.annotations]


def test_a_foreign_collection_is_no_model(ask: Asking, token: str) -> None:
    with client_of(ask, token) as client:
        for name in ("plants", "nothing"):
            with pytest.raises(openai.NotFoundError):
                client.chat.completions.create(model=name, messages=QUESTION)
        with pytest.raises(openai.UnprocessableEntityError):
            client.chat.completions.create(model="pets", messages=[{"role": "assistant", "content": "x"}])


def test_what_no_passage_says_is_marked_and_a_model_that_dies_is_an_error(home: Path, token: str) -> None:
    written = ["24 Urlaubstage haben Mitarbeiter im ersten Jahr. ", "Paris liegt in Frankreich."]
    with scripted(lambda body: written) as model:
        config = ServerConfig(port=0, llm=Choice(model.url))
        with served(home, config, model="nano") as ask, client_of(ask, token) as client:
            content = client.chat.completions.create(model="pets", messages=QUESTION).choices[0].message.content
            assert content == "".join(written) + "\n\n⚠ “Paris liegt in Frankreich.”"
            written[1] = DIE
            with pytest.raises(openai.APIError, match="broke off"):
                list(client.chat.completions.create(model="pets", messages=QUESTION, stream=True))
