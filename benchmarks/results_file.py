"""Measured figures as JSON: what was measured, on which commit and machine, and how to measure it again.

Documents take figures from these files alone, so a file that could not be made again must not come into being.
"""

import json
import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.machine import Machine, this_machine, versions
from lfm2_colbert.config import from_mapping
from lfm2_colbert.errors import InvalidArgumentError, MalformedDocumentError, NotFoundError

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path("benchmarks") / "results"
PACKAGES = ("lfm2_colbert", "index", "eval", "service")
DIRTY = "-dirty"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """One file of results.

    Attributes:
        name: of the file, without its ending.
        commit: 40 hexadecimal digits; with ``-dirty`` where the tree differed from it.
        created: ISO 8601, UTC.
        command: how to measure it again, from the root of the repository.
        machine: where it was measured.
        versions: of Python and of the libraries that had a part in it.
        seed: of everything random.
        rows: flat; what was not measured is absent.
    """

    name: str
    commit: str
    created: str
    command: str
    machine: Machine
    versions: dict[str, str]
    seed: int
    rows: tuple[dict[str, Any], ...]


def processor() -> str:
    """Name this processor; one name may stand for several that differ in what decides speed."""
    machine = this_machine()
    if "avx512f" not in machine.flags:
        return f"{machine.cpu}, without AVX-512"
    is_zen_5 = machine.cpu.startswith("AMD") and "avx512_vp2intersect" in machine.flags  # AMD's others do without it
    return f"{machine.cpu}, Zen 5" if is_zen_5 else machine.cpu


def rows_of_others(name: str, cpu: str, root: Path = ROOT) -> list[dict[str, Any]]:
    """Give the rows of a results file that were measured on other processors than `cpu`; none without the file."""
    if not (root / RESULTS / f"{name}.json").exists():
        return []
    before = read(name, root)
    rows = ({"cpu": before.machine.cpu, "commit": before.commit} | row for row in before.rows)
    return [row for row in rows if row["cpu"] != cpu]


def measured(
    name: str, rows: Sequence[Row], *, commit: str, command: str, seed: int, libraries: Sequence[str] = ()
) -> Results:
    """Put rows beside everything that belongs to them; `libraries` come on top of those that every script uses.

    Raises:
        InvalidArgumentError: a value is nested, null, or not finite.
    """
    for row in rows:
        _require_flat(row)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    ordered = tuple(dict(row) for row in sorted(rows, key=_place))
    return Results(name, commit, created, command, this_machine(), versions(libraries), seed, ordered)


def write(results: Results, root: Path = ROOT) -> Path:
    """Write the file of these results, replacing an older one, and say where it is."""
    path = root / RESULTS / f"{results.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps(row, ensure_ascii=False) for row in results.rows]
    head = json.dumps(asdict(replace(results, rows=())), ensure_ascii=False, indent=1)
    body = ",\n".join(f"  {row}" for row in rows)  # a row a line: differences between two runs can be read
    text = head.removesuffix('"rows": []\n}') + f'"rows": [\n{body}\n ]\n}}\n'
    temporary = path.with_suffix(".json.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return path


def read(name: str, root: Path = ROOT) -> Results:
    """Read the file of results of this name.

    Raises:
        NotFoundError: nothing was measured under this name.
        MalformedDocumentError: the file is not JSON.
        InvalidConfigError: it has other keys than a file of results.
    """
    path = root / RESULTS / f"{name}.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"there are no results '{name}'", help="measure: make bench") from error
    except ValueError as error:
        raise MalformedDocumentError(f"{path.name} is not JSON", help="measure again: make bench") from error
    return from_mapping(Results, values)


def commit_of(root: Path, *, allow_dirty: bool = False) -> str:
    """Give the commit whose code is about to be measured; a tree that differs from it is marked by ``-dirty``.

    Files of results do not count: a script may run after another one has written its own.

    Raises:
        InvalidArgumentError: the tree differs and that was not allowed, or there is no commit.
    """
    commit = _git(root, "rev-parse", "HEAD").strip()
    changed = _git(root, "status", "--porcelain", "--", ".", f":(exclude){RESULTS.as_posix()}").splitlines()
    if changed and not allow_dirty:
        raise InvalidArgumentError(
            f"the working tree differs from commit {commit[:12]}: {', '.join(line[3:] for line in changed[:5])}",
            help="commit first, or measure in a clean clone; --allow-dirty marks the results as a trial",
        )
    return commit + DIRTY if changed else commit


def measured_commit(*, allow_dirty: bool = False) -> str:
    """Give the commit of this repository, as `commit_of` does, provided that its own code is what runs.

    Raises:
        InvalidArgumentError: the tree differs and that was not allowed, or a package comes from another folder.
    """
    require_code_of(ROOT)
    return commit_of(ROOT, allow_dirty=allow_dirty)


def require_code_of(root: Path) -> None:
    """Refuse packages that were loaded from elsewhere: an editable install may win over the folder one stands in.

    Raises:
        InvalidArgumentError: a package comes from another folder.
    """
    for package in PACKAGES:
        file = getattr(sys.modules.get(package), "__file__", None)
        if file and not Path(file).resolve().is_relative_to(root.resolve()):
            raise InvalidArgumentError(
                f"the package '{package}' was loaded from another folder than the repository that is measured",
                help="use an environment in which this repository is installed",
            )


def _git(root: Path, *arguments: str) -> str:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, encoding="utf-8"
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise InvalidArgumentError(
            "the commit that is measured cannot be told", help="measure in a clone of the repository, with git"
        ) from error


def _require_flat(row: Row) -> None:
    for key, value in row.items():
        if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
            raise InvalidArgumentError(f"the figure '{key}' is {value!r}", help="leave out what was not measured")


def _place(row: Row) -> list[tuple[str, str]]:
    """Sort by the columns in their order; those that name a row come first in it."""
    return [(key, f"{value:020.6f}" if isinstance(value, int | float) else value) for key, value in row.items()]
