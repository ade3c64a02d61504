"""Twenty things that people do wrong in their first week, and the sentence and one way out that each is answered with.

Numbers are those of the list that this was designed by. Where a mistake is looked at closely elsewhere:

| # | the user … | more in |
|--|--|--|
| 1 | has an old Python, or Windows | `unit/test_supported.py` |
| 2 | has a CUDA torch without a GPU | `unit/test_doctor.py` |
| 3 | has a GPU and a torch for CPUs | `unit/test_doctor.py` |
| 4 | is offline without weights | `test_pull.py` |
| 5 | gives a checkpoint that is no ColBERT | `unit/test_checkpoint.py` |
| 6 | gives a checkpoint that wants remote code | `unit/test_checkpoint.py` |
| 7 | searches with another encoder than built the index | `test_rebuild.py` |
| 8 | mistypes a collection | `test_cli.py` |
| 9 | indexes a folder without documents | `test_folders.py` |
| 10 | has a scanned PDF | `conformance/test_readers.py` |
| 11 | has an encrypted or broken PDF | `faults/test_hostile_files.py` |
| 12 | asks three hundred words | `test_scores_and_pages.py` |
| 13 | filters on a field that is not there, or of another type | `unit/test_filter_language.py` |
| 14 | wants 100,000 hits | `test_http_api.py` |
| 15 | starts a second indexer | `unit/test_lock.py` |
| 16 | has too little disk | `faults/test_durability.py`, `test_pull.py` |
| 17 | copies an index of a newer version, or damages it | `test_golden.py`, `test_repair.py` |
| 18 | has no key, a wrong one, or one that may not | `test_http_bounds.py`, `test_keys_command.py` |
| 19 | finds the port taken, or asks too often | `test_http_bounds.py` |
| 20 | asks for a task that does not exist, or compares on few | `test_eval_mistakes.py`, `unit/test_compare.py` |
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import apsw
import pytest

from benchmarks.documents import making
from benchmarks.serving.server import Asking
from index.home import STORE_FILE
from index.lock import WriterLock
from index.store import SEGMENTS_FOLDER
from lfm2_colbert.errors import UnsupportedPythonError
from service.doctor.libraries import TorchBuild, torch_of
from service.keys import Keyring, Role
from service.supported import require_supported

Run = Callable[..., Any]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    texts = {"de/hund.txt": "Der Hund schläft unter dem Baum.", "ja/東京.md": "東京は日本の首都です。"}
    for name, text in texts.items():
        path = tmp_path / "docs" / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "docs"


@pytest.fixture
def handbook(run: Run, docs: Path) -> str:
    assert run("index", docs, "-c", "handbook", "--model", "hashing").status == 0
    return "handbook"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of the collection `handbook`."""
    return tmp_path / "home" / "handbook"


def answered(outcome: Any, status: int, code: str, *said: str) -> None:
    """Check an answer: its exit status, its code, one way out, and words of both; never a traceback."""
    first, *more = outcome.err.splitlines()[-2:]
    assert (outcome.status, first.partition("]")[0]) == (status, f"error[{code}"), outcome.err
    assert [line.partition(" ")[0] for line in more] == ["help:"]
    missing = [each for each in said if each not in outcome.err]
    assert not missing, outcome.err


@dataclass(frozen=True)
class Refused:
    """How a server that was not to start ended."""

    status: int
    err: str


