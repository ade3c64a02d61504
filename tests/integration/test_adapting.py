"""Adapting from a folder to a verdict: sides that share nothing, stages that are kept, a model only for a sure gain."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.results_file import ROOT
from eval.compare import Contrast, Verdict
from eval.datasets.folder import load
from lfm2_colbert import load_encoder
from lfm2_colbert.errors import ModelUnavailableError
from lfm2_colbert.training.archive import read_archive
from lfm2_colbert.training.checkpoints import read_start
from lfm2_colbert.training.sources import read_all_pairs
from lfm2_colbert.training.start import PROJECTION_WEIGHT
from service.adapting.held_out import Gain
from service.adapting.stages import Adaptation, Wanted
from service.cli.progress import progress_bars

pytestmark = pytest.mark.torch

SHORTEST, DOCUMENTS = 7, 70
FOREIGN = "この文章は何について書かれていますか？"


Run = Callable[..., Any]


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Examples in all languages and formats, the shortest of each language, and a file that nobody reads."""
    folder = tmp_path_factory.mktemp("documents")
    for home in sorted((ROOT / "examples" / "documents").iterdir()):
        paths = [path for path in home.iterdir() if path.suffix in (".md", ".txt", ".html")]
        by_size = sorted(paths, key=lambda path: (path.stat().st_size, path.name))
        for path in by_size[:SHORTEST]:
            place = folder / home.name / path.name
            place.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, place)
    (folder / "notes.docx").write_bytes(b"PK")
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The domain recipe with a budget of seconds."""
    text = (ROOT / "recipes" / "domain.toml").read_text(encoding="utf-8")
    lines = ["tokens = 3000" if line.startswith("tokens =") else line for line in text.splitlines()]
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_folder_becomes_a_verdict_and_goes_on_where_it_was_killed(
    run: Run, documents: Path, recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    begun = Adaptation(Wanted(documents, out, "nano", recipe, None), device="cpu", threads=1)
    with progress_bars() as bars:
        begun.ask(begun.read(bars), bars)
        begun.mine(bars)  # and was killed here
    kept = {path: path.read_bytes() for path in out.rglob("*.jsonl")}
    assert {"mined.jsonl", "train.jsonl", "corpus.jsonl"} <= {path.name for path in kept}

    command = ("adapt", documents, recipe, "-o", out, "--threads", 1)
    done = run(*command, "--json")
    assert done.status == 0, done.err
    report = json.loads(done.out)
    assert {path: path.read_bytes() for path in kept} == kept
    assert (report["documents"], report["questions"]["left_out"]["undrawn"]) == (DOCUMENTS, 0)
    assert [each["path"] for each in report["failed"]] == ["notes.docx"]
    by_language = report["questions"]["by_language"]
    assert {"ar", "de", "ja", "ko", "zh"} <= set(by_language)
    assert by_language["ja"]["heading"] > 0
    assert by_language["ar"]["heading"] == 0 < by_language["ar"]["sentence"]
    gain = report["gains"]["hybrid"]
    assert 0 < gain["a"] <= 1
    assert report["helped"] == (gain["low"] > 0) == (out / "model").exists()
    for name in ("before", "after"):
        rows = json.loads((out / name / "report.json").read_text())["rows"]
        assert [row["queries"] for row in rows] == [report["questions"]["held_out"]] * 2

    again = run(*command)
    assert again.status == 0
    assert again.out.count("step") == 0
    assert ("adapting did not help" in again.out) != report["helped"]
    assert f"{gain['difference']:+.4f} [{gain['low']:+.4f}, {gain['high']:+.4f}]" in again.out
    assert f"{DOCUMENTS} documents" in again.out
    assert {path: path.read_bytes() for path in kept} == kept
    require_sides_apart(out)
    own, begins = read_start("nano", None, np.random.default_rng(0)), read_archive(out / "training" / "beginning.npz")
    np.testing.assert_array_equal(begins[PROJECTION_WEIGHT], own.tensors[PROJECTION_WEIGHT])  # as it is served today
    require_offer_only_for_a_sure_gain(begun, out)
    refused = run(*command, "--questions", "server", "--address", "http://localhost:1/v1", "--server-model", "m")
    assert "error[invalid_argument]" in refused.err
    assert refused.status == 2


def require_sides_apart(out: Path) -> None:
    """No question or passage that is learned from belongs to a document that is measured on."""
    task = load(out / "sets" / "held-out", "und")
    held = {key.rpartition("#")[0] for own in task.qrels.values() for key in own}
    texts = {" ".join(each.text.split()): key.rpartition("#")[0] for key, each in task.documents.items()}
    pairs = list(read_all_pairs(out / "pairs"))
    assert pairs
    assert not {texts[pair.document] for pair in pairs} & held
    assert not {pair.query for pair in pairs} & set(task.queries.values())
    for query_id, question in task.queries.items():
        (answer,) = task.qrels[query_id]
        assert question not in task.documents[answer].text


def require_offer_only_for_a_sure_gain(adaptation: Adaptation, out: Path) -> None:
    def won(low: float) -> list[Gain]:
        return [Gain("hybrid", Contrast(0.5, 0.6, 0.1, low, 0.2, 0.01, 0.01, Verdict.BETTER))]

    assert adaptation.offer(won(0.01)) == out / "model"
    adapted = load_encoder(str(out / "model"), threads=1)
    assert adapted.name == "nano-1-out"
    assert adapted.encode_queries(["東京"]).vectors.shape[1] == load_encoder("nano").dim
    assert json.loads((out / "model" / "encoder.json").read_text())["licence"] == "Apache-2.0"
    assert adaptation.offer(won(0.0)) is None
    assert not (out / "model").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        ((), "too_few_documents", 3),
        (("--address", "http://localhost:1/v1"), "invalid_argument", 2),
        (("--questions", "server", "--server-model", "m"), "invalid_argument", 2),
        (("--questions", "server", "--server-model", "m", "--address", "ftp://x"), "invalid_argument", 2),
        (("none.toml",), "not_found", 2),
        (("--model", "none"), "unknown_encoder", 2),
        (("--model", "hashing"), "invalid_argument", 2),
    ],
)
def test_errors_are_coded(
    run: Run, documents: Path, tmp_path: Path, arguments: tuple[str, ...], code: str, status: int
) -> None:
    outcome = run("adapt", documents / "de", *arguments, "-o", tmp_path / "out")
    assert f"error[{code}]" in outcome.err
    assert "help:" in outcome.err
    assert outcome.status == status


class Model(BaseHTTPRequestHandler):
    """A language model that asks by the beginning of the passage, but for one in Japanese and one not at all."""

    asked: list[Any]
    broken: bool

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        data = json.loads(body["messages"][1]["content"])
        self.asked.append((self.headers["Authorization"], data))
        if self.broken:
            self.send_response(401)
            self.end_headers()
            return
        german = [each["passage"] for _, each in self.asked if each["language"] == "de"]
        question = f"{data['passage'][:60]}?"
        if data["passage"] == german[0] if german else False:
            question = FOREIGN
        content = "no idea" if data["language"] == "th" else json.dumps({"question": question})
        sent = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[type[Model], str]]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    handler = type("Here", (Model,), {"asked": [], "broken": False})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}/v1/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_language_model_asks_in_the_language_of_the_passage(
    documents: Path, recipe: Path, tmp_path: Path, model: tuple[type[Model], str]
) -> None:
    handler, address = model
    wanted = Wanted(documents, tmp_path / "out", "nano", recipe, (address, "llm", "secret"))
    adaptation = Adaptation(wanted, device="cpu", threads=1)
    with progress_bars() as bars:
        folder = adaptation.read(bars)
        found = adaptation.ask(folder, bars)
        n_thai = sum(data["language"] == "th" for _, data in handler.asked)
        assert {key for key, _ in handler.asked} == {"Bearer secret"}
        texts = {each.text for each in folder.passages}
        assert {data["passage"] for _, data in handler.asked} <= texts  # whole, with their headings
        assert found.left_out["foreign"] >= 1
        written = [path.read_text(encoding="utf-8") for path in (tmp_path / "out").rglob("*.jsonl")]
        assert sum(FOREIGN in text for text in written) == 1  # in the journal, and nowhere else
        assert found.left_out["unwritten"] == n_thai // 4 > 0
        assert found.by_language["ja"]["written"] > 0 == found.by_language["ja"]["heading"]
        assert found.by_language["th"]["written"] == 0 < found.by_language["th"]["none"]
        asked = len(handler.asked)
        assert adaptation.ask(folder, bars) == found
        assert len(handler.asked) == asked  # what was written is kept


def test_a_language_model_that_refuses_is_an_error_and_keeps_what_it_wrote(
    documents: Path, recipe: Path, tmp_path: Path, model: tuple[type[Model], str]
) -> None:
    handler, address = model
    handler.broken = True
    wanted = Wanted(documents, tmp_path / "out", "nano", recipe, (address, "llm", "secret"))
    adaptation = Adaptation(wanted, device="cpu", threads=1)
    with progress_bars() as bars, pytest.raises(ModelUnavailableError, match="writer llm refused with status 401"):
        adaptation.ask(adaptation.read(bars), bars)
    assert "secret" not in "".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())
