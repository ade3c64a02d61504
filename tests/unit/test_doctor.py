"""Each check of the doctor says what is wrong, in a code, with one way out; and nothing where nothing is."""

import fcntl
import os
import re
import shutil
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import apsw
import pytest
from packaging.requirements import Requirement

from eval.machine import Machine
from index import Collection, Document
from index.home import STORE_FILE, list_collections
from index.lock import LOCK_FILE, WriterLock, writer_of
from index.store import SEGMENTS_FOLDER
from lfm2_colbert.encoders.loading import HUB_MODELS
from lfm2_colbert.pulling.placing import Place
from service.doctor import checks, models, storage
from service.doctor.checks import CHECKS, examine
from service.doctor.finding import Asked, Finding, State, fine
from service.doctor.libraries import (
    TorchBuild,
    extras,
    gpus,
    kernels_of,
    libraries,
    openmp_of,
    requirement_problem,
    requirements,
    torch_build,
    torch_of,
)
from service.doctor.machine import port_of, terminal_of
from service.doctor.models import hub
from service.doctor.storage import collections, home, network_file_system, space_of
from service.doctor.variables import environment, unknown
from service.listening import listener_of
from service.settings import VARIABLES, Settings

CPU, CUDA = TorchBuild("2.13.0+cpu", ""), TorchBuild("2.13.0", "13.0")


def asked(home: Path | None = None, model: str = "hashing") -> Asked:
    return Asked(Settings(home, as_json=False, debug=False, device="cpu", threads=1), model)


def judged(finding: Finding) -> tuple[str, str]:
    assert (finding.state is State.OK) == (finding.code == "ok") == (not finding.help)
    return finding.state, finding.code


def only(found: Any) -> Finding:
    (finding,) = found
    return finding  # type: ignore[no-any-return]


def test_a_machine_that_is_fit_passes_every_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    found = list(examine(asked(tmp_path)))
    assert [finding.message for finding in found if finding.state is State.ERROR] == []
    assert {finding.check for finding in found} == CHECKS.keys() - {"openmp"}
    encoder = next(finding.message for finding in found if finding.check == "encoder")
    assert encoder.startswith("hashing, ")
    assert "passages/s" in encoder


@pytest.mark.parametrize(
    ("model", "device", "flags", "named"),
    [
        ("nano", "auto", ("amx_bf16",), True),
        ("nano", "cpu", ("amx_bf16", "avx2"), True),
        ("nano", "auto", ("avx512_bf16",), True),
        ("nano", "cpu", ("avx2",), False),
        ("nano", "openvino", ("amx_bf16",), False),
        ("nano", "auto", ("avx2", "avx_vnni"), False),
        ("nano", "auto", ("avx2", "avx512f", "avx512_vnni"), False),
        ("nano", "auto", (), False),
        ("hashing", "auto", ("amx_bf16",), False),
    ],
)
def test_openvino_is_named_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, model: str, device: str, flags: tuple[str, ...], named: bool
) -> None:
    monkeypatch.setattr(models, "this_machine", lambda: Machine("", 2, 24, flags))
    settings = Settings(None, as_json=False, debug=False, device=device, threads=1)
    assert ("--device openvino" in only(models.encoder(Asked(settings, model))).message) == named


def test_an_error_of_a_check_is_what_it_found(tmp_path: Path) -> None:
    found = {finding.check: finding for finding in examine(asked(tmp_path, model="nanno"))}
    assert (found["encoder"].state, found["encoder"].code) == (State.ERROR, "unknown_encoder")
    assert "did you mean 'nano'?" in found["encoder"].help


@pytest.mark.parametrize(
    ("build", "found", "expected"),
    [
        (None, ["RTX 4070"], ("ok", "ok")),
        (CPU, [], ("ok", "ok")),
        (CUDA, ["RTX 4070"], ("ok", "ok")),
        (CUDA, [], ("warning", "cuda_unused")),
        (CPU, ["RTX 4070"], ("warning", "gpu_unused")),
    ],
)
def test_torch_is_the_build_that_the_machine_has_use_for(
    build: TorchBuild | None, found: list[str], expected: tuple[str, str]
) -> None:
    finding = torch_of(build, found)
    assert judged(finding) == expected
    if finding.help:
        assert finding.help.endswith("--torch-backend auto" if found else "--torch-backend cpu")


@pytest.mark.torch
def test_the_build_of_torch_is_read_without_loading_it() -> None:
    torch = pytest.importorskip("torch")
    assert torch_build() == TorchBuild(str(torch.__version__), torch.version.cuda or "")


