"""Libraries: those that the program needs, those of its extras, and how they were built."""

import platform
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, metadata, requires, version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from service.doctor.finding import Asked, Finding, State, fine, warning

OURS = "lfm2-colbert"
APART = frozenset({"beir", "mteb", "docs", "interop"})
"""Extras that hardly anybody has: not being there is not worth a word."""
OPENMP = re.compile(r"lib(omp|iomp5|gomp)[.\d]*\.dylib")
OPENMP_USERS = ("torch", "faiss-cpu", "onnxruntime", "scikit-learn")
ROOT = Path("/")
NVIDIA_PLACES = ("dev/nvidia0", "usr/lib/wsl/lib/libcuda.so.1")
"""What is there where a driver is that names no GPU: in containers, and in the Windows Subsystem for Linux."""
UNNAMED = "an NVIDIA GPU"
REINSTALL = "uv tool install 'lfm2-colbert[torch]' --reinstall --torch-backend"


@dataclass(frozen=True, slots=True)
class TorchBuild:
    """The torch that is installed, read without importing it; `cuda` is "" in builds without."""

    version: str
    cuda: str


def libraries(asked: Asked) -> Iterator[Finding]:
    """What the base install needs is there, and new enough."""
    needed = requirements("")
    problems = [found for each in needed if (found := requirement_problem(each, State.ERROR))]
    yield from problems
    if not problems:
        yield fine("libraries", " · ".join(f"{each.name} {version(each.name)}" for each in needed))


def extras(asked: Asked) -> Iterator[Finding]:
    """Say which extras are installed; one with a library that is too old is not."""
    there: list[str] = []
    missing: list[str] = []
    for extra in metadata(OURS).get_all("Provides-Extra") or ():
        needed = requirements(extra)
        absent = [each for each in needed if installed(each.name) is None]
        (missing if absent else there).append(extra)
        if not absent:
            yield from (found for each in needed if (found := requirement_problem(each, State.WARNING, extra)))
    known = ", ".join(sorted(set(missing) - APART)) or "none"
    yield fine("extras", f"installed: {', '.join(there) or 'none'}; not installed: {known}")


def requirements(extra: str) -> list[Requirement]:
    """Give what the program needs for an extra, those of the extras that it is made of included; "": the base."""
    found = []
    for requirement in map(Requirement, requires(OURS) or ()):
        in_base = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if (requirement.marker and not requirement.marker.evaluate({"extra": extra})) or (extra and in_base):
            continue
        parts = [requirements(part) for part in sorted(requirement.extras)] if requirement.name == OURS else []
        found += [each for part in parts for each in part] if parts else [requirement]
    return found


def requirement_problem(requirement: Requirement, state: State, extra: str = "") -> Finding | None:
    """Say what is wrong with an installed library; None: nothing."""
    found = installed(requirement.name)
    if found is not None and requirement.specifier.contains(found, prereleases=True):
        return None
    wanted = f"{requirement.name}{requirement.specifier}"
    check = "extras" if extra else "libraries"
    if found is None:
        return Finding(check, state, "missing_library", f"{wanted} is not installed", f"pip install '{wanted}'")
    what = f"the extra '{extra}'" if extra else "lfm2-colbert"
    return Finding(
        check, state, "outdated_library", f"{what} needs {wanted}, {found} is installed", f"pip install '{wanted}'"
    )


def installed(name: str) -> str | None:
    """Give the version of a library; None: it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def torch(asked: Asked) -> Iterator[Finding]:
    """Torch is the build that this machine has use for."""
    yield torch_of(torch_build(), gpus())


def torch_of(build: TorchBuild | None, found: list[str]) -> Finding:
    """Judge a build of torch beside the GPUs of the machine."""
    if build is None:
        return fine("torch", "not installed; models of the hub need it, and training: the extra torch")
    if build.cuda and not found:
        return warning(
            "torch",
            "cuda_unused",
            f"torch {build.version} is a build for CUDA {build.cuda}, about 3 GB, and there is no NVIDIA driver",
            f"{REINSTALL} cpu",
        )
    if found and not build.cuda:
        return warning(
            "torch",
            "gpu_unused",
            f"there is {', '.join(found)}, and torch {build.version} is a build for CPUs: encoding is far slower",
            f"{REINSTALL} auto",
        )
    return fine("torch", f"{build.version}, {f'CUDA {build.cuda}' if build.cuda else 'for CPUs'}")


def torch_build() -> TorchBuild | None:
    """Read which torch is installed; None: none is."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    cuda = re.search(r"^cuda\b[^=]*=\s*['\"]([\d.]+)['\"]", text, re.MULTILINE)
    return TorchBuild(version("torch"), cuda[1] if cuda else "")


def gpus(root: Path = ROOT) -> list[str]:
    """Name the NVIDIA GPUs that this machine has a driver for."""
    texts = [path.read_text(errors="replace") for path in sorted(root.glob("proc/driver/nvidia/gpus/*/information"))]
    models = [re.search(r"^Model:\s*(.+)$", text, re.MULTILINE) for text in texts]
    unnamed = [UNNAMED] if not texts and any((root / place).exists() for place in NVIDIA_PLACES) else []
    return [model[1].strip() if model else UNNAMED for model in models] + unnamed


def kernels(asked: Asked) -> Iterator[Finding]:
    """Searching runs compiled code."""
    from index.native import kernels as chosen
    from index.native.library import LIBRARY

    yield kernels_of(chosen().variant, compiled=LIBRARY.exists())


def kernels_of(variant: str, *, compiled: bool) -> Finding:
    """Judge the code that scores."""
    if variant != "numpy":
        return fine("kernels", variant)
    if compiled:
        return fine("kernels", "numpy, as LFM2_COLBERT_KERNELS asks")
    return warning(
        "kernels",
        "kernels_missing",
        "numpy: no C++ compiler was there at installation, so searches are slower, with the same results",
        "install g++ or clang, and then lfm2-colbert again",
    )


def sqlite(asked: Asked) -> Iterator[Finding]:
    """SQLite is one that loses nothing."""
    import apsw

    from index.database import check_sqlite_version

    check_sqlite_version(apsw.sqlite_lib_version())
    yield fine("sqlite", apsw.sqlite_lib_version())


def openmp(asked: Asked) -> Iterator[Finding]:
    """On macOS, no two libraries bring an OpenMP of their own: a process that loads both may stop."""
    if platform.system() == "Darwin":
        yield openmp_of(_openmp_users())


def openmp_of(users: Iterable[str]) -> Finding:
    """Judge which libraries bring an OpenMP."""
    found = sorted(users)
    if len(found) < 2:
        return fine("openmp", "one at most")
    return warning(
        "openmp",
        "openmp_twice",
        f"{' and '.join(found)} each bring an OpenMP, which on macOS can stop a process that loads both",
        "where that happens: export OMP_NUM_THREADS=1",
    )


def _openmp_users() -> Iterator[str]:
    for name in OPENMP_USERS:
        if installed(name) and any(OPENMP.fullmatch(path.name) for path in distribution(name).files or ()):
            yield name