def served(tmp_path: Path, *options: str) -> Refused:
    """Start a server in a process of its own: it changes where logs go."""
    command = [sys.executable, "-m", "service", "serve", "--port", "0", *options]
    environment = os.environ | {"LFM2_COLBERT_HOME": str(tmp_path / "home"), "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return Refused(done.returncode, done.stderr)


def test_01_an_old_python() -> None:
    with pytest.raises(UnsupportedPythonError, match=r"needs Python 3\.11 or newer, this is 3\.10\.12") as caught:
        require_supported((3, 10, 12), "linux")
    assert "uv tool install --python" in caught.value.help
    assert metadata("lfm2-colbert")["Requires-Python"] == ">=3.11"  # what installers refuse it by


def test_02_a_cuda_torch_without_a_gpu() -> None:
    finding = torch_of(TorchBuild("2.13.0", "13.0"), [])
    assert (finding.state, finding.code) == ("warning", "cuda_unused")
    assert finding.help == "uv tool install 'lfm2-colbert[torch]' --reinstall --torch-backend cpu"


def test_03_a_gpu_and_a_torch_for_cpus() -> None:
    finding = torch_of(TorchBuild("2.13.0+cpu", ""), ["NVIDIA RTX 4070"])
    assert (finding.state, finding.code) == ("warning", "gpu_unused")
    assert "NVIDIA RTX 4070" in finding.message
    assert finding.help.endswith("--torch-backend auto")


@pytest.mark.usefixtures("no_network")
def test_04_offline_without_weights(run: Run, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    outcome = run("index", docs, "-c", "new", "--model", "lfm2.5-colbert-350m")
    answered(outcome, 4, "model_unavailable", "--to FOLDER", "lfm2-colbert pull --from-dir FOLDER")


def test_04_a_server_without_weights_is_not_started(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    answered(served(tmp_path, "--model", "lfm2.5-colbert-350m"), 4, "model_unavailable", "--from-dir FOLDER")


@pytest.mark.torch
@pytest.mark.slow
def test_05_a_checkpoint_that_is_no_colbert(
    run: Run, docs: Path, tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    model = write_checkpoint(tmp_path / "pooled")
    modules = [{"type": f"sentence_transformers.models.{name}", "path": ""} for name in ("Transformer", "Pooling")]
    (model / "modules.json").write_text(json.dumps(modules))
    for name in (str(model), f"sentence-transformers:{model}"):
        outcome = run("index", docs, "-c", "new", "--model", name)
        answered(outcome, 3, "unsafe_model", "is a single-vector model (modules: Transformer, Pooling)", "nano, lfm2.5")


@pytest.mark.torch
def test_06_a_checkpoint_that_wants_remote_code(
    run: Run, docs: Path, tmp_path: Path, write_checkpoint: Callable[..., Path]
) -> None:
    model = write_checkpoint(tmp_path / "remote")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "modeling_evil.Evil"}}))
    outcome = run("index", docs, "-c", "new", "--model", model)
    answered(outcome, 3, "unsafe_model", "asks to run Python from its repository", "never runs it")


def test_07_another_encoder_than_built_the_index(run: Run, docs: Path, handbook: str) -> None:
    outcome = run("index", docs, "-c", handbook, "--model", "nano")
    answered(outcome, 2, "model_mismatch", "built with hashing", "lfm2-colbert rebuild -c handbook --model nano")


def test_08_a_mistyped_collection(run: Run, handbook: str) -> None:
    answered(run("search", "Hund", "-c", "handbok"), 2, "not_found", "did you mean 'handbook'? known: handbook")


