"""Where the program runs is said before anything else happens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lfm2_colbert.errors import UnsupportedPlatformError, UnsupportedPythonError
from service.supported import require_supported

# What Windows lacks is hidden, and the name of the system is another once all that is not ours has been imported.
WINDOWS = """
import sys, asyncio, click, multiprocessing
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "resource", "pwd", "grp", "termios"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
for name in ("fcntl", "resource"):
    sys.modules.pop(name, None)
from service.cli.main import main
sys.platform = "win32"
sys.argv = ["lfm2-colbert", *sys.argv[1:]]
main()
"""
MACOS = """
import os, sys
for name in ("sched_getaffinity", "sched_setaffinity", "posix_fallocate", "posix_fadvise"):
    delattr(os, name)
from service.cli.main import main
main()
"""


@pytest.mark.parametrize("arguments", [("doctor",), ("--help",)])
def test_windows_is_refused_with_a_sentence(arguments: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-c", WINDOWS, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        "error[unsupported_platform] lfm2-colbert runs on Linux and macOS, not on Windows",
        "help: on Windows, run it in the Windows Subsystem for Linux: wsl --install",
    ]


def test_an_old_python_is_refused_with_a_sentence() -> None:
    with pytest.raises(UnsupportedPythonError, match=r"needs Python 3\.11 or newer, this is 3\.10\.12") as caught:
        require_supported((3, 10, 12), "linux")
    assert "uv tool install --python 3.12" in caught.value.help


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_linux_and_macos_are_supported(system: str) -> None:
    require_supported((3, 11, 0), system)
    require_supported((3, 14, 1), system)


@pytest.mark.parametrize("system", ["win32", "cygwin", "freebsd14", "emscripten"])
def test_other_systems_are_named(system: str) -> None:
    with pytest.raises(UnsupportedPlatformError, match="Linux and macOS"):
        require_supported((3, 12, 0), system)


def test_without_what_only_linux_has_a_folder_is_indexed_and_searched(tmp_path: Path) -> None:
    (tmp_path / "東京.txt").write_text("東京は日本の首都です。", encoding="utf-8")
    common = ["--home", str(tmp_path / "home"), "--json"]
    hashing = ["--model", "hashing"]
    for arguments in (["index", str(tmp_path / "東京.txt"), *hashing], ["doctor", *hashing], ["search", "首都"]):
        command = [sys.executable, "-c", MACOS, *arguments, *common]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert [hit["document_id"] for hit in json.loads(done.stdout)["hits"]] == ["東京.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not say which processors a process may use")
def test_processors_are_those_that_the_process_may_use() -> None:
    program = (
        "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from lfm2_colbert.processors import usable_processors\nprint(usable_processors())"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"1\n"