def test_gpus_are_those_that_the_driver_names(tmp_path: Path) -> None:
    assert gpus(tmp_path) == []
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    assert gpus(tmp_path) == ["an NVIDIA GPU"]
    for bus, text in {"0000:01:00.0": "Model: \t NVIDIA RTX 4070\nIRQ: 1\n", "0000:02:00.0": "IRQ: 2\n"}.items():
        folder = tmp_path / "proc" / "driver" / "nvidia" / "gpus" / bus
        folder.mkdir(parents=True)
        (folder / "information").write_text(text)
    assert gpus(tmp_path) == ["NVIDIA RTX 4070", "an NVIDIA GPU"]


def test_libraries_are_compared_with_what_is_asked_for() -> None:
    assert only(libraries(asked())).state is State.OK
    assert requirement_problem(Requirement("numpy>=2"), State.ERROR) is None
    old = requirement_problem(Requirement("numpy>=999"), State.ERROR)
    assert old is not None
    assert (old.state, old.code, old.help) == (State.ERROR, "outdated_library", "pip install 'numpy>=999'")
    absent = requirement_problem(Requirement("no-such-library>=1"), State.ERROR)
    assert absent is not None
    assert (absent.code, absent.help) == ("missing_library", "pip install 'no-such-library>=1'")


def test_an_extra_is_made_of_its_own_requirements_and_those_of_its_parts() -> None:
    names = {extra: {each.name for each in requirements(extra)} for extra in ("", "client", "serve", "torch")}
    assert {"numpy", "apsw"} <= names[""]
    assert names["client"] == {"httpx2"}
    assert names["client"] < names["serve"]
    assert not names[""] & names["torch"]
    assert "client" in only(extras(asked())).message


def test_kernels_that_were_not_compiled_are_a_warning() -> None:
    assert judged(kernels_of("avx2", compiled=True)) == ("ok", "ok")
    assert judged(kernels_of("numpy", compiled=True)) == ("ok", "ok")
    assert judged(kernels_of("numpy", compiled=False)) == ("warning", "kernels_missing")


def test_two_openmps_are_a_warning() -> None:
    assert judged(openmp_of(["torch"])) == ("ok", "ok")
    finding = openmp_of(["torch", "faiss-cpu"])
    assert judged(finding) == ("warning", "openmp_twice")
    assert finding.message.startswith("faiss-cpu and torch each")


@pytest.mark.parametrize(("encoding", "code"), [("utf-8", "ok"), ("UTF8", "ok"), ("latin-1", "encoding_not_utf8")])
def test_a_terminal_without_utf8_is_a_warning(encoding: str, code: str) -> None:
    assert terminal_of(encoding).code == code


def test_variables_that_nothing_reads_are_found() -> None:
    found = unknown({"LFM2_COLBERT_HOM": "x", "LFM2_COLBERT_HOME": "y"})
    finding = only(found)
    assert judged(finding) == ("warning", "unknown_variable")
    assert finding.help.startswith("did you mean 'LFM2_COLBERT_HOME'?")


def test_variables_that_say_what_cannot_be_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DEVICE": "gpu", "THREADS": "二", "KEY": "a secret"}.items():
        monkeypatch.setenv(f"LFM2_COLBERT_{name}", value)
    found = list(environment(asked()))
    assert [judged(finding) for finding in found] == [("error", "invalid_config")] * 2
    assert not any("secret" in finding.message + finding.help for finding in found)


