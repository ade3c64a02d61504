"""What an engine offers to be measured: it is built into a folder, opened from there, and asked one query at a time.

These modules run inside the engines' environments: at import they need NumPy and the standard library alone, and an
engine's own library is imported by the method that uses it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.multivectors import MultiVectors


@dataclass(frozen=True, slots=True)
class Environment:
    """Where an engine runs.

    Attributes:
        requirements: pinned, for a virtual environment of its own; none: the project's environment.
        modules: of the engine, imported before anything is measured.
        platforms: tags of wheels to install whatever this machine is called; none: those that pip would choose.
    """

    requirements: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """How an engine searches.

    Attributes:
        name: as results show it.
        parameters: by the names that the engine's documentation gives them.
    """

    name: str
    parameters: Mapping[str, Any]

    @classmethod
    def of(cls, **parameters: Any) -> "Setting":
        """Name a setting by its parameters."""
        return cls(" ".join(f"{key}={value}" for key, value in parameters.items()), parameters)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What every engine is built from.

    Attributes:
        passages: one item a passage, float16, unit norm.
        token_ids: ``(n_tokens,)`` uint32, what each vector stands for in the encoder's vocabulary.
    """

    passages: MultiVectors
    token_ids: NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The passages found for one query, best first.

    Attributes:
        passages: ``(n,)`` int64 numbers, at most k.
        scores: ``(n,)`` float32, larger is better.
    """

    passages: NDArray[np.int64]
    scores: NDArray[np.float32]


Search = Callable[[NDArray[np.float32], int], Found]
"""Query ``(n_q, dim)`` and k → the k best passages."""


class Engine(Protocol):
    """An engine under test."""

    environment: Environment
    settings: tuple[Setting, ...]

    def build(self, material: Material, folder: Path, threads: int) -> None:
        """Write an index into the empty `folder`, and nothing else: its size is measured."""

    def open(self, folder: Path, threads: int, setting: Setting) -> Search:
        """Open the index of `folder` for searches with one setting."""
