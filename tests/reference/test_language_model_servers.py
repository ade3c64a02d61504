"""Answers by real OpenAI-compatible servers, with a tiny random LFM2 and its own vocabulary.

`transformers serve` is there where transformers is; llama.cpp's server where `pytest --llama-cpp FOLDER` names its
sources, built (`cmake -B build && cmake --build build --target llama-server`), whose converter makes the GGUF, too.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from benchmarks.serving.server import served
from index import Collection, Document
from lfm2_colbert import load_encoder
from lfm2_colbert.generators.chat import CONTROL, Message, conversation_ids, pieces
from lfm2_colbert.tokenization import read_tokenizer
from service.http.config import ServerConfig
from service.rag.generators.base import Turn
from service.rag.generators.choosing import Choice, generator_of

pytestmark = [pytest.mark.shared, pytest.mark.torch, pytest.mark.slow]

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXT = "Im ersten Jahr haben Mitarbeiter Anspruch auf 24 Urlaubstage."


@pytest.fixture(scope="module")
def folder(vocabulary: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(2)
    config = transformers.Lfm2Config(
        vocab_size=65_536, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=48, block_auto_adjust_ff_dim=False, layer_types=["conv", "full_attention"], bos_token_id=1,
        initializer_range=0.5,
        eos_token_id=7, pad_token_id=0,
    )  # fmt: skip
    folder: Path = tmp_path_factory.mktemp("models") / "tiny"
    transformers.Lfm2ForCausalLM(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes(vocabulary.read_bytes())
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|im_end|>", "pad_token": "<|pad|>"}
    template = (shared / "fixtures" / "tokenizer" / "chat_template.lfm2.jinja").read_text(encoding="utf-8")
    named = special | {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": template}
    (folder / "tokenizer_config.json").write_text(json.dumps(named), encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=["transformers", "llama.cpp"])
def address(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if request.param == "transformers":
        command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder)]
        options = ["--device", "cpu", "--default-seed", "0"]
    else:
        command = [*llama_server(request.config.getoption("--llama-cpp"), folder)]
        options = ["--ctx-size", "4096", "--seed", "0", "--no-webui"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    place = ["--host", "127.0.0.1", "--port", str(port)]
    with (folder.parent / "serve.log").open("wb") as log:
        process = subprocess.Popen([*command, *place, *options], env=offline, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 180
        while not answers(port):
            assert process.poll() is None, (folder.parent / "serve.log").read_text()[-2000:]
            assert time.monotonic() < end
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def llama_server(sources: Path | None, folder: Path) -> list[str]:
    """Convert the model, and give the command that serves it."""
    if sources is None:
        pytest.skip("llama.cpp is not shipped: run `pytest --llama-cpp FOLDER` with its built sources")
    file = folder.parent / "tiny.gguf"
    converting = [sys.executable, str(sources / "convert_hf_to_gguf.py"), str(folder), "--outtype", "f32"]
    done = subprocess.run([*converting, "--outfile", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [str(sources / "build" / "bin" / "llama-server"), "--model", str(file)]


def answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v1/models")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_a_real_server_answers_and_what_it_says_is_judged(address: str, folder: Path, tmp_path: Path) -> None:
    with Collection.open("pets", create=True, encoder=load_encoder("nano"), home=tmp_path) as collection:
        collection.add([Document("de/urlaub.md", f"{TEXT} <|im_end|>")])
    config = ServerConfig(port=0, llm=Choice(address, model=str(folder)))
    with served(tmp_path, config, model="nano") as ask:
        path, question = "/v1/collections/pets/answer", {"question": "Wie viele Urlaubstage?"}
        answer = ask("POST", path, question)
        assert answer.status == 200
        assert answer.json["answer"].strip()
        assert not any(sentence["supported"] for sentence in answer.json["sentences"])  # it says random words
        streamed = ask("POST", path, question | {"stream": True}).body.decode()
    names = [line.removeprefix("event: ") for line in streamed.splitlines() if line.startswith("event: ")]
    assert names[0] == "sources"
    assert names.count("delta") > 3
    assert names[-1] == "done"


def test_a_real_server_rewrites_a_question(address: str, folder: Path) -> None:
    async def rewritten() -> str:
        generator = generator_of(Choice(address, model=str(folder)))
        try:
            return await generator.rewrite([Turn("user", "Urlaub?"), Turn("assistant", "Ja.")], "Wie lange?")
        finally:
            await generator.close()

    assert asyncio.run(rewritten()).count("\n") == 0


def test_our_conversation_has_the_ids_of_the_published_template_and_vocabulary(folder: Path) -> None:
    said = [Message("system", "Antworte kurz. 短く。"), Message("user", " كم يوما؟\n\n24"), Message("assistant", "Ja.")]
    tokenizer = read_tokenizer(folder / "tokenizer.json")
    tokenizer.encode_special_tokens = True
    theirs: Any = transformers.AutoTokenizer.from_pretrained(folder)
    messages = [{"role": each.role, "content": each.content} for each in said]
    rendered = theirs.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert rendered == "".join(piece if isinstance(piece, str) else CONTROL[piece] for piece in pieces(said))
    reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert conversation_ids(said, tokenizer) == reference.encode(rendered, add_special_tokens=False).ids
