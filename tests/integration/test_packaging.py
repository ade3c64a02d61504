"""What is installed is whole, and the base install needs nothing of the extras."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from service.supported import SYSTEMS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        ".",
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_wheel_holds_every_file_of_the_four_packages_and_no_other(wheel: zipfile.ZipFile) -> None:
    packages = ("lfm2_colbert", "index", "eval", "service")
    ours = {
        str(path.relative_to(ROOT))
        for package in packages
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not {"__pycache__", "kernels"} & set(path.parts)
    } | {"index/native/libkernels.so"}
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == ours
    assert {f"{package}/py.typed" for package in packages} <= packed
    assert "lfm2_colbert/bundled/nano/model.onnx" in packed


@pytest.fixture(scope="module")
def pure_wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as a machine without any compiler builds it."""
    folder = tmp_path_factory.mktemp("pure")
    tools = folder / "bin"
    tools.mkdir()
    for name in ("sh", "uname", "env"):
        (tools / name).symlink_to(Path("/bin") / name if (Path("/bin") / name).exists() else Path("/usr/bin") / name)
    hidden = {key: value for key, value in os.environ.items() if key not in ("CC", "CXX", "PATH")} | {
        "PATH": str(tools)
    }
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        f"--config-settings=build-dir={folder / 'build'}",
        "-w",
        str(folder),
        ".",
    ]
    subprocess.run(command, cwd=ROOT, env=hidden, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_wheel_without_a_compiler_is_pure_python(pure_wheel: zipfile.ZipFile) -> None:
    assert Path(str(pure_wheel.filename)).name.endswith("py3-none-any.whl")
    assert "index/native/libkernels.so" not in pure_wheel.namelist()


def test_searches_are_the_same_without_a_compiler(
    wheel: zipfile.ZipFile, pure_wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    compiled, forced, pure = (
        searched(built, tmp_path / name, variables)
        for built, name, variables in (
            (wheel, "compiled", {}),
            (wheel, "forced", {"LFM2_COLBERT_KERNELS": "numpy"}),
            (pure_wheel, "pure", {}),
        )
    )
    assert compiled["variant"] != "numpy"
    assert (forced["variant"], pure["variant"]) == ("numpy", "numpy")
    for other in (forced, pure):
        for hits, expected in zip(other["hits"], compiled["hits"], strict=True):
            assert [name for name, _ in hits] == [name for name, _ in expected]
            assert [score for _, score in hits] == pytest.approx([score for _, score in expected], abs=1e-5)


SEARCH = """
import json, sys, tempfile
sys.path.insert(0, sys.argv[1])
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__.lower()]
import numpy as np
from index import Collection, Document, effort, native
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.multivectors import MultiVectors
assert native.__file__.startswith(sys.argv[1]), native.__file__
effort.EXHAUSTIVE_TOKENS = 1000
rng = np.random.default_rng(0)
items = [rng.standard_normal((int(rng.integers(2, 12)), 32)).astype(np.float32) for _ in range(400)]
items = [item / np.linalg.norm(item, axis=1, keepdims=True) for item in items]
with Collection.open("c", create=True, encoder=HashingEncoder(dim=32), home=tempfile.mkdtemp()) as collection:
    collection.add([Document(str(i), "日本") for i in range(400)], vectors=MultiVectors.of(items))
    hits = [collection.search_vectors(items[i], k=5, effort=e) for i in range(9) for e in ("fast", "balanced", "exact")]
print(json.dumps({"variant": native.kernels().variant, "hits": hits}))
"""


def searched(built: zipfile.ZipFile, folder: Path, variables: dict[str, str]) -> Any:
    """Search a small collection, clustering included, with what a wheel holds."""
    built.extractall(folder)
    environment = {key: value for key, value in os.environ.items() if key != "LFM2_COLBERT_KERNELS"} | variables
    command = [sys.executable, "-c", SEARCH, str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_wheel_brings_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    (entry,) = [name for name in names if name.endswith("entry_points.txt")]
    assert "lfm2-colbert=service.cli.main:main" in wheel.read(entry).decode().replace(" ", "")
    assert any(name.endswith("licenses/LICENSE") for name in names)


def extras_only() -> set[str]:
    """Import names of libraries that come with extras and not with the base install."""
    return {
        *("torch", "onnx", "huggingface_hub", "sentence_transformers", "transformers", "safetensors"),
        *("bm25s", "ir_measures", "datasets", "scipy", "matplotlib", "fastapi", "uvicorn", "pandas", "sklearn"),
    }


def test_index_and_search_work_with_the_base_install_alone(tmp_path: Path) -> None:
    program = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {extras_only()!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
from service.cli.main import main
main()
"""
    home = ["--home", str(tmp_path / "home"), "--json"]
    for arguments in (["index", "examples/documents/es", *home], ["search", "Horniman Museum", "-k", "1", *home]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert "Horniman" in json.loads(done.stdout)["hits"][0]["text"]


@pytest.mark.slow
def test_the_wheel_is_all_that_an_empty_environment_needs(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    made = subprocess.run(
        ["scripts/make_venv.sh", str(environment), str(wheel.filename)],
        cwd=ROOT, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    documents = str(ROOT / "examples" / "documents" / "es")
    asked = (["doctor"], ["index", documents], ["search", "Horniman Museum", "-k", "1"])
    variables = {"LFM2_COLBERT_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    said = []
    for arguments in asked:
        command = [str(environment / "bin" / "lfm2-colbert"), *arguments, "--json"]
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        said.append(json.loads(done.stdout))
    checks = {each["check"]: each for each in said[0]["checks"]}
    assert (said[0]["fit"], checks["torch"]["message"].partition(";")[0]) == (True, "not installed")
    missing = checks["extras"]["message"].partition("; not installed: ")[2].split(", ")
    assert {"eval", "serve", "torch", "train"} <= set(missing)
    assert "Horniman" in said[2]["hits"][0]["text"]


def test_the_systems_that_are_stated_are_those_that_are_supported(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    stated = re.findall(r"^Classifier: Operating System :: (?:\w+ :: )?(\w+)$", wheel.read(name).decode(), re.MULTILINE)
    assert {each.lower() for each in stated} == {each.lower() for each in SYSTEMS.values()}


def test_every_requirement_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lines = (ROOT / "constraints" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    apart = {"beir", "mteb", "interop"}  # each is installed on its own, if at all
    optional = project["project"]["optional-dependencies"]
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    wanted += [requirement for extra in optional if extra not in apart for requirement in optional[extra]]
    names = {requirement.partition("[")[0].partition(">")[0].partition("=")[0].lower() for requirement in wanted}
    assert names - {"lfm2-colbert"} <= pinned


def test_no_file_names_a_registry_or_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: nothing lists the files of the project")
    texts = [
        ROOT / name
        for name in listed.stdout.split("\0")
        if name.endswith((".py", ".md", ".txt", ".toml", ".sh", ".json"))
    ]
    hosts = ("files.python" + "hosted", "pypi" + ".org", "index" + "-url")
    found = [str(path) for path in texts if any(host in path.read_text(encoding="utf-8") for host in hosts)]
    assert not found
