"""The token contract against published ids: LFM2's own vocabulary, fetched, never shipped (its licence)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer

from lfm2_colbert.checkpoint import open_checkpoint
from lfm2_colbert.config import TokenContract
from lfm2_colbert.tokenization import TextTokenizer, TokenizedText, read_tokenizer

pytestmark = pytest.mark.shared

# `!` to `/`, `:` to `@`, `[` to the backtick, `{` to `~`
PUNCTUATION = (*range(510, 525), *range(535, 542), *range(568, 574), *range(600, 604))
ASCII_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
CONTRACT = TokenContract(
    bos_id=1,
    query_marker_id=64_400,
    document_marker_id=64_401,
    query_length=32,
    document_length=512,
    pad_id=0,
    expansion_id=7,
    skip_ids=PUNCTUATION,
)


@pytest.fixture(scope="session")
def colbert_vocabulary(vocabulary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same vocabulary as LFM2-ColBERT ships it: the two markers are added tokens."""
    tokenizer = Tokenizer.from_file(str(vocabulary))
    assert tokenizer.add_tokens([AddedToken("[Q] ", normalized=False), AddedToken("[D] ", normalized=False)]) == 2
    assert [tokenizer.token_to_id(marker) for marker in ("[Q] ", "[D] ")] == [64_400, 64_401]
    path = tmp_path_factory.mktemp("colbert") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="session")
def colbert(colbert_vocabulary: Path) -> TextTokenizer:
    return TextTokenizer(read_tokenizer(colbert_vocabulary, markers=("[Q] ", "[D] ")), CONTRACT)


@pytest.fixture(scope="session")
def vectors(shared: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (shared / "fixtures" / "tokenizer" / "conformance_vectors.json").read_bytes()
    )
    return found


@pytest.mark.parametrize("with_markers", [True, False])
def test_a_folder_in_pylates_layout_states_the_published_contract(
    vocabulary: Path,
    colbert_vocabulary: Path,
    tmp_path: Path,
    write_checkpoint: Callable[..., Path],
    with_markers: bool,
) -> None:
    settings = {"query_length": 32, "document_length": 512, "skiplist_words": list(ASCII_PUNCTUATION)}
    folder = write_checkpoint(tmp_path / "model", config={"vocab_size": 64_402}, settings=settings)
    (folder / "tokenizer.json").write_bytes((colbert_vocabulary if with_markers else vocabulary).read_bytes())
    assert open_checkpoint(folder).tokens == CONTRACT


def test_all_published_texts_get_their_published_ids(vocabulary: Path, vectors: list[dict[str, Any]]) -> None:
    tokenizer = read_tokenizer(vocabulary)
    literal = [vector["text"].startswith(("<|im_start|>", "<|pad|>")) for vector in vectors]
    assert (len(vectors), sum(literal)) == (52, 2)
    for vector, control_strings_are_text in zip(vectors, literal, strict=True):
        tokenizer.encode_special_tokens = control_strings_are_text
        found = tokenizer.encode(vector["text"], add_special_tokens=vector["add_special_tokens"]).ids
        assert found == vector["ids"], vector["text"]


def test_published_texts_get_their_ids_with_control_strings_kept_as_text(
    colbert: TextTokenizer, vectors: list[dict[str, Any]]
) -> None:
    for vector in vectors:
        ids = colbert.documents([vector["text"]])[0].ids[2:].tolist()
        published = vector["ids"][1:] if vector["add_special_tokens"] else vector["ids"]
        assert ids == published[:510], vector["text"]


def test_the_five_published_sequences_of_lfm25_colbert_are_reproduced(
    colbert: TextTokenizer, vectors: list[dict[str, Any]]
) -> None:
    published = [vector for vector in vectors if "via PyLate" in vector["source"]]
    assert sorted(vector["kind"] for vector in published) == ["colbert_document"] * 3 + ["colbert_query"] * 2
    for vector in published:
        is_query = vector["kind"] == "colbert_query"
        read = (colbert.queries if is_query else colbert.documents)([vector["text"]])[0]
        assert read.ids.tolist() == vector["input_ids"]
        if is_query:
            assert read.attended.astype(int).tolist() == vector["attention_mask"]
            assert read.kept.all()
        else:
            assert read.kept.sum() == vector["kept_vectors"]


def test_a_query_holds_thirty_tokens_and_is_filled_with_unattended_sevens(colbert: TextTokenizer) -> None:
    short, full, long = colbert.queries(["a", "a" + " a" * 29, "a" + " a" * 99])
    assert short.ids.tolist() == [1, 64_400, 574] + [7] * 29
    assert short.attended.tolist() == [True] * 3 + [False] * 29
    assert short.kept.all()
    assert full.ids.tolist() == long.ids.tolist() == [1, 64_400, 574] + [768] * 29
    assert full.attended.all()


def test_a_document_holds_five_hundred_and_ten_tokens_and_is_never_filled(colbert: TextTokenizer) -> None:
    empty, exact, long = colbert.documents(["", "a" + " a" * 509, "a" + " a" * 510])
    assert empty.ids.tolist() == [1, 64_401]
    assert len(exact.ids) == len(long.ids) == 512
    assert exact.ids.tolist() == long.ids.tolist()


def test_single_punctuation_is_dropped_from_documents_and_joined_punctuation_is_not(colbert: TextTokenizer) -> None:
    assert [477 + ord(character) for character in ASCII_PUNCTUATION] == list(PUNCTUATION)
    for character in ASCII_PUNCTUATION:
        read = colbert.documents([character])[0]
        assert read.ids[2:].tolist() == [477 + ord(character)]
        assert read.kept.tolist() == [True, True, False]  # begin token and marker stay
        assert colbert.queries([character])[0].kept.all()
    joined = colbert.documents(["a (", "!!"])
    assert [read.ids[-1] for read in joined] == [843, 8185]
    assert all(read.kept.all() for read in joined)


def test_markers_and_control_strings_typed_by_a_person_stay_text(
    colbert: TextTokenizer, colbert_vocabulary: Path, shared: Path
) -> None:
    # What the plain library makes of it is the fault that is prevented here.
    assert Tokenizer.from_file(str(colbert_vocabulary)).encode("see [Q] here").ids == [1, 5513, 730, 64_400, 15_155]
    control = json.loads((shared / "fixtures" / "tokenizer" / "special_tokens.json").read_bytes())
    strings = {string for string in control.values() if string not in ("Mathias", "python")} | {"[Q] ", "[D] "}
    forbidden = {int(i) for i, string in control.items() if string in strings} | {64_400, 64_401}
    newlines = set(range(501, 510))  # runs of newlines are written as added tokens, and are text all the same
    for string in sorted(strings):
        read: TokenizedText = colbert.documents([f"see {string} here"])[0]
        found = set(read.ids[2:].tolist()) & forbidden
        assert found <= newlines, string


def test_spans_of_real_tokens_rebuild_the_text_they_stand_for(colbert: TextTokenizer) -> None:
    text = "Straße 東京 قطار นั่ง 서울 e\u0301 👩‍👩‍👧"
    covered = np.zeros(len(text), np.bool_)
    for start, end in colbert.spans([text])[0]:
        assert 0 <= start < end <= len(text)
        covered[start:end] = True
    assert covered.all()
