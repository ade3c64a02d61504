"""Files of results: what is written comes back, and nothing is written that could not be made again."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.results_file import RESULTS, ROOT, commit_of, measured, read, require_code_of, rows_of_others, write
from benchmarks.serving import __main__ as serving
from lfm2_colbert.errors import InvalidArgumentError, InvalidConfigError, MalformedDocumentError, NotFoundError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
VALUES = st.text(max_size=8) | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(st.dictionaries(st.sampled_from(["system", "質", "ndcg_at_10"]), VALUES), max_size=4)


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "engine.py").write_text("1")
    (tmp_path / ".gitignore").write_text("data/\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


@given(rows=ROWS)
def test_what_is_written_comes_back(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("root")
    results = measured("engine", rows, commit=COMMIT, command="make bench", seed=7, libraries=["click"])
    path = write(results, root)
    values = json.loads(path.read_text(encoding="utf-8"))
    back = read("engine", root)
    assert (back.commit, back.command, back.seed, back.rows) == (COMMIT, "make bench", 7, results.rows)
    assert back.versions == results.versions
    assert {"python", "numpy", "click"} <= set(back.versions)
    assert values["machine"]["cpu"] == results.machine.cpu
    assert list(values) == ["name", "commit", "created", "command", "machine", "versions", "seed", "rows"]


@given(
    rows=st.lists(st.dictionaries(st.sampled_from("ab"), st.integers(0, 99), min_size=2), max_size=6), data=st.data()
)
def test_rows_are_in_one_order_whatever_order_they_came_in(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    ordered = measured("engine", [{"a": row["a"], "b": row["b"]} for row in rows], commit=COMMIT, command="", seed=0)
    again = measured("engine", [{"a": row["a"], "b": row["b"]} for row in shuffled], commit=COMMIT, command="", seed=0)
    assert again.rows == ordered.rows
    assert list(ordered.rows) == sorted(ordered.rows, key=lambda row: (row["a"], row["b"]))


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), [1], {"p50": 1}])
def test_a_figure_that_is_none_is_left_out_instead(value: object) -> None:
    with pytest.raises(InvalidArgumentError, match="ndcg"):
        measured("engine", [{"ndcg": value}], commit=COMMIT, command="", seed=0)


def test_a_clean_tree_is_its_commit(repository: Path) -> None:
    assert commit_of(repository) == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["engine.py", "new.py"])
def test_a_changed_tree_is_refused_by_name(repository: Path, name: str) -> None:
    (repository / name).write_text("2")
    with pytest.raises(InvalidArgumentError, match=name):
        commit_of(repository)


def test_a_changed_tree_can_be_tried_and_is_marked(repository: Path) -> None:
    (repository / "engine.py").write_text("2")
    assert commit_of(repository, allow_dirty=True) == git(repository, "rev-parse", "HEAD") + "-dirty"


def test_results_of_an_earlier_script_and_ignored_files_leave_the_tree_clean(repository: Path) -> None:
    write(measured("engine", [], commit=COMMIT, command="", seed=0), repository)
    (repository / "data").mkdir()
    (repository / "data" / "set.jsonl").write_text("{}")
    assert commit_of(repository) == git(repository, "rev-parse", "HEAD")


def test_a_folder_without_a_commit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="commit"):
        commit_of(tmp_path)


def test_code_of_another_folder_is_refused(tmp_path: Path) -> None:
    require_code_of(ROOT)
    with pytest.raises(InvalidArgumentError, match="lfm2_colbert"):
        require_code_of(tmp_path)


def test_rows_of_other_processors_stay_with_their_commit(tmp_path: Path) -> None:
    rows = [{"kernel": "a", "cpu": "old", "commit": "1" * 40}, {"kernel": "b", "cpu": "new"}, {"kernel": "c"}]
    assert rows_of_others("kernels", "new", tmp_path) == []
    written = measured("kernels", rows, commit="2" * 40, command="c", seed=0)
    write(written, tmp_path)
    unnamed = {"kernel": "c", "cpu": written.machine.cpu, "commit": "2" * 40}
    kept = rows_of_others("kernels", "new", tmp_path)
    assert sorted(kept, key=lambda row: row["kernel"]) == [rows[0], unnamed]


def test_results_that_are_missing_broken_or_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="engine"):
        read("engine", tmp_path)
    path = tmp_path / RESULTS / "engine.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(MalformedDocumentError, match="engine"):
        read("engine", tmp_path)
    path.write_text('{"figures": []}')
    with pytest.raises(InvalidConfigError, match="figures"):
        read("engine", tmp_path)


@pytest.mark.parametrize("path", sorted((ROOT / RESULTS).glob("*.json")), ids=lambda path: path.stem)
def test_committed_results_name_a_commit_and_hold_flat_rows(path: Path) -> None:
    results = read(path.stem)
    assert results.name == path.stem
    assert len(results.commit) == 40
    assert int(results.commit, 16)
    rewritten = measured(results.name, results.rows, commit=results.commit, command=results.command, seed=results.seed)
    assert rewritten.rows == results.rows


def test_a_row_takes_the_place_of_its_own_among_all_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "ROOT", tmp_path)
    (tmp_path / RESULTS).mkdir(parents=True)
    first, second = {"test": "S1", "runs": 1}, {"test": "S8", "runs": 2}
    other, again = {"test": "ready", "cpu": "a"}, {"test": "S1", "runs": 3}
    for row in (first, second, other, other | {"cpu": "b"}, again):
        path = serving.write_rows([row], COMMIT, "benchmarks.serving")
    assert json.loads(path.read_text(encoding="utf-8"))["rows"] == [again, second, other, other | {"cpu": "b"}]
