"""Nothing phones home: ONNX Runtime and OpenVINO would, so only one module loads each, and that one tells it not to."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALONE = {
    "onnxruntime": "lfm2_colbert/encoders/quiet_runtime.py",
    "openvino": "lfm2_colbert/encoders/openvino.py",
}
USE = "import time\nfrom lfm2_colbert import load_encoder\nload_encoder('nano', device='{}').encode_queries(['a'])\n"


def without_the_variable() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}


@pytest.mark.parametrize("library", ALONE)
def test_one_module_alone_loads_a_runtime(library: str) -> None:
    packages = ("lfm2_colbert", "index", "eval", "service")
    loading = re.compile(rf"^\s*(import|from) {library}\b", re.MULTILINE)
    found = [
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if loading.search(path.read_text("utf-8"))
    ]
    assert found == [ALONE[library]]


def test_it_is_told_before_it_is_loaded() -> None:
    shown = f"{USE.format('cpu')}import os\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    done = subprocess.run(
        [sys.executable, "-c", shown], capture_output=True, text=True, check=True, env=without_the_variable()
    )
    assert done.stdout.strip() == "1"


def test_openvino_reports_nothing_and_leaves_nothing_at_home(tmp_path: Path) -> None:
    pytest.importorskip("lfm2_colbert.encoders.openvino")
    shown = (
        f"{USE.format('openvino')}import sys\nprint([m for m in sys.modules if m.startswith('openvino_telemetry.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", shown], capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    if "does not run this model on this processor" in done.stderr:
        pytest.skip("OpenVINO does not run on this processor")
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "openvino"])
def test_no_name_is_looked_up(tmp_path: Path, device: str) -> None:
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=connect", "-o", str(trace), sys.executable, "-c"]
    subprocess.run([*command, f"{USE.format(device)}time.sleep(10)"], check=True, env=without_the_variable(), cwd=ROOT)
    assert [line for line in trace.read_text("utf-8").splitlines() if "AF_INET" in line] == []
