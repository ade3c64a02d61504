"""Nothing phones home: ONNX Runtime's wheels would, so only one module loads it, and that one tells it not to."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADING = re.compile(r"^\s*(import onnxruntime|from onnxruntime)", re.MULTILINE)
USE = "import time\nfrom lfm2_colbert import load_encoder\nload_encoder('nano').encode_queries(['a'])\n"


def without_the_variable() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}


def test_one_module_alone_loads_the_runtime() -> None:
    packages = ("lfm2_colbert", "index", "eval", "service")
    found = [
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if LOADING.search(path.read_text("utf-8"))
    ]
    assert found == ["lfm2_colbert/encoders/quiet_runtime.py"]


def test_it_is_told_before_it_is_loaded() -> None:
    shown = f"{USE}import os\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", shown], capture_output=True, text=True, check=True, env=without_the_variable()
    )
    assert done.stdout.strip() == "1"


@pytest.mark.slow
def test_no_name_is_looked_up(tmp_path: Path) -> None:
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=connect", "-o", str(trace), sys.executable, "-c", f"{USE}time.sleep(10)"]
    subprocess.run(command, check=True, env=without_the_variable(), cwd=ROOT)
    assert [line for line in trace.read_text("utf-8").splitlines() if "AF_INET" in line] == []
