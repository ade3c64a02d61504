"""The commands `export collection` and `import` as a person meets them."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from index import Collection, Document
from index.importing import texts
from index.store import Store

Run = Callable[..., Any]


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A home as `run` has it, with a collection in it."""
    with Collection.open("pets", create=True, encoder="hashing", home=tmp_path / "home") as collection:
        collection.add([Document("de", "Der Hund schläft."), Document("ja", "犬は眠る。", {"x": 1})])
    return tmp_path


def test_what_goes_out_and_comes_in_is_told_as_json(run: Run, pets: Path) -> None:
    out = str(pets / "out")
    told = run("export", "collection", out, "-c", "pets", "--json").json
    assert told["destination"] == out
    assert told == {"destination": out, **json.loads((pets / "out" / "export.json").read_text(encoding="utf-8"))}
    report = run("import", out, "-c", "copy", "--json").json
    assert report.pop("seconds") >= 0
    assert report == {
        "documents": 2, "passages": 2, "added": 2, "changed": 0, "unchanged": 0, "encoded_passages": 0, "truncated": 0,
        "failed": [], "warnings": [],
    }  # fmt: skip
    copy, original = (run("get", "ja", "-c", name, "--json").json["documents"] for name in ("copy", "pets"))
    assert copy == original


def test_ctrl_c_ends_an_import_after_its_batch(run: Run, pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [json.dumps({"id": f"d{n}", "text": f"{n} 犬 Größe"}) for n in range(30)]
    (pets / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    monkeypatch.setattr(texts, "DOCUMENTS_PER_COMMIT", 10)
    put = Store.transaction

    def interrupted(store: Store) -> AbstractContextManager[None]:
        os.kill(os.getpid(), signal.SIGINT)
        monkeypatch.setattr(Store, "transaction", put)
        return put(store)

    with Collection.open("rows", create=True, encoder="hashing", home=pets / "home"):
        monkeypatch.setattr(Store, "transaction", interrupted)
    outcome = run("import", str(pets / "rows.jsonl"), "-c", "rows")
    assert outcome.status == 130
    assert "stopping after the batch" in outcome.err
    assert "note    stopped before the end" in outcome.out
    again = run("import", str(pets / "rows.jsonl"), "-c", "rows", "--json")
    assert again.status == 0
    assert (again.json["unchanged"], again.json["added"], again.json["encoded_passages"]) == (10, 20, 30)


def test_documents_that_wait_are_told(run: Run, pets: Path) -> None:
    with Collection.open("pets", home=pets / "home") as collection:
        collection.put([Document("th", "แมว")])
    outcome = run("export", "collection", str(pets / "out"), "-c", "pets")
    assert outcome.out.startswith("done    3 documents, 2 passages")
    assert "note    1 documents wait for their vectors" in outcome.out


def test_rows_that_failed_are_listed_and_strict_says_so(run: Run, pets: Path) -> None:
    rows = "".join("\n{}" for _ in range(25))
    (pets / "rows.jsonl").write_text('{"id": "a", "text": "ぶん"}' + rows, encoding="utf-8")
    outcome = run("import", str(pets / "rows.jsonl"), "-c", "rows", "--model", "hashing")
    assert outcome.status == 0
    assert "failed  rows.jsonl:2: malformed_document: " in outcome.out
    assert "… and 5 more: --json" in outcome.out
    assert run("import", str(pets / "rows.jsonl"), "-c", "rows", "--strict").status == 3


def test_an_export_is_built_otherwise_where_that_is_asked(run: Run, pets: Path) -> None:
    run("export", "collection", str(pets / "out"), "-c", "pets")
    outcome = run("import", str(pets / "out"), "-c", "other", "--codec", "float16", "--pool", "2")
    assert "note    the export differs from the collection (codec, pool" in outcome.out
    assert "encoded 2 passages" in outcome.out
    with Collection.open("other", home=pets / "home") as collection:
        assert (collection.settings.codec, collection.settings.pool) == ("float16", 2)


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("export", "collection", "home", "-c", "pets"), 2, "already_exists"),
        (("export", "collection", "out", "-c", "pest"), 2, "not_found"),
        (("export", "collection", "out", "-c", "pets", "--to", "csv"), 2, "unknown_name"),
        (("import", "home", "-c", "x"), 3, "unsupported_file"),
        (("import", "nothing.tsv", "-c", "x"), 2, "not_found"),
        (("import", "home/pets/store.db", "-c", "x"), 3, "unsupported_file"),
    ],
)
def test_mistakes_have_a_code_and_a_way_out(
    run: Run, pets: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, code: str
) -> None:
    monkeypatch.chdir(pets)
    outcome = run(*arguments)
    assert (outcome.status, outcome.err.split()[0]) == (status, f"error[{code}]")
    assert "\nhelp: " in outcome.err
    assert sorted(path.name for path in pets.iterdir()) == ["home"]
    assert sorted(path.name for path in (pets / "home").iterdir()) == ["pets"]


@pytest.mark.skipif(find_spec("lancedb") is not None, reason="lancedb is installed")
def test_an_extra_that_is_not_there_is_named(run: Run, pets: Path) -> None:
    outcome = run("export", "collection", str(pets / "out"), "-c", "pets", "--to", "lancedb")
    assert outcome.status == 4
    assert outcome.err.splitlines()[-1] == "help: pip install 'lfm2-colbert[lancedb]'"