def test_09_a_folder_without_documents(run: Run, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("a.xyz", "b.xyz", "c.lock"):
        (tmp_path / "docs" / name).write_text("x")
    outcome = run("index", tmp_path / "docs", "--model", "hashing")
    assert "no document was found" in outcome.out
    assert outcome.out.count("unsupported_file") == 3
    assert run("index", tmp_path / "docs", "--strict").status == 3


def failures(run: Run) -> dict[str, Any]:
    return {each["path"]: each for each in run("status", "-c", "handbook", "--failed", "--json").json["failures"]}


def test_10_a_scanned_pdf(run: Run, docs: Path, handbook: str) -> None:
    (docs / "vertrag.pdf").write_bytes(making.pdf([[], [], []]))
    assert "3 pages, no text: probably a scan" in run("index", docs, "-c", handbook).out
    assert failures(run)["vertrag.pdf"]["code"] == "empty_document"


PASSWORD = "/Filter /Standard /V 1 /R 2 /P -4 /O <" + "41" * 32 + "> /U <" + "42" * 32 + ">"


def test_11_an_encrypted_or_broken_pdf(run: Run, docs: Path, handbook: str) -> None:
    catalog, pages = "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [] /Count 0 >>"
    trailer = "/Root 1 0 R /Encrypt 3 0 R /ID [<00> <00>]"
    (docs / "geheim.pdf").write_bytes(making.assembled([catalog, pages, f"<< {PASSWORD} >>"], trailer))
    (docs / "kaputt.pdf").write_bytes(b"%PDF-1.7\nnothing")
    (docs / "ganz.pdf").write_bytes(making.pdf([["Die Katze schläft im Korb."]]))
    outcome = run("index", docs, "-c", handbook)
    assert (outcome.status, "geheim.pdf asks for a password" in outcome.out) == (0, True)
    assert {path: each["code"] for path, each in failures(run).items()} == {
        "geheim.pdf": "encrypted_document",
        "kaputt.pdf": "malformed_document",
    }
    assert (
        run("search", "Katze im Korb", "-c", handbook, "-k", "1", "--json").json["hits"][0]["document_id"] == "ganz.pdf"
    )
    assert run("index", docs, "-c", handbook, "--strict").status == 3


def test_12_a_question_of_three_hundred_words(run: Run, handbook: str) -> None:
    outcome = run("search", "Wo schläft der Hund heute? " * 60, "-c", handbook, "--json")
    assert (outcome.status, outcome.json["hits"][0]["document_id"]) == (0, "de/hund.txt")
    assert "query_split" in [warning["code"] for warning in outcome.json["warnings"]]


def test_13_a_filter_on_what_is_not_there(run: Run, handbook: str) -> None:
    missing = run("search", "Hund", "-c", handbook, "--where", 'langauge = "de"')
    answered(missing, 2, "invalid_filter", "'langauge'", "did you mean 'lang'?")
    answered(run("search", "Hund", "-c", handbook, "--where", "lang = 2024"), 2, "invalid_filter", "keyword")


def test_14_a_hundred_thousand_hits(run: Run, handbook: str, ask: Asking) -> None:
    answered(run("search", "Hund", "-c", handbook, "-k", "100000"), 2, "usage", "1<=x<=1000")
    refused = ask.search(handbook, query="Hund", k=100_000)
    assert (refused.status, refused.code) == (422, "invalid_request")
    assert [error["field"] for error in refused.json["errors"]] == ["body.k"]


def test_15_a_second_indexer(run: Run, docs: Path, handbook: str, folder: Path) -> None:
    lock = WriterLock(folder)
    try:
        outcome = run("index", docs, "-c", handbook)
    finally:
        lock.release()
    answered(outcome, 5, "index_locked", f"is being written by process {os.getpid()} on ", "wait until it is done")


FULL = """
import resource, sys
from service.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
main()
"""


def test_16_too_little_disk(run: Run, docs: Path, handbook: str, tmp_path: Path) -> None:
    (docs / "long.txt").write_text("Ein langer Text über Hunde. " * 20_000, encoding="utf-8")
    command = [sys.executable, "-c", FULL, "200000", "index", str(docs), "-c", handbook]
    environment = os.environ | {"LFM2_COLBERT_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-2][:21]) == (4, "error[storage_failed]"), done.stderr
    assert done.stderr.splitlines()[-1].startswith("help: ")
    assert run("search", "Hund", "-c", handbook, "-k", "1", "--json").json["hits"]
    assert run("index", docs, "-c", handbook, "--json").json["documents"] == 3
    assert run("verify", "-c", handbook).status == 0


def test_17_an_index_of_a_newer_version_or_a_damaged_one(run: Run, handbook: str, folder: Path) -> None:
    next((folder / SEGMENTS_FOLDER).glob("*.seg")).write_bytes(b"")
    damaged = run("verify", "-c", handbook)
    assert (damaged.status, "lfm2-colbert repair" in damaged.out) == (1, True)
    connection = apsw.Connection(str(folder / STORE_FILE))
    connection.execute("PRAGMA user_version=99")
    connection.close()
    answered(run("search", "Hund", "-c", handbook), 4, "format_version", "99")


def test_18_no_key_a_wrong_one_or_one_that_may_not(run: Run, handbook: str, tmp_path: Path, ask: Asking) -> None:
    answered(served(tmp_path, "--host", "0.0.0.0"), 4, "unsafe_address", "lfm2-colbert keys create")
    keyring = Keyring(tmp_path / "home")
    _, reader = keyring.create("reader", Role.READ)
    keyring.close()
    refused = ask("GET", "/v1/collections")
    assert (refused.status, refused.code) == (401, "unauthenticated")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert ask.by("lfm2_colbert_wrong")("GET", "/v1/collections").status == 401
    may_not = ask.by(reader)("DELETE", f"/v1/collections/{handbook}")
    assert (may_not.status, may_not.code) == (403, "forbidden")


def test_19_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        refused = served(tmp_path, "--port", str(number))
        answered(refused, 4, "port_in_use", f"127.0.0.1:{number}", "--port 0 takes a free one")
        if sys.platform == "linux":
            assert f"by process {os.getpid()} (" in refused.err


def test_20_a_task_that_does_not_exist(run: Run) -> None:
    answered(run("eval", "nanobeir", "--tasks", "scidoc"), 2, "unknown_name", "did you mean 'scidocs'?")
    answered(
        run("eval", "nanobeir", "--languages", "xx"), 2, "unknown_name", "ar, de, en, es, fr, it, ja, ko, no, pt, sv"
    )


def test_what_a_terminal_cannot_show_stops_nothing(run: Run, handbook: str, tmp_path: Path) -> None:
    environment = os.environ | {"LFM2_COLBERT_HOME": str(tmp_path / "home"), "PYTHONIOENCODING": "latin-1"}
    shown = {}
    for more in ((), ("--json",)):
        command = [sys.executable, "-m", "service", "get", "ja/東京.md", "-c", handbook, *more]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        shown[more] = done.stdout.decode("latin-1")
    assert shown[()].encode().decode("unicode_escape").strip() == "東京は日本の首都です。"
    assert json.loads(shown["--json",])["documents"][0]["text"] == "東京は日本の首都です。"
