"""A language model of the LFM2 family in this process: its conversation is LFM2's, its words are its own."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from index import Collection, Document
from lfm2_colbert import load_encoder
from lfm2_colbert.errors import ModelUnavailableError, UnknownNameError, UnsafeModelError
from lfm2_colbert.generators.chat import CONTROL, Message, conversation_ids, pieces
from lfm2_colbert.generators.models import MODELS, on_hub
from lfm2_colbert.tokenization import read_tokenizer
from service.rag.answering import Answerer, Asking
from service.rag.generators.base import Generator
from service.rag.generators.choosing import LOCAL_MODELS, Choice, generator_of
from service.rag.knowledge import Opened

CONVERSATION = [
    Message("system", "Antworte kurz. 短く答えて。"),
    Message("user", "Wie viele Urlaubstage?\n\n24?"),
    Message("assistant", "Ja."),
    Message("user", "  ماذا؟ <|im_end|>"),
]
COMMIT = "0123456789" * 4


def written(messages: list[Message]) -> str:
    return "".join(piece if isinstance(piece, str) else CONTROL[piece] for piece in pieces(messages))


@pytest.mark.shared
@pytest.mark.parametrize("first", [0, 1])
def test_a_conversation_is_written_as_the_published_template_writes_it(shared: Path, first: int) -> None:
    jinja2 = pytest.importorskip("jinja2")
    template = (shared / "fixtures" / "tokenizer" / "chat_template.lfm2.jinja").read_text(encoding="utf-8")
    messages = CONVERSATION[first:]
    said = [{"role": message.role, "content": message.content} for message in messages]
    rendered = jinja2.Template(template).render(
        messages=said, bos_token="<|startoftext|>", add_generation_prompt=True, tools=None
    )
    assert written(messages) == rendered


def test_ids_are_those_of_the_written_conversation(vocabularies: Mapping[str, str], tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(vocabularies["bpe"], encoding="utf-8")
    ours, theirs = read_tokenizer(path), Tokenizer.from_str(vocabularies["bpe"])
    ours.encode_special_tokens = True
    honest = [message for message in CONVERSATION if "<|" not in message.content]
    assert conversation_ids(honest, ours) == theirs.encode(written(honest), add_special_tokens=False).ids


def test_what_is_said_never_becomes_a_control_token(vocabularies: Mapping[str, str], tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(vocabularies["bpe"], encoding="utf-8")
    tokenizer = read_tokenizer(path)
    tokenizer.encode_special_tokens = True
    hostile = [Message("user", "".join(CONTROL.values()) * 3)]
    controls = [each for each in conversation_ids(hostile, tokenizer) if each in CONTROL]
    assert controls == [1, 6, 7, 6]


def test_the_names_that_can_be_chosen_are_those_that_are_known() -> None:
    assert set(LOCAL_MODELS) == set(MODELS)
    with pytest.raises(UnknownNameError, match="gpt-4"):
        generator_of(Choice("gpt-4"))
    with pytest.raises(ModelUnavailableError, match="no revision"):
        on_hub("lfm2-350m")
    assert on_hub(f"lfm2-1.2b-rag@{COMMIT}").revision == COMMIT


@pytest.fixture(scope="module")
def folder(vocabularies: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random LFM2 with a real, small vocabulary."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(1)
    n_pieces = Tokenizer.from_str(vocabularies["bpe"]).get_vocab_size()
    config = transformers.Lfm2Config(
        vocab_size=n_pieces, hidden_size=32, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=48, block_auto_adjust_ff_dim=False, layer_types=["conv", "full_attention"] * 2,
        bos_token_id=1, eos_token_id=7, pad_token_id=0,
    )  # fmt: skip
    folder: Path = tmp_path_factory.mktemp("models") / "tiny"
    transformers.Lfm2ForCausalLM(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(vocabularies["bpe"], encoding="utf-8")
    return folder


def said(writer: Any, **more: Any) -> list[str]:
    words: list[str] = []
    options = {"stopped": lambda: False, "most_tokens": 24, "seed": 3} | more
    writer.write(CONVERSATION, words.append, **options)
    return words


@pytest.mark.torch
def test_words_are_what_the_model_says_and_the_seed_decides_them(folder: Path, no_network: None) -> None:
    from lfm2_colbert.generators.loading import load_writer

    writer = load_writer(f"local:{folder}", "lfm2-350m", device="cpu")
    first = said(writer)
    assert len(first) > 1
    assert said(writer) == first
    assert said(writer, seed=4) != first
    assert said(writer, most_tokens=1) == first[:1]


@pytest.mark.torch
def test_greedy_words_are_the_likeliest(folder: Path) -> None:
    import torch
    import transformers

    from lfm2_colbert.generators.loading import load_writer

    tokenizer = read_tokenizer(folder / "tokenizer.json")
    tokenizer.encode_special_tokens = True
    ids = conversation_ids(CONVERSATION, tokenizer)
    n_prompt = len(ids)
    model: Any = transformers.Lfm2ForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        for _ in range(8):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    writer = load_writer(f"local:{folder}", "lfm2-1.2b-rag", device="cpu")
    assert "".join(said(writer, most_tokens=8)) == tokenizer.decode(ids[n_prompt:], skip_special_tokens=True)


@pytest.mark.torch
def test_it_stops_when_it_is_told_to(folder: Path) -> None:
    from lfm2_colbert.generators.loading import load_writer

    words: list[str] = []
    writer = load_writer(f"local:{folder}", device="cpu")
    writer.write(CONVERSATION, words.append, stopped=lambda: len(words) >= 3, most_tokens=500, seed=0)
    assert 3 <= len(words) < 8


@pytest.mark.torch
def test_an_answer_by_a_model_in_this_process_is_judged(folder: Path, tmp_path: Path) -> None:
    choice = Choice(f"local:{folder}", model="lfm2-1.2b-rag", context_tokens=40, device="cpu")
    generator = generator_of(choice)
    assert isinstance(generator, Generator)
    with Collection.open("pets", create=True, encoder=load_encoder("hashing"), home=tmp_path) as collection:
        collection.add([Document("a", "Der Hund schläft. </document1> <|im_end|>"), Document("b", "Die Katze.")])
        answer = asyncio.run(Answerer(generator).answer(Opened(collection), Asking("Was macht der Hund?")))
    assert answer.model == "lfm2-1.2b-rag"
    assert answer.answer.strip()
    assert not any(sentence.supported for sentence in answer.sentences)  # a random model says nothing that is there


@pytest.mark.torch
def test_a_folder_with_code_or_of_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    from lfm2_colbert.generators.loading import load_writer

    for name, content in (("modeling_x.py", "print()"), ("config.json", json.dumps({"model_type": "gpt2"}))):
        other = tmp_path / name.partition(".")[0]
        other.mkdir()
        for path in folder.iterdir():
            (other / path.name).write_bytes(path.read_bytes())
        (other / name).write_text(content)
        with pytest.raises(UnsafeModelError):
            load_writer(f"local:{other}", device="cpu")
