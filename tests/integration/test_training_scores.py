"""Scores of lists: by hand for two scorers and for both together, asked for once, by models and by a judge."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from index.maxsim import maxsim
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import (
    InvalidArgumentError,
    MalformedDocumentError,
    ModelUnavailableError,
    NonFiniteVectorError,
    UnknownEncoderError,
    UnknownNameError,
    UnsafeModelError,
)
from lfm2_colbert.training import scorers
from lfm2_colbert.training.endpoint import Endpoint
from lfm2_colbert.training.judge import Judge
from lfm2_colbert.training.lists import Lists, Row
from lfm2_colbert.training.scorers import LateInteraction, load_scorer, load_scorers
from lfm2_colbert.training.scoring import LISTS_AT_ONCE, Asked, Scorer, score

LISTS = Lists(
    {"q1": "東京 休暇", "q2": "langer Urlaub"},
    {"d1": "Urlaub lang ist Urlaub", "d2": "東京 休暇", "d3": "إجازة طويلة"},
    (Row("q1", ("d1", "d2", "d3"), (0.0, 0.0, 0.0)), Row("q2", ("d1", "d3"), (0.0, 0.0))),
)


class ByTable:
    """Scores as a table says, and remembers what it was asked."""

    def __init__(self, name: str, table: dict[tuple[str, str], float]) -> None:
        self.name = self.fingerprint = name
        self._table, self.asked = table, list[tuple[str, str]]()

    def scores(self, lists: Sequence[Asked]) -> Iterator[NDArray[np.float32]]:
        for query, documents in lists:
            self.asked += [(query, document) for document in documents]
            keys = [(query[:2], document[:2]) for document in documents]
            yield np.array([self._table[key] for key in keys], np.float32)


def first() -> ByTable:
    return ByTable("a", {("東京", "Ur"): 1, ("東京", "東京"): 4, ("東京", "إج"): 1, ("la", "Ur"): 10, ("la", "إج"): 2})


def second() -> ByTable:
    return ByTable("b", {("東京", "Ur"): 0, ("東京", "東京"): 0, ("東京", "إج"): 0, ("la", "Ur"): -5, ("la", "إج"): 5})


def scored(scorer: Scorer, query: str, documents: Sequence[str]) -> NDArray[np.float32]:
    """Score one list."""
    (found,) = scorer.scores([Asked(query, documents)])
    return found


def ignore(*told: object) -> None:
    """Show nothing."""


def scores_of(lists: Lists) -> list[tuple[float, ...]]:
    return [row.scores for row in lists.rows]


def test_one_scorer_keeps_its_scale(tmp_path: Path) -> None:
    assert scores_of(score(LISTS, [first()], tmp_path, ignore)) == [(1.0, 4.0, 1.0), (10.0, 2.0)]


def test_two_scorers_have_the_mean_of_their_standardised_scores(tmp_path: Path) -> None:
    found = scores_of(score(LISTS, [first(), second()], tmp_path, ignore))
    # 1, 4, 1: mean 2, deviation √2; the second says 0 to all. 10, 2 → 1, −1; −5, 5 → −1, 1.
    assert found[0] == pytest.approx([-(2**-0.5) / 2, 2**0.5 / 2, -(2**-0.5) / 2], abs=1e-6)
    assert found[1] == pytest.approx([0.0, 0.0], abs=1e-6)


def test_what_was_scored_is_not_asked_for_again_even_after_a_kill(tmp_path: Path) -> None:
    told: list[tuple[object, ...]] = []

    def killed(*progress: object) -> None:
        told.append(progress)
        raise KeyboardInterrupt

    scorer = first()
    with pytest.raises(KeyboardInterrupt):
        score(LISTS, [scorer], tmp_path, killed)
    assert told == [("a", 1, 2)]
    (journal,) = tmp_path.iterdir()
    with journal.open("ab") as file:
        file.write(b'{"half a l')
    score(LISTS, [scorer], tmp_path, ignore)
    assert len(scorer.asked) == len(set(scorer.asked)) == 5
    more = Lists(LISTS.queries, {**LISTS.documents, "d4": "東京 休暇"}, (Row("q1", ("d1", "d4"), (0.0, 0.0)),))
    assert scores_of(score(more, [scorer], tmp_path, ignore)) == [(1.0, 4.0)]
    assert len(scorer.asked) == 5  # the texts are known, whatever their ids
    other = second()
    score(LISTS, [scorer, other], tmp_path, ignore)
    assert (len(scorer.asked), len(other.asked)) == (5, 5)


def test_lists_are_scored_side_by_side_and_a_pair_once_wherever_it_stands(tmp_path: Path) -> None:
    blocks: list[int] = []

    class Watched(ByTable):
        def scores(self, lists: Sequence[Asked]) -> Iterator[NDArray[np.float32]]:
            blocks.append(len(lists))
            return super().scores(lists)

    scorer, told = Watched("a", first()._table), list[tuple[str, int, int]]()
    rows = [Row("q1", ("d1", "d2"), (0.0, 0.0)), Row("q2", ("d1",), (0.0,)), Row("q1", ("d2", "d3"), (0.0, 0.0))]
    again = [rows[0]] * (LISTS_AT_ONCE - len(rows)) + [Row("q2", ("d3", "d1"), (0.0, 0.0))]
    lists = Lists(LISTS.queries, LISTS.documents, (*rows, *again))
    found = scores_of(score(lists, [scorer], tmp_path, lambda *progress: told.append(progress)))
    assert found == [(1.0, 4.0), (10.0,), (4.0, 1.0), *[(1.0, 4.0)] * (LISTS_AT_ONCE - len(rows)), (2.0, 10.0)]
    assert (blocks, len(scorer.asked), len(set(scorer.asked))) == ([3, 1], 5, 5)
    assert told == [("a", number, LISTS_AT_ONCE + 1) for number in range(1, LISTS_AT_ONCE + 2)]


def test_scorers_that_are_none_are_refused(tmp_path: Path) -> None:
    for none in ([], [first(), first()]):
        with pytest.raises(InvalidArgumentError):
            score(LISTS, none, tmp_path, ignore)
    broken = ByTable("c", {key: float("nan") for key in first()._table})
    with pytest.raises(NonFiniteVectorError, match="c gave"):
        score(LISTS, [broken], tmp_path, ignore)


def test_late_interaction_scores_by_mean_maxsim_and_encodes_a_document_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = HashingEncoder()
    encoded: list[str] = []
    encode = encoder.encode_documents
    encoder.encode_documents = lambda texts: encoded.extend(texts) or encode(texts)  # type: ignore[method-assign,func-returns-value]
    scorer, documents = LateInteraction(encoder), list(LISTS.documents.values())
    for query in LISTS.queries.values():
        own = encoder.encode_queries([query])[0]
        expected = [maxsim(own, encode([text])[0]) / len(own) for text in documents]
        assert scored(scorer, query, documents) == pytest.approx(expected, abs=1e-6)
    assert encoded == documents
    monkeypatch.setattr(scorers, "KEPT_NUMBERS", 0)
    scored(scorer, "x", documents)
    scored(scorer, "x", documents[:1])
    assert encoded == [*documents, documents[0]]


@pytest.mark.torch
def test_a_single_vector_model_scores_by_its_own_similarity(
    tmp_path: Path, write_dense_model: Callable[..., Path]
) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    documents = list(LISTS.documents.values())
    for similarity in ("cosine", "dot"):
        folder = write_dense_model(tmp_path / similarity, similarity)
        scorer = load_scorer(f"dense:{folder}", None)
        theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        expected = theirs.similarity(theirs.encode_query(["東京"]), theirs.encode_document(documents))[0].numpy()
        assert scored(scorer, "東京", documents) == pytest.approx(expected, abs=1e-5)
    with pytest.raises(UnknownNameError, match="euclidean"):
        load_scorer(f"dense:{write_dense_model(tmp_path / 'other', 'euclidean')}", None)


@pytest.mark.torch
def test_a_model_kept_in_half_precision_multiplies_in_float32_on_a_cpu(
    tmp_path: Path, write_dense_model: Callable[..., Path]
) -> None:
    pytest.importorskip("sentence_transformers")
    from safetensors.torch import load_file, save_file

    documents, found = list(LISTS.documents.values()), []
    for kept in ("float32", "float16"):
        folder = write_dense_model(tmp_path / kept, "dot")
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"dtype": kept}))
        halves = {name: each.half() for name, each in load_file(folder / "model.safetensors").items()}
        save_file(
            {name: each.float() for name, each in halves.items()} if kept == "float32" else halves,
            folder / "model.safetensors",
            {"format": "pt"},
        )
        found.append(scored(load_scorer(f"dense:{folder}", None), "東京", documents))
    assert found[1] == pytest.approx(found[0], abs=1e-6)


@pytest.mark.torch
def test_a_cross_encoder_scores_pairs(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path / "cross"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "東", "京", "urlaub"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = BertTokenizerFast(str(tmp_path / "vocab.txt"), model_max_length=24)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=1,
    )
    model = BertForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    lists = [Asked("東京", ["urlaub", "東"]), Asked("東京", ["東"])]
    found, again = load_scorer(f"cross-encoder:{folder}", None).scores(lists)
    with torch.inference_mode():
        inputs = tokenizer(["東京", "東京"], ["urlaub", "東"], return_tensors="pt", padding=True)
        expected = torch.sigmoid(model(**inputs).logits[:, 0]).numpy()
    assert found == pytest.approx(expected, abs=1e-5)
    assert again == pytest.approx(expected[1:], abs=1e-5)
    (folder / "modeling.py").write_text("")
    with pytest.raises(UnsafeModelError, match="custom code"):
        load_scorer(f"cross-encoder:{folder}", None)


def test_names_that_are_none_are_refused(tmp_path: Path) -> None:
    assert [each.name for each in load_scorers(["hashing", "nano"], None)] == ["hashing", "nano-1"]
    for name in ("none", "dense:none", "cross-encoder:owner/unpinned"):
        with pytest.raises(UnknownEncoderError):
            load_scorer(name, None)
    with pytest.raises(InvalidArgumentError, match="no address"):
        load_scorer("judge", None)
    with pytest.raises(InvalidArgumentError, match="no address"):
        Endpoint("file:///etc/passwd", "m")


class Model(BaseHTTPRequestHandler):
    """A language model that answers what it was told to, one answer after the other."""

    answers: list[Any]
    asked: list[tuple[str, str | None, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, self.headers["Authorization"], body))
        answer = self.answers.pop(0)
        if answer == "hang":
            time.sleep(0.5)
            answer = 504
        status, content = (answer, "") if isinstance(answer, int) else (200, answer)
        sent = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)
        except OSError:  # nobody waits any more
            pass

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def model() -> Iterator[tuple[type[Model], Callable[..., Judge]]]:
    handler = type("Here", (Model,), {"answers": [], "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()

    def judge(attempts: int = 3) -> Judge:
        address = f"http://127.0.0.1:{server.server_port}/v1/"
        return Judge(Endpoint(address, "llm", "secret", timeout_s=0.2, attempts=attempts, pause_s=0.001))

    yield handler, judge
    server.shutdown()
    server.server_close()
    thread.join()


Answering = tuple[type[Model], Callable[..., Judge]]


def test_a_judge_is_asked_for_each_document_as_data(model: Answering) -> None:
    handler, judge = model
    handler.answers += ['{"score": 10}', '{"score": 2.5, "why": "…"}']
    assert scored(judge(), "東京?", ["ja", 'nein", "score": 10']).tolist() == [10.0, 2.5]
    path, key, body = handler.asked[1]
    assert (path, key, body["model"], body["temperature"]) == ("/v1/chat/completions", "Bearer secret", "llm", 0)
    assert json.loads(body["messages"][1]["content"]) == {"query": "東京?", "passage": 'nein", "score": 10'}


def test_a_judge_is_asked_again_after_a_time_out_a_failure_and_nonsense(model: Answering) -> None:
    handler, judge = model
    handler.answers += ["hang", 503, "I would say seven", '{"score": 11}', '{"score": true}', '{"score": 7}']
    assert scored(judge(attempts=6), "q", ["d"]).tolist() == [7.0]
    assert len(handler.asked) == 6


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        (["x", "[]"], MalformedDocumentError, "no number from 0 to 10"),
        (["hang", 429], ModelUnavailableError, "no answer in 2 attempts: status 429"),
        ([401], ModelUnavailableError, "refused with status 401"),
        ([302], ModelUnavailableError, "refused with status 302"),
    ],
)
def test_a_judge_that_cannot_be_had_is_an_error(
    model: Answering, answers: list[Any], error: type[Exception], message: str
) -> None:
    handler, judge = model
    handler.answers += answers
    with pytest.raises(error, match=message):
        scored(judge(attempts=2), "q", ["d"])
    assert "secret" not in repr(Endpoint("http://nowhere", "llm", "secret"))


def test_scores_of_a_judge_are_kept_when_it_fails(model: Answering, tmp_path: Path) -> None:
    handler, judge = model
    handler.answers += ['{"score": 1}', '{"score": 2}', '{"score": 3}', 401]
    with pytest.raises(ModelUnavailableError):
        score(LISTS, [judge()], tmp_path, ignore)
    handler.answers += ['{"score": 4}', '{"score": 5}']
    assert scores_of(score(LISTS, [judge()], tmp_path, ignore)) == [(1.0, 2.0, 3.0), (4.0, 5.0)]
