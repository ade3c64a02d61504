"""Data of the hub, from a server on this machine: fetched, copied, and refused where it cannot be had."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from eval.datasets import nanobeir
from eval.datasets.nanobeir import SOURCES, Wanted
from eval.dense import load_dense
from lfm2_colbert.errors import MalformedDocumentError

pytest.importorskip("datasets")

COMMIT = "8a4be55eb80b3ed4d2e9a423a5212228c217d426"

Hub = tuple[Path, Mapping[str, str]]

DOWNLOAD = """
import json, sys
from pathlib import Path
import datasets
from eval.datasets.nanobeir import Wanted, download, tasks

source, copy = sys.argv[1], Path(sys.argv[2])
datasets.disable_progress_bars()
wanted = Wanted(("de", "en"), (), ("scifact",), source)
files = [str(path.relative_to(copy)) for path in download(wanted, copy)]
times = {name: (copy / name).stat().st_mtime_ns for name in files}
again = list(download(wanted, copy))
equal = list(tasks(wanted)) == list(tasks(Wanted(("de", "en"), (), ("scifact",), source, copy)))
print(json.dumps({
    "files": files,
    "kept": all((copy / name).stat().st_mtime_ns == each for name, each in times.items()),
    "equal": equal,
    "named": all(
        datasets.load_dataset_builder(str((copy / name).parents[1]), Path(name).parent.name)
        .config.data_files[Path(name).stem] == [str(copy / name)] for name in files
    ),
}))
"""
REFUSED = """
import sys
from pathlib import Path
from eval.datasets.nanobeir import Wanted, download, tasks
from lfm2_colbert.errors import Lfm2ColbertError

source, folder = sys.argv[1:]
wanted = Wanted(("de",), (), ("scifact",), source)
try:
    list(download(wanted, Path(folder)) if folder else tasks(wanted))
except Lfm2ColbertError as error:
    sys.exit(f"error[{error.code}] {error.message} help: {error.help}")
"""


def run(program: str, *arguments: str, environment: Mapping[str, str], folder: Path) -> tuple[str, str]:
    """Run a program with what a library reads when it is imported; give what it printed."""
    command = [sys.executable, "-W", "error::UserWarning", "-c", program, *arguments]
    home = Path(nanobeir.__file__).parents[2]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **environment, "PYTHONPATH": str(home)},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("source", SOURCES)
def test_a_download_is_the_hub_again(hub: Hub, tmp_path: Path, publish: Callable[..., Path], source: str) -> None:
    root, environment = hub
    publish(root, source)
    output, _ = run(DOWNLOAD, source, str(tmp_path / "copy"), environment=environment, folder=tmp_path)
    seen: dict[str, Any] = json.loads(output)
    assert len(seen["files"]) == 6
    assert (seen["kept"], seen["equal"]) == (True, True)
    assert seen["named"]  # `datasets` takes the copy for the repository
    read = list(nanobeir.tasks(Wanted(("de", "en"), (), ("scifact",), source, tmp_path / "copy")))
    written = list(nanobeir.tasks(Wanted(("de", "en"), (), ("scifact",), source, root)))
    assert [task.documents for task in read] == [task.documents for task in written]
    assert [task.qrels for task in read] == [task.qrels for task in written]
    assert all(len(task.revision.rpartition("@")[2]) == 40 for task in read)


@pytest.mark.parametrize("source", ["liquid", "sentence-transformers"])
@pytest.mark.parametrize("into", ["", "copy"])
def test_a_hub_that_cannot_be_reached_is_said_at_once(tmp_path: Path, source: str, into: str) -> None:
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf")}
    started = time.monotonic()
    _, said = run(REFUSED, source, into and str(tmp_path / into), environment=environment, folder=tmp_path)
    assert time.monotonic() - started < 20  # it tried for half a minute, and more for each table
    assert said.startswith("error[dataset_unavailable]")
    assert "--data FOLDER" in said
    assert not (tmp_path / "copy").exists()


def test_what_the_hub_does_not_have_is_said(hub: Hub, tmp_path: Path, publish: Callable[..., Path]) -> None:
    root, environment = hub
    _, said = run(REFUSED, "liquid", "", environment=environment, folder=tmp_path)
    assert "error[dataset_unavailable] LiquidAI/nanobeir-multilingual-extended cannot" in said
    publish(root, "liquid", ("ArguAna",))
    _, said = run(REFUSED, "liquid", "", environment=environment, folder=tmp_path)
    assert "NanoSciFact_de/corpus cannot be fetched from the hub: ValueError" in said


def test_a_folder_that_hides_the_hub_is_refused(hub: Hub, tmp_path: Path, publish: Callable[..., Path]) -> None:
    root, environment = hub
    publish(root, "liquid")
    _, said = run(REFUSED, "liquid", "", environment=environment, folder=root)
    assert "error[dataset_unavailable]" in said
    assert "--data ." in said


def test_another_revision_is_not_mixed_into_a_copy(tmp_path: Path) -> None:
    home = tmp_path / "LiquidAI" / "nanobeir-multilingual-extended"
    home.mkdir(parents=True)
    (home / "revision.json").write_text('{"revision": "0123"}')
    with pytest.raises(MalformedDocumentError, match="holds revision 0123"):
        next(nanobeir.download(Wanted(), tmp_path))
    (home / "revision.json").write_text("[]")
    with pytest.raises(MalformedDocumentError, match="names no revision"):
        next(nanobeir.download(Wanted(), tmp_path))


DENSE = """
import sys
from eval.dense import DenseModel
from eval.rivals import load_rivals
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import Lfm2ColbertError

try:
    [(name, model)] = load_rivals([sys.argv[1]], HashingEncoder()).items()
except Lfm2ColbertError as error:
    sys.exit(f"error[{error.code}] {error.message} help: {error.help}")
print(name, isinstance(model, DenseModel), *model.encode_documents(["東京"])[0].tolist())
"""


@pytest.mark.slow
@pytest.mark.torch
def test_a_pinned_model_of_the_hub_is_a_dense_baseline(
    hub: Hub, tmp_path: Path, write_dense_model: Callable[..., Path]
) -> None:
    pytest.importorskip("sentence_transformers")
    root, environment = hub
    folder = write_dense_model(root / "some-org" / "tiny-bert")
    (folder / "training.py").write_text("never fetched")
    output, said = run(DENSE, f"some-org/tiny-bert@{COMMIT}", environment=environment, folder=tmp_path)
    assert output.startswith("tiny-bert True "), said
    (folder / "training.py").unlink()
    expected = load_dense(folder, "tiny-bert").encode_documents(["東京"])[0]
    assert [float(value) for value in output.split()[2:]] == pytest.approx(expected.tolist(), abs=1e-6)
    unreachable = {**environment, "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert run(DENSE, f"some-org/tiny-bert@{COMMIT}", environment=unreachable, folder=tmp_path)[0] == output
    _, said = run(DENSE, f"some-org/another@{COMMIT}", environment=environment, folder=tmp_path)
    assert said.splitlines()[-1].startswith("error[model_unavailable] some-org/another is not on this machine")
