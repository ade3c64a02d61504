"""How far an evaluation has come, on standard error: a bar where somebody looks at it, else a line for each task."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.cli.output import print_line

if TYPE_CHECKING:
    from eval.progress import Progress as State
    from eval.report import TaskKey

BAR_WIDTH = 20
OWN, NAMED = "lfm2-colbert", ("oracle", "bm25")


@contextmanager
def progress() -> "Iterator[Callable[[State], None]]":
    """Give what takes the state of an evaluation and shows it while the block runs."""
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _Lines().show


class _Lines:
    """A line for each task that has something to do."""

    def __init__(self) -> None:
        self._last: TaskKey | None = None

    def show(self, state: "State") -> None:
        """Print the task, if it is a new one."""
        if state.task != self._last:
            self._last = state.task
            print_line(_task(state), err=True)


@contextmanager
def _bar() -> "Iterator[Callable[[State], None]]":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    what = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    fixed = [Column(no_wrap=True, min_width=width) for width in (BAR_WIDTH, 4, 7, 7)]
    columns = (
        what,
        BarColumn(BAR_WIDTH, table_column=fixed[0]),
        TaskProgressColumn(table_column=fixed[1]),
        TimeElapsedColumn(table_column=fixed[2]),
        TimeRemainingColumn(table_column=fixed[3]),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("begins", total=None)
        shown = ""

        def show(state: "State") -> None:
            nonlocal shown
            description = f"{_task(state)}  {_step(state.step)}"
            if description != shown:
                bars.reset(bar, description=description, total=1.0)
                shown = description
            bars.update(bar, completed=state.done)

        yield show


def _task(state: "State") -> str:
    from eval.tables import task_name

    place = f"{state.number} of {state.total}" if state.total else f"{state.number}"
    return f"{place}  {task_name(state.task)}"


def _step(step: str) -> str:
    """Shorten a system's name to what tells it from the others."""
    name, _, setting = step.partition(" ")
    if name == OWN:
        return setting.partition(" ")[0]
    return name if name in NAMED else step
