"""How far an evaluation has come."""

from collections.abc import Callable
from dataclasses import dataclass

from eval.report import TaskKey


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an evaluation has come.

    Attributes:
        task: that is worked on.
        number: of the task, from 1.
        total: tasks in all; 0 where that is not known.
        step: what is done: ``encode``, or the name of the system that is asked.
        done: of this step, 0..1.
    """

    task: TaskKey
    number: int
    total: int
    step: str
    done: float


OnProgress = Callable[[Progress], None]
