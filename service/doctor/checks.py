"""The table of checks, and going through it."""

from collections.abc import Callable, Iterator, Mapping

from lfm2_colbert.errors import Lfm2ColbertError
from service.doctor.finding import Asked, Finding, error
from service.doctor.libraries import extras, kernels, libraries, openmp, sqlite, torch
from service.doctor.machine import port, python, terminal
from service.doctor.models import encoder, hub
from service.doctor.storage import collections, home
from service.doctor.variables import environment

CHECKS: Mapping[str, Callable[[Asked], Iterator[Finding]]] = {
    "python": python,
    "libraries": libraries,
    "extras": extras,
    "torch": torch,
    "openmp": openmp,
    "kernels": kernels,
    "sqlite": sqlite,
    "environment": environment,
    "terminal": terminal,
    "home": home,
    "collections": collections,
    "hub": hub,
    "encoder": encoder,
    "port": port,
}
"""Name → what gives its findings. An error of ours that one raises is what it found."""


def examine(asked: Asked) -> Iterator[Finding]:
    """Make all checks in turn."""
    for name, check in CHECKS.items():
        try:
            yield from check(asked)
        except Lfm2ColbertError as refused:
            yield error(name, refused.code, refused.message, refused.help)
