"""Damage is named, and mended from the texts; what cannot be mended is listed, or comes from a backup."""

import os
import random
from pathlib import Path

import apsw
import pytest

from index import Collection, Document
from index.backup import backup
from index.database import FUNCTIONS, MARK_FILE, write_mark
from index.repair import Action, repair
from index.verify import Part, verify
from lfm2_colbert.errors import CorruptionError

TEXTS = {f"文書/{n}": f"Der {n}. Hund schläft in 東京 neben {n} Katzen" for n in range(30)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Collection.open("r", create=True, encoder="hashing", home=tmp_path) as collection:
        for first in range(0, 30, 10):
            ids = list(TEXTS)[first : first + 10]
            collection.add([Document(i, TEXTS[i], {"n": first}) for i in ids])
    return tmp_path


def contents(home: Path) -> dict[str, str]:
    with Collection.open("r", encoder="hashing", home=home) as collection:
        collection.index_pending()
        stored = [collection.get(document_id) for document_id in collection.ids()]
        return {document.id: document.text for document in stored if document}


def files_of(home: Path) -> list[str]:
    """All but SQLite's log and shared memory, which reading may make."""
    return sorted(path.name for path in (home / "r").rglob("*") if not path.name.startswith("store.db-"))


def change_by_hand(folder: Path, sql: str) -> None:
    """As another program would, without the sums: triggers do not fire."""
    connection = apsw.Connection(str(folder / "store.db"))
    for name, function in FUNCTIONS.items():
        connection.create_scalar_function(name, function, flags=apsw.SQLITE_INNOCUOUS)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.execute(sql)
    connection.close()


def test_a_whole_collection_has_nothing_to_say(home: Path) -> None:
    report = verify(home / "r")
    assert (report.findings, report.documents, report.segments) == ((), 30, 3)
    assert report.bytes_read > sum(len(text.encode()) for text in TEXTS.values())
    assert repair(home / "r", apply=True).steps == ()


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ("UPDATE texts SET text = 'other' WHERE document = 3", Part.DOCUMENT),
        ("UPDATE texts SET metadata = '{}' WHERE document = 3", Part.DOCUMENT),
        ("DELETE FROM texts WHERE document = 3", Part.DOCUMENT),
        ("DELETE FROM documents WHERE key = 3", Part.TABLE),
        ("UPDATE passages SET row = row + 100 WHERE document = 3", Part.TABLE),
        ("UPDATE passages SET start = 1 WHERE document = 3", Part.TABLE),
        ("UPDATE segments SET n_bytes = 1", Part.TABLE),
        ("DELETE FROM sums WHERE name = 'documents'", Part.TABLE),
        ("UPDATE meta SET v = 1 WHERE k = 'next_segment'", Part.TABLE),
        ("INSERT INTO dead VALUES (1, 2, 1)", Part.TABLE),
    ],
)
def test_rows_changed_behind_our_back_are_found(home: Path, sql: str, part: Part) -> None:
    change_by_hand(home / "r", sql)
    assert part in {finding.part for finding in verify(home / "r").damage}


def test_without_apply_nothing_is_changed(home: Path) -> None:
    (home / "r" / "segs" / "0000000002.seg").unlink()
    before = files_of(home)
    report = repair(home / "r")
    assert [(step.action, step.finding.name) for step in report.steps] == [(Action.ENCODE_AGAIN, "0000000002.seg")]
    assert not report.applied
    assert files_of(home) == before


def test_a_writer_sets_a_damaged_segment_aside_by_itself(home: Path) -> None:
    path = home / "r" / "segs" / "0000000002.seg"
    path.chmod(0o600)
    os.truncate(path, 100)
    with Collection.open("r", encoder="hashing", home=home) as reader:
        result = reader.search("Hund", k=30)
        assert [notice.code for notice in result.warnings if notice.code == "degraded"] == ["degraded"]
        assert len(result) == 20
        with pytest.raises(CorruptionError, match="0000000002"):
            reader.search_vectors(reader.encoder.encode_queries(["Hund"])[0])
        reader.add([Document("new", "neu")])
        assert len(reader.search("Hund", k=30)) == 30
    assert verify(home / "r").findings == ()
    assert [path.name for path in (home / "r" / "quarantine").rglob("*.seg")] == ["0000000002.seg"]


