"""The API's own description, tried by schemathesis: does each route do what is written there, whoever asks?

Read, write and admin keys ask in turn; a server passes where nothing is 5xx, no status is undocumented, no answer has
another shape than described, and no key is ignored.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.serving.server import Asking, serving_process
from service.keys import Keyring, Role

CONFIG = Path(__file__).with_name("schemathesis.toml")
CASES_PER_EXAMPLE = 35
"""What one example for each operation comes to, in all phases together, for one key; measured."""

BRIEF = 1000


@dataclass(slots=True)
class Tried:
    """What came of it: cases of each role."""

    cases: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


def try_contract(n_cases: int, seed: int) -> Tried:
    """Have some `n_cases` tried by keys of three roles; of a few, one role and less than all ways of trying."""
    found = Tried()
    examples = max(n_cases // len(Role) // CASES_PER_EXAMPLE, 1)
    brief = ("--phases", "examples,fuzzing") if n_cases < BRIEF else ()
    for role in (Role.ADMIN,) if brief else Role:
        with TemporaryDirectory() as folder:
            home = Path(folder) / "home"
            _, token = Keyring(home).create("contract", role)
            _, admin = Keyring(home).create("admin", Role.ADMIN)
            with serving_process(home, "--quiet") as (process, ask):
                _fill(ask.by(admin))
                options = ("--max-examples", str(examples), "--seed", str(seed), *brief)
                _run(found, role, ask.by(token), options, Path(folder))
                found.violations += [f"{role}: the server ended"] if process.poll() is not None else []
    return found


def _fill(ask: Asking) -> None:
    ask("POST", "/v1/collections", {"name": "pets"})
    ask.put("pets", {"id": "a", "text": "Der Hund schläft.", "metadata": {"lang": "de"}})


def _run(found: Tried, role: Role, ask: Asking, options: tuple[str, ...], folder: Path) -> None:
    report = folder / "report.json"
    command = [
        str(Path(sys.executable).with_name("st")), "--config-file", str(CONFIG), "run", f"{ask.url}/openapi.json",
        "--mode", "all", "--checks", "all", "--workers", "1", *options,
        "-H", f"Authorization: {ask.headers['authorization']}", "--report", "json", "--report-json-path", str(report),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if not report.exists():
        found.violations.append(f"{role}: no report: {done.stdout[-500:]}{done.stderr[-500:]}")
        return
    told = json.loads(report.read_text(encoding="utf-8"))
    found.cases[str(role)] = told["test_cases"]["generated"]
    found.violations += [f"{role}: {json.dumps(each)[:500]}" for each in (*told["failures"], *told["errors"])]