def test_all_variables_that_are_read_are_known() -> None:
    root = Path(storage.__file__).parents[2]
    sources = [path for name in ("index", "service", "eval", "lfm2_colbert") for path in (root / name).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    read = {f"LFM2_COLBERT_{name}" for name in _named(text)}
    assert read == VARIABLES


def _named(text: str) -> set[str]:
    return set(re.findall(r'(?:\{PREFIX\}|"LFM2_COLBERT_)([A-Z_]+)"', text))


def test_the_process_that_has_the_port_is_named() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        number = listener.getsockname()[1]
        taken = port_of(number)
        assert judged(taken) == ("warning", "port_in_use")
        if Path("/proc/net/tcp").exists():
            assert listener_of(number).startswith(f"process {os.getpid()} (")
            assert listener_of(number) in taken.message
    assert judged(port_of(number)) == ("ok", "ok")
    assert listener_of(number) == ""


def test_nobody_listens_where_the_system_does_not_tell(tmp_path: Path) -> None:
    assert listener_of(8765, tmp_path) == ""


def test_a_home_that_may_not_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(next(home(asked(tmp_path / "new" / "home")))) == ("ok", "ok")
    (tmp_path / "file").touch()
    assert judged(only(home(asked(tmp_path / "file")))) == ("error", "permission_denied")
    monkeypatch.setattr("os.access", lambda path, mode: False)  # whoever runs the tests may be root
    assert judged(only(home(asked(tmp_path)))) == ("error", "permission_denied")


def test_little_space_is_a_warning() -> None:
    assert judged(space_of(Path("/home"), 2_000_000_000)) == ("ok", "ok")
    assert judged(space_of(Path("/home"), 900_000_000)) == ("warning", "little_space")


@pytest.mark.parametrize(("kind", "is_warned_of"), [("nfs4", True), ("ext4", False), ("fuse.sshfs", True)])
def test_a_network_file_system_is_a_warning(tmp_path: Path, kind: str, is_warned_of: bool) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\n")
    codes = [finding.code for finding in network_file_system(tmp_path / "home", mounts)]
    assert codes == ["network_file_system"] * is_warned_of
    assert list(network_file_system(Path("/elsewhere"), mounts)) == []
    assert list(network_file_system(tmp_path, tmp_path / "none")) == []


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A home with three collections."""
    for name in ("whole", "locked", "damaged"):
        with Collection.open(name, create=True, encoder="hashing", home=tmp_path) as made:
            made.add([Document("東京", "東京は日本の首都です。"), Document("de", "Der Hund schläft.")])
    return tmp_path


def test_collections_that_are_damaged_or_locked_are_named(three: Path) -> None:
    assert only(collections(asked(three))).message == "3: damaged, locked, whole"
    next((three / "damaged" / SEGMENTS_FOLDER).glob("*.seg*")).write_bytes(b"")
    lock = WriterLock(three / "locked")
    found = {finding.message.split("'")[1]: finding for finding in collections(asked(three))}
    lock.release()
    assert {name: judged(finding) for name, finding in found.items()} == {
        "damaged": ("error", "corrupt_data"),
        "locked": ("warning", "index_locked"),
    }
    assert found["damaged"].help == "lfm2-colbert repair -c damaged"
    assert f"process {os.getpid()} " in found["locked"].message


def test_a_collection_of_an_earlier_format_is_no_damage(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[1] / "golden" / "format-1" / "golden", tmp_path / "golden")
    assert judged(only(collections(asked(tmp_path)))) == ("ok", "ok")


def test_a_collection_of_a_newer_format_is_an_error(three: Path) -> None:
    connection = apsw.Connection(str(three / "whole" / STORE_FILE))
    connection.execute("PRAGMA user_version=99")
    connection.close()
    finding = only(collections(asked(three)))
    assert judged(finding) == ("error", "format_version")
    assert finding.message.startswith("'whole': ")


def test_a_look_at_the_lock_does_not_take_it(three: Path) -> None:
    folder = three / "whole"
    assert writer_of(folder) == ""
    WriterLock(folder).release()
    with (folder / LOCK_FILE).open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.truncate(0)
        assert writer_of(folder) == "another process"
    assert writer_of(three / "nowhere") == ""
    assert list_collections(three) == ["damaged", "locked", "whole"]


def test_a_collection_whose_encoder_is_not_here_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    with Collection.open("old", create=True, encoder="hashing", home=tmp_path) as made:
        made.add([Document("a", "ภาษาไทย")])
    monkeypatch.setattr(storage, "summary", lambda home, name: _Summary())
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    finding = only(collections(asked(tmp_path)))
    assert judged(finding) == ("warning", "model_unavailable")
    assert "'old' was built with lfm2.5-colbert-350m, which is not here" in finding.message
    assert "--from-dir" in finding.help


class _Summary:
    encoder = "lfm2.5-colbert-350m"


def test_models_of_the_hub_that_are_here_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_checkpoint: Callable[..., Path]
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert "here: none; not here: lfm2-colbert-350m, lfm2.5-colbert-350m" in only(hub(asked())).message
    write_checkpoint(tmp_path / "cache" / HUB_MODELS["lfm2-colbert-350m"].place)
    Place(tmp_path / "cache", HUB_MODELS["lfm2.5-colbert-350m"]).unfinished.mkdir(parents=True)
    begun, named = hub(asked())
    assert judged(begun) == ("warning", "download_unfinished")
    assert begun.help == "lfm2-colbert pull lfm2.5-colbert-350m goes on with it"
    assert "here: lfm2-colbert-350m; not here: lfm2.5-colbert-350m" in named.message


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, Any]], None]:
    return lambda instead: monkeypatch.setattr(checks, "CHECKS", instead)


def test_the_table_is_gone_through_in_order(table: Callable[[Mapping[str, Any]], None]) -> None:
    table({name: lambda asked, name=name: iter([fine(name, "")]) for name in ("b", "a")})
    assert [finding.check for finding in examine(asked())] == ["b", "a"]
