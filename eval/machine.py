"""Where figures were measured, and with which versions."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import xxhash

from lfm2_colbert.memory import machine_memory
from lfm2_colbert.processors import cpu_information, instruction_sets, usable_processors

LIBRARIES = ("lfm2-colbert", "numpy", "onnxruntime", "tokenizers")
TELLING_FLAGS = re.compile(r"avx2|avx512\w*|\w*vnni|\w*bf16")
PACKAGES = Path(__file__).resolve().parents[1]
CODE, CODE_SUFFIXES = ("lfm2_colbert", "index", "eval"), frozenset({".py", ".so"})


@dataclass(frozen=True, slots=True)
class Machine:
    """Where figures were measured.

    Attributes:
        cpu: the model's name.
        cores: that the process may use.
        memory_gb: of the machine; 0 where it does not tell.
        flags: instruction sets that decide the speed of kernels.
    """

    cpu: str
    cores: int
    memory_gb: int
    flags: tuple[str, ...]


def this_machine() -> Machine:
    """Describe the machine this runs on; what a system does not tell is "unknown"."""
    model = re.search(r"^model name\s*:\s*(.+)$", cpu_information(), re.MULTILINE)
    telling = sorted(flag for flag in instruction_sets() if TELLING_FLAGS.fullmatch(flag))
    return Machine(
        model[1].strip() if model else "unknown", usable_processors(), round(machine_memory() / 2**30), tuple(telling)
    )


def versions(libraries: Iterable[str] = ()) -> dict[str, str]:
    """Name the versions of Python and of the libraries that have a part in every figure, and of some more."""
    return {"python": sys.version.split()[0]} | {each: version(each) for each in (*LIBRARIES, *libraries)}


@cache
def code_fingerprint(packages: Path = PACKAGES) -> str:
    """Name the code that indexes, searches and measures, by its sources and kernels; changed code has another name."""
    digest = xxhash.xxh3_128()
    for package in CODE:
        for path in sorted(path for path in (packages / package).rglob("*") if path.suffix in CODE_SUFFIXES):
            digest.update(path.relative_to(packages).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
