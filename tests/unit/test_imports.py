"""Importing costs nothing: no torch, no runtime, no network, no logging, no reading of the environment."""

import json
import subprocess
import sys

import pytest

PACKAGES = ["lfm2_colbert", "index", "eval", "service"]
HEAVY = [
    "torch",
    "transformers",
    "sentence_transformers",
    "onnxruntime",
    "openvino",
    "onnx",
    "faiss",
    "huggingface_hub",
]
PROGRAM = """
import json, logging, os, socket, sys

class Environment(dict):
    def __getitem__(self, key):
        caller = sys._getframe(1)
        while caller.f_globals["__name__"] in ("os", "collections.abc", "_collections_abc"):
            caller = caller.f_back
        name = caller.f_globals.get("__name__", "")
        if name.partition(".")[0] in {packages!r}:
            read.append(f"{{name}} reads {{key!r}}")
        return super().__getitem__(key)

read, connected = [], []
os.environ._data = Environment(os.environ._data)
sys.addaudithook(lambda event, args: connected.append(event) if event.startswith("socket.") else None)
from {package} import __name__ as loaded
print(json.dumps({{
    "modules": sorted({{name.partition(".")[0] for name in sys.modules}}),
    "handlers": len(logging.getLogger().handlers),
    "read": read,
    "connected": [event for event in connected if event in ("socket.connect", "socket.getaddrinfo")],
}}))
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_costs_nothing(package: str) -> None:
    program = PROGRAM.format(package=package, packages=set(PACKAGES))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert not set(seen["modules"]) & set(HEAVY)
    assert (seen["handlers"], seen["read"], seen["connected"]) == (0, [], [])


def test_the_encoder_package_loads_no_numpy_until_something_is_used() -> None:
    program = "import sys; from lfm2_colbert import __all__ as names; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_default_encoder_runs_without_torch() -> None:
    program = """
import sys
from lfm2_colbert import load_encoder
load_encoder("nano").encode_queries(["Guten Tag"])
sys.exit(", ".join({"torch", "transformers", "onnx"} & set(sys.modules)) or 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_server_gets_ready_without_what_few_ask_of_it() -> None:
    program = 'import sys, service.http.serving; sys.exit(", ".join({"mcp", "torch", "rich"} & set(sys.modules)) or 0)'
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_public_names_are_what_they_say() -> None:
    import lfm2_colbert

    for name in lfm2_colbert.__all__:
        assert getattr(lfm2_colbert, name).__name__ == name
    with pytest.raises(AttributeError, match="mystery"):
        _ = lfm2_colbert.mystery