def test_damaged_rows_cost_their_documents_alone(home: Path) -> None:
    change_by_hand(home / "r", "UPDATE texts SET text = 'other' WHERE document IN (3, 4)")
    report = repair(home / "r", apply=True)
    assert report.lost == ("文書/2", "文書/3")
    assert report.quarantine is not None
    assert (report.quarantine / "store.db").exists()
    assert contents(home) == {i: text for i, text in TEXTS.items() if i not in report.lost}
    assert verify(home / "r").findings == ()


def test_damaged_documents_come_from_the_backup(home: Path, tmp_path: Path) -> None:
    backup(home / "r", tmp_path / "backup")
    change_by_hand(home / "r", "UPDATE texts SET text = 'other' WHERE document IN (3, 4)")
    change_by_hand(home / "r", "UPDATE texts SET metadata = '[]' WHERE document = 5")
    report = repair(home / "r", apply=True, backup=tmp_path / "backup")
    assert (report.restored, report.lost, report.without_metadata) == (("文書/2", "文書/3", "文書/4"), (), ())
    assert contents(home) == TEXTS


def test_lost_metadata_keeps_the_text(home: Path) -> None:
    change_by_hand(home / "r", "UPDATE texts SET metadata = '[]' WHERE document = 5")
    report = repair(home / "r", apply=True)
    assert (report.without_metadata, report.lost) == (("文書/4",), ())
    assert contents(home) == TEXTS


def test_a_new_database_gives_no_key_and_no_number_again(home: Path) -> None:
    with Collection.open("r", encoder="hashing", home=home) as collection:
        collection.delete("文書/29")
    change_by_hand(home / "r", "UPDATE passages SET row = 99 WHERE document = 3")
    repair(home / "r", apply=True)
    with Collection.open("r", encoder="hashing", home=home) as collection:
        collection.add([Document("new", "neu")])
        found = collection.get("new")
        assert found is not None
        assert found.key == 31
    assert contents(home) == {**{i: t for i, t in TEXTS.items() if i != "文書/29"}, "new": "neu"}


@pytest.mark.parametrize("seed", range(12))
def test_unreadable_pages_cost_no_more_than_what_was_on_them(home: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = home / "r" / "store.db"
    content = bytearray(path.read_bytes())
    page = chance.randrange(1, len(content) // 4096)
    content[page * 4096 : (page + 1) * 4096] = chance.randbytes(4096)
    path.write_bytes(content)
    report = repair(home / "r", apply=True)
    found = contents(home)
    assert {i: text for i, text in found.items() if TEXTS[i] != text} == {}
    assert len(TEXTS) - len(found) == len(report.lost) + report.unreadable
    assert verify(home / "r").findings == ()


def test_a_lost_table_comes_back_from_the_backup(home: Path, tmp_path: Path) -> None:
    backup(home / "r", tmp_path / "backup")
    change_by_hand(home / "r", "DELETE FROM documents WHERE key > 20")
    report = repair(home / "r", apply=True, backup=tmp_path / "backup")
    assert (len(report.restored), report.lost, report.unreadable) == (10, (), 0)
    assert contents(home) == TEXTS


def test_missing_transactions_are_accepted_only_on_request(home: Path) -> None:
    write_mark(home / "r" / MARK_FILE, 999)
    assert [finding.part for finding in verify(home / "r").damage] == [Part.TRANSACTIONS]
    with pytest.raises(CorruptionError, match="missing"):
        repair(home / "r", apply=True)
    repair(home / "r", apply=True, accept_lost=True)
    assert contents(home) == TEXTS
