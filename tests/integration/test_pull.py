"""Weights come from a hub to this machine and to one without a network, whole, pinned, and with their licence shown."""

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfm2_colbert.checkpoint import open_checkpoint
from lfm2_colbert.encoders.loading import HUB_MODELS, on_hub
from lfm2_colbert.errors import (
    CorruptionError,
    ModelUnavailableError,
    NotFoundError,
    StorageError,
    UnknownNameError,
    UnsafeModelError,
)
from lfm2_colbert.hub import HubModel, local_folder
from lfm2_colbert.pulling import placing
from lfm2_colbert.pulling.carrying import carry
from lfm2_colbert.pulling.names import carried, model_of, pullable
from lfm2_colbert.pulling.placing import Place
from lfm2_colbert.pulling.sums import FILE, read_sums, require_sums, safe_name, write_sums

pytest.importorskip("huggingface_hub")

NAME = "lfm2.5-colbert-350m"
MODEL = HUB_MODELS[NAME]
COMMIT = "0123456789" * 4
WEIGHTS = "model.safetensors"
NOT_FETCHED = ("modeling.py", "pytorch_model.bin", "README.md", "onnx/model.onnx")
UNREACHABLE = {"HF_ENDPOINT": "http://127.0.0.1:9"}


@dataclass(frozen=True)
class Machine:
    """A machine with a home and a cache of its own, and the hub that it sees."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LFM2_COLBERT_HOME": str(self.folder / "home"), **self.environment}
        environment["HF_HOME"] = str(self.folder / "hf")
        command = [sys.executable, "-m", "service", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    @property
    def cache(self) -> Path:
        return self.folder / "hf" / "hub"


@pytest.fixture
def published(
    hub: tuple[Path, Mapping[str, str]], write_checkpoint: Callable[..., Path]
) -> tuple[Path, Mapping[str, str]]:
    """A hub that has a tiny random encoder under the name of the real one, and files that are none of its business."""
    root, environment = hub
    folder = write_checkpoint(root / MODEL.repository)
    for name in NOT_FETCHED:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("never fetched")
    return folder, environment


@pytest.fixture
def machine(tmp_path: Path, published: tuple[Path, Mapping[str, str]]) -> Machine:
    return Machine(tmp_path / "connected", published[1])


@pytest.fixture
def apart(tmp_path: Path) -> Machine:
    """A machine without a network."""
    return Machine(tmp_path / "apart", UNREACHABLE)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fetched(source: Path) -> dict[str, bytes]:
    return {name: content for name, content in contents(source).items() if name not in NOT_FETCHED}


def test_a_pulled_model_is_the_hubs_files_without_code(
    published: tuple[Path, Mapping[str, str]], machine: Machine, apart: Machine, tmp_path: Path
) -> None:
    source, _ = published
    pulled = json.loads(machine.run("pull", NAME, "--yes", "--json").stdout)["models"][0]
    identity = (NAME, MODEL.repository, MODEL.revision, "LFM Open License v1.0")
    assert tuple(pulled[key] for key in ("name", "repository", "revision", "licence")) == identity
    folder = Path(pulled["folder"])
    assert folder == machine.cache / MODEL.place
    kept = contents(folder)
    sums = kept.pop(FILE).decode()
    assert kept == fetched(source)
    assert pulled["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in kept.items()}
    assert pulled["bytes"] == sum(map(len, kept.values()))
    assert sums == "".join(f"{digest}  {name}\n" for name, digest in sorted(pulled["files"].items()))
    assert local_folder(MODEL, cache=machine.cache, offline=True).samefile(folder)
    carried_to = tmp_path / "stick"
    said = machine.run("pull", NAME, "--to", carried_to)
    assert said.returncode == 0
    assert "lfm2-colbert pull --from-dir stick" in said.stdout
    assert not any(path.is_symlink() for path in carried_to.rglob("*"))
    refused = apart.run("pull", "--from-dir", carried_to)
    assert (refused.returncode, "error[licence_not_accepted]" in refused.stderr) == (2, True)
    assert apart.run("pull", "--from-dir", carried_to, "--accept-licence").returncode == 0
    assert contents(apart.cache / MODEL.place) == contents(folder)
    before, after = (open_checkpoint(path) for path in (source_only(source, tmp_path), apart.cache / MODEL.place))
    assert after.fingerprint == before.fingerprint


def source_only(source: Path, tmp_path: Path) -> Path:
    """Copy what is fetched of a repository."""
    for name, content in fetched(source).items():
        path = tmp_path / "fetched" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "fetched"


def test_the_licence_is_shown_and_asked_for_once(machine: Machine) -> None:
    refused = machine.run("pull", NAME)
    assert refused.returncode == 2
    assert "10 M USD yearly revenue" in refused.stderr
    assert "error[licence_not_accepted] the LFM Open License v1.0" in refused.stderr
    assert "--accept-licence" in refused.stderr
    indexed = machine.run("index", "examples/documents/ja", "--model", NAME)
    assert (indexed.returncode, f"lfm2-colbert pull {NAME}" in indexed.stderr) == (4, True)
    assert not machine.cache.exists()
    assert machine.run("pull", NAME, "--accept-licence").returncode == 0
    again = machine.run("pull", NAME)
    assert (again.returncode, "revenue" in again.stderr) == (0, False)
    assert "sha256 ok" in again.stdout


def test_a_download_that_broke_off_goes_on_where_it_was(
    published: tuple[Path, Mapping[str, str]], machine: Machine, hub_breaks: dict[str, int]
) -> None:
    hub_breaks[WEIGHTS] = 1000
    broken = machine.run("pull", NAME, "--yes")
    assert (broken.returncode, "error[model_unavailable]" in broken.stderr) == (4, True)
    assert "run it again: it goes on" in broken.stderr
    place = Place(machine.cache, MODEL)
    part = place.unfinished / f"{WEIGHTS}.part"
    assert part.read_bytes() == (published[0] / WEIGHTS).read_bytes()[:1000]
    assert not place.folder.exists()
    # What is there is not fetched again: put another first byte, and the digest tells.
    part.write_bytes(b"\xff" + part.read_bytes()[1:])
    spoiled = machine.run("pull", NAME)
    assert (spoiled.returncode, "error[corrupt_data]" in spoiled.stderr) == (3, True)
    assert not part.exists()
    assert machine.run("pull", NAME).returncode == 0
    assert (place.folder / WEIGHTS).read_bytes() == (published[0] / WEIGHTS).read_bytes()
    assert not place.unfinished.exists()


@pytest.mark.slow
def test_what_another_library_left_half_fetched_is_completed(
    published: tuple[Path, Mapping[str, str]], machine: Machine
) -> None:
    folder = machine.cache / MODEL.place
    folder.mkdir(parents=True)
    shutil.copy(published[0] / "config.json", folder)
    (folder / "tokenizer.json").write_text("{}")
    assert machine.run("pull", NAME, "--yes").returncode == 0
    kept = contents(folder)
    del kept[FILE]
    assert kept == fetched(published[0])


@pytest.mark.slow
def test_files_that_changed_after_they_were_pulled_are_found(machine: Machine) -> None:
    assert machine.run("pull", NAME, "--yes").returncode == 0
    path = machine.cache / MODEL.place / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    again = machine.run("pull", NAME)
    assert (again.returncode, f"{path} is not what was pulled" in again.stderr) == (3, True)


@pytest.mark.slow
def test_a_model_that_is_no_late_interaction_encoder_never_gets_its_place(
    published: tuple[Path, Mapping[str, str]], machine: Machine
) -> None:
    modules = json.loads((published[0] / "modules.json").read_text())
    modules[1]["type"] = "sentence_transformers.models.Pooling"
    (published[0] / "modules.json").write_text(json.dumps(modules))
    outcome = machine.run("pull", NAME, "--yes")
    assert (outcome.returncode, "error[unsafe_model]" in outcome.stderr) == (3, True)
    assert not (machine.cache / MODEL.place).exists()


@pytest.mark.parametrize("name", [NAME, f"lfm2-1.2b-rag@{COMMIT}"])
def test_without_weights_and_network_the_way_out_is_to_carry_them(apart: Machine, name: str) -> None:
    outcome = apart.run("pull", name, "--yes")
    assert outcome.returncode == 4
    assert "error[model_unavailable]" in outcome.stderr
    assert f"lfm2-colbert pull {name} --to FOLDER" in outcome.stderr
    assert "pull --from-dir FOLDER" in outcome.stderr


@pytest.mark.usefixtures("no_network")
def test_loading_never_fetches_weights_whose_licence_was_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="is not on this machine") as caught:
        local_folder(MODEL, cache=tmp_path)
    assert caught.value.help.startswith(f"lfm2-colbert pull {NAME}.")
    assert "--from-dir FOLDER" in caught.value.help


@pytest.mark.slow
def test_a_language_model_is_pulled_at_the_commit_that_is_named(
    hub: tuple[Path, Mapping[str, str]], machine: Machine
) -> None:
    repository = hub[0] / "LiquidAI" / "LFM2-1.2B-RAG"
    repository.mkdir(parents=True)
    files = {"config.json": "{}", "tokenizer.json": "{}", "model.safetensors": "東京", "chat.py": "never"}
    for name, text in files.items():
        (repository / name).write_text(text, encoding="utf-8")
    unnamed = machine.run("pull", "lfm2-1.2b-rag", "--yes")
    assert (unnamed.returncode, "no revision of LiquidAI/LFM2-1.2B-RAG is pinned" in unnamed.stderr) == (4, True)
    outcome = machine.run("pull", f"lfm2-1.2b-rag@{COMMIT}", "--yes")
    assert outcome.returncode == 0, outcome.stderr
    folder = machine.cache / "models--LiquidAI--LFM2-1.2B-RAG" / "snapshots" / COMMIT
    assert set(contents(folder)) == {*files, FILE} - {"chat.py"}
    assert f"--llm lfm2-1.2b-rag@{COMMIT}" in outcome.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "error[invalid_argument] no model was named"),
        (("lfm2.5-colbert-350"), 2, "did you mean 'lfm2.5-colbert-350m'?"),
        (("nano"), 2, "'nano' comes with this program"),
        (("intfloat/e5-base"), 2, "error[unknown_name]"),
        ((NAME, "--to", "a", "--from-dir", "."), 2, "exclude each other"),
        (("--from-dir", "."), 2, "holds no model"),
    ],
)
def test_what_cannot_be_pulled_is_said(run: Any, arguments: tuple[str, ...] | str, status: int, said: str) -> None:
    outcome = run("pull", *([arguments] if isinstance(arguments, str) else arguments))
    assert (outcome.status, said in outcome.err) == (status, True), outcome.err


def pulled(folder: Path, source: Path, model: HubModel = MODEL) -> Path:
    """Lay a model out as it is carried."""
    target = folder / model.place
    shutil.copytree(source, target)
    write_sums(target, {name: hashlib.sha256(content).hexdigest() for name, content in contents(source).items()})
    return target


def test_carrying_gives_the_same_files_or_nothing(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    source = pulled(tmp_path / "a", write_checkpoint(tmp_path / "source"))
    place = Place(tmp_path / "b", MODEL)
    done: list[tuple[int, int]] = []
    assert carry(source, place, lambda *each: done.append(each)) == read_sums(source)
    assert contents(place.folder) == contents(source)
    n_bytes = sum(len(content) for name, content in contents(source).items() if name != FILE)
    assert (done[0], done[-1]) == ((0, n_bytes), (n_bytes, n_bytes))
    assert carry(source, place) == read_sums(source)
    (source / WEIGHTS).write_bytes((source / WEIGHTS).read_bytes()[:-4] + b"oops")
    with pytest.raises(CorruptionError, match="not what was pulled"):
        carry(source, Place(tmp_path / "c", MODEL))
    assert not (tmp_path / "c" / MODEL.place).exists()


class Typed(io.StringIO):
    """What a person types at a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_person_is_asked_for_the_licence_and_may_say_no(
    run: Any, tmp_path: Path, write_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    source = pulled(tmp_path / "stick", write_checkpoint(tmp_path / "source"))
    for typed, status in (("n\n", 2), ("y\n", 0), ("", 0)):
        monkeypatch.setattr("sys.stdin", Typed(typed))
        outcome = run("pull", "--from-dir", tmp_path / "stick")
        assert (outcome.status, "Accept it?" in outcome.err) == (status, bool(typed)), outcome.err
        assert (tmp_path / "cache" / MODEL.place).exists() is (status == 0)
    assert contents(tmp_path / "cache" / MODEL.place) == contents(source)
    licences = tmp_path / "home" / ".service" / "licences.json"
    assert list(json.loads(licences.read_text())) == ["LFM Open License v1.0"]
    licences.write_text("[]")
    unreadable = run("pull", "--from-dir", tmp_path / "stick")
    assert (unreadable.status, "error[corrupt_data]" in unreadable.err) == (3, True)


def test_a_carried_folder_with_code_in_it_is_refused(tmp_path: Path, write_checkpoint: Callable[..., Path]) -> None:
    source = pulled(tmp_path / "a", write_checkpoint(tmp_path / "source"))
    (source / "modeling.py").write_text("")
    with pytest.raises(UnsafeModelError, match="custom code"):
        carry(source, Place(tmp_path / "b", MODEL))


def test_a_model_that_does_not_fit_is_refused_before_it_is_begun(
    tmp_path: Path, write_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pulled(tmp_path / "a", write_checkpoint(tmp_path / "source"))
    monkeypatch.setattr(placing, "SPARE_BYTES", 1 << 62)
    with pytest.raises(StorageError, match="are free in") as caught:
        carry(source, Place(tmp_path / "b", MODEL))
    assert "HF_HUB_CACHE" in caught.value.help
    assert not (tmp_path / "b" / MODEL.place).exists()


def test_a_model_is_found_by_its_repository_and_commit(tmp_path: Path) -> None:
    other = replace(MODEL, revision=COMMIT, name=f"{NAME}@{COMMIT}")
    models = [MODEL, other, pullable(f"lfm2-350m@{COMMIT}"), pullable(f"some-org/tiny--bert@{COMMIT}")]
    for model in models:
        (tmp_path / model.place).mkdir(parents=True)
        assert model_of(model.repository, model.revision) == model
        assert (on_hub(model.name) or pullable(model.name)) == model
    found = carried(tmp_path)
    assert sorted(model.name for model in found) == sorted(model.name for model in models)
    assert [model.name for model in carried(tmp_path, ["lfm2-350m"])] == [f"lfm2-350m@{COMMIT}"]
    with pytest.raises(NotFoundError, match="no 'lfm2-700m'") as caught:
        carried(tmp_path, ["lfm2-700m"])
    assert f"did you mean 'lfm2-350m@{COMMIT}'" in caught.value.help or "known: " in caught.value.help
    with pytest.raises(UnknownNameError):
        pullable(f"lfm3-350m@{COMMIT}")


@pytest.mark.parametrize("name", ["", "..", "../x", "/x", "a/../../x", "a//b", "./a", "a\\b", ".", "a\nb", "a\x00"])
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeModelError):
        safe_name(name)
    if name and "\n" not in name:
        (tmp_path / FILE).write_text(f"{'0' * 64}  {name}\n")
        with pytest.raises(UnsafeModelError):
            read_sums(tmp_path)


def _is_safe(name: str) -> bool:
    with contextlib.suppress(UnsafeModelError):
        return safe_name(name) == name
    return False


@given(st.dictionaries(st.text(min_size=1).filter(_is_safe), st.binary(min_size=32, max_size=32).map(bytes.hex)))
def test_sums_are_read_as_they_were_written(sums: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_sums(Path(folder), sums)
        if sums:
            assert read_sums(Path(folder)) == sums
        for name in sums:
            assert (Path(folder) / name).resolve().is_relative_to(Path(folder).resolve())


def test_sums_are_what_sha256sum_reads_and_writes(tmp_path: Path) -> None:
    files = {"東京.json": "{}", "1_Dense/a b.safetensors": "ｘ"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    write_sums(tmp_path, {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()})
    assert set(require_sums(tmp_path)) == set(files)
    if tool := shutil.which("sha256sum"):
        assert subprocess.run([tool, "-c", "--strict", FILE], cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "東京.json").unlink()
    with pytest.raises(CorruptionError, match="missing"):
        require_sums(tmp_path)
    (tmp_path / FILE).write_text("no sum\n")
    with pytest.raises(CorruptionError, match="cannot be read"):
        read_sums(tmp_path)


@pytest.mark.slow
@pytest.mark.torch
def test_a_carried_encoder_searches_where_there_is_no_network(
    published: tuple[Path, Mapping[str, str]], apart: Machine, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    pulled(tmp_path / "stick", source_only(published[0], tmp_path))
    assert apart.run("pull", "--from-dir", tmp_path / "stick", "--yes").returncode == 0
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "東京.txt").write_text("東京は日本の首都です。", encoding="utf-8")
    indexed = apart.run("index", tmp_path / "docs", "--model", NAME, "--json")
    assert json.loads(indexed.stdout)["added"] == 1, indexed.stderr
    hits = json.loads(apart.run("search", "日本の首都", "--json").stdout)["hits"]
    assert [hit["document_id"] for hit in hits] == ["東京.txt"]
