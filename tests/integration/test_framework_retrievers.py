"""The retrievers for LangChain, LlamaIndex and Haystack, each run as it stands in an environment of the frameworks."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.serving.server import Asking, serving_process
from index import Collection
from lfm2_colbert import load_encoder
from service.keys import Keyring, Role

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "integrations"
GUIDE = (ROOT / "docs" / "guides" / "integrations.md").read_text(encoding="utf-8")
FRAMEWORKS = ("langchain", "llama_index", "haystack")
PACKAGES = ("langchain-core", "llama-index-core", "haystack-ai", "httpx2", "xxhash")
QUESTION = "How much paid holiday do new employees get?"
TEXT = "Im ersten Jahr haben neue Mitarbeiter 24 Tage bezahlten Urlaub. Resttage verfallen Ende März."
LINE = re.compile(r"(0\.\d\d|1\.00)  (\S+)  (\d+):(\d+)  (.+)")
AWAITED = {
    "langchain": """
from langchain_retriever import CollectionRetriever
found = asyncio.run(CollectionRetriever.of(url, name, key).ainvoke(question, where=where))
said = [[each.id, each.metadata["score"], each.metadata["start"], each.page_content] for each in found]
""",
    "llama_index": """
from llama_index_retriever import CollectionRetriever
found = asyncio.run(CollectionRetriever(url, name, key, where=where).aretrieve(question))
said = [[each.node.ref_doc_id, each.score, each.node.start_char_idx, each.text] for each in found]
""",
    "haystack": """
from haystack import Pipeline
from haystack_retriever import CollectionRetriever
pipeline = Pipeline()
pipeline.add_component("retriever", CollectionRetriever(url, name))
saved = pipeline.dumps()
assert key not in saved and "LFM2_COLBERT_KEY" in saved
found = asyncio.run(pipeline.run_async({"retriever": {"query": question, "where": where}}))["retriever"]["documents"]
said = [[each.id, each.score, each.meta["start"], each.content] for each in found]
""",
}
"""What a framework's own door for awaiting gives: documents' ids, scores, where the passages begin, texts."""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the frameworks and what the client imports, and nothing else."""
    folder = tmp_path_factory.mktemp("frameworks")
    interpreter = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pins = str(ROOT / "constraints" / "integrations.txt")
    pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet", "--constraint", pins]
    installed = subprocess.run([*pip, *PACKAGES], capture_output=True, text=True, check=False)
    if installed.returncode != 0:
        pytest.skip(f"pip cannot fetch the frameworks: {installed.stderr.strip().splitlines()[-1]}")
    return interpreter


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Asking, str]]:
    """The handbook behind a server that wants a key."""
    home = tmp_path_factory.mktemp("home")
    with Collection.open("handbook", create=True, encoder=load_encoder("nano"), home=home) as collection:
        collection.add_files(ROOT / "examples" / "handbook" / "de" / "corpus.jsonl")
    key = Keyring(home).create("frameworks", Role.READ, ["handbook"])[1]
    with serving_process(home, "--quiet", model="nano") as (_, ask):
        yield ask, key


def run(python: Path, key: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    known = {"LFM2_COLBERT_KEY": key, "PYTHONPATH": f"{ROOT}:{EXAMPLES}", "HAYSTACK_TELEMETRY_ENABLED": "False"}
    environment = {**os.environ, **known}
    return subprocess.run([str(python), *arguments], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_right_passage_comes_first_with_its_score_and_span(
    framework: str, python: Path, server: tuple[Asking, str]
) -> None:
    ask, key = server
    ended = run(python, key, str(EXAMPLES / f"{framework}_retriever.py"), ask.url, "handbook", QUESTION)
    assert ended.returncode == 0, ended.stderr
    found = [LINE.fullmatch(line) for line in ended.stdout.splitlines()]
    assert len(found) == 4
    assert all(found)
    scores = [float(each[1]) for each in found if each]
    assert scores == sorted(scores, reverse=True)
    assert found[0]
    assert found[0].groups()[1:] == ("d01", "0", str(len(TEXT)), TEXT)
    shown = LINE.search(GUIDE)
    assert shown
    assert shown.groups()[1:] == found[0].groups()[1:]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_filter_reaches_the_server(framework: str, python: Path, server: tuple[Asking, str]) -> None:
    ask, key = server
    example = str(EXAMPLES / f"{framework}_retriever.py")
    ended = run(python, key, example, ask.url, "handbook", QUESTION, 'id != "d01" and lang = "de"')
    ids = [line.split()[1] for line in ended.stdout.splitlines()]
    assert len(ids) == 4
    assert "d01" not in ids
    refused = run(python, key, example, ask.url, "handbook", QUESTION, "no filter")
    assert "InvalidFilterError" in refused.stderr


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_awaiting_gives_the_same(framework: str, python: Path, server: tuple[Asking, str]) -> None:
    ask, key = server
    where = {"type": "eq", "key": "id", "value": "d01"}
    given = f"import asyncio, json\nurl, name, key, question, where = {ask.url, 'handbook', key, QUESTION, where!r}\n"
    ended = run(python, key, "-c", given + AWAITED[framework] + "print(json.dumps(said))")
    assert ended.returncode == 0, ended.stderr
    ((document_id, score, start, text),) = json.loads(ended.stdout.splitlines()[-1])
    assert (document_id, start, text) == ("d01", 0, TEXT)
    assert 0 < score <= 1


def test_none_of_this_projects_heavy_libraries_is_there(python: Path, server: tuple[Asking, str]) -> None:
    for library in ("onnxruntime", "faiss", "apsw"):
        assert run(python, "", "-c", f"import {library}").returncode != 0
