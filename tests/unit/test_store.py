"""The store by its promises: what is committed stays, what is refused leaves no trace."""

import dataclasses
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
import xxhash

from index.database import Database, check_sqlite_version, read_mark
from index.records import Change, CollectionSettings, StoreCounts
from index.store import Store
from index.types import Document
from lfm2_colbert.errors import (
    AlreadyExistsError,
    CorruptionError,
    FormatVersionError,
    IndexLockedError,
    InvalidArgumentError,
    InvalidConfigError,
    NotFoundError,
    OutdatedLibraryError,
    StorageError,
)

SETTINGS = CollectionSettings("hashing", "f00d", 8, "float16", "tests")
TEXT = "日本語🎉 نص عربي Straße"


def put(store: Store, document_id: str, text: str = TEXT, source: int | None = None, **metadata: object) -> Change:
    with store.transaction():
        return store.put(Document(document_id, text, metadata), source)


def commit(store: Store, *steps: Callable[[], object]) -> None:
    """Take the steps in one transaction."""
    with store.transaction():
        for step in steps:
            step()


def fail() -> None:
    raise ZeroDivisionError


def roll_back_silently(store: Store) -> None:
    """What SQLite does by itself when the disk is full or fails."""
    store._database._connection.execute("ROLLBACK")


# ---- creating and opening --------------------------------------------------------------------------------------------


def test_new_store_is_empty_and_remembers_its_settings(store: Store, folder: Path) -> None:
    assert store.settings == SETTINGS
    assert dataclasses.replace(store.counts(), bytes=0) == StoreCounts(0, 0, 0, 0, {}, 0, 0)
    with Store.open(folder, writable=False) as reader:
        assert reader.settings == SETTINGS


def test_store_of_before_there_was_pooling_keeps_every_vector(folder: Path) -> None:
    with Store.create(folder, SETTINGS) as store, store.transaction():
        store._database.write("UPDATE notes SET value = json_remove(value, '$.pool') WHERE name = 'settings'")
    with Store.open(folder, writable=False) as reader:
        assert reader.settings == SETTINGS
        assert reader.settings.pool == 1


def test_folder_is_laid_out_as_documented(folder: Path) -> None:
    with Store.create(folder, SETTINGS) as store:
        put(store, "a")
    assert sorted(path.name for path in folder.iterdir()) == ["HWM", "LOCK", "segs", "settings.json", "store.db"]


def test_creating_twice_is_refused_and_harms_nothing(folder: Path) -> None:
    with Store.create(folder, SETTINGS) as store:
        put(store, "a")
    with pytest.raises(AlreadyExistsError):
        Store.create(folder, SETTINGS)
    with Store.open(folder, writable=True) as store:
        assert store.counts().documents == 1


def test_remains_of_an_interrupted_creation_or_a_removed_store_do_not_leak_in(folder: Path) -> None:
    store = Store.create(folder, SETTINGS)
    put(store, "old")
    logged = (folder / "store.db-wal").read_bytes()
    store.close()
    (folder / "store.db").unlink()
    (folder / "store.db-wal").write_bytes(logged)
    (folder / "store.db.new").write_bytes(b"half")
    with Store.create(folder, SETTINGS) as store:
        assert store.document("old") is None


def test_opening_nothing_is_not_found(tmp_path: Path) -> None:
    for writable in (True, False):
        with pytest.raises(NotFoundError):
            Store.open(tmp_path, writable=writable)
    assert list(tmp_path.iterdir()) == []


def test_one_writer_many_readers(store: Store, folder: Path) -> None:
    with pytest.raises(IndexLockedError, match=str(os.getpid())):
        Store.open(folder, writable=True)
    with Store.open(folder, writable=False) as first, Store.open(folder, writable=False) as second:
        put(store, "a")
        assert (first.changes(), second.changes()) == (1, 1)


def test_what_is_committed_while_a_table_is_read_is_no_damage(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Database.row

    def late(database: Database, sql: str, bindings: tuple[object, ...] = ()) -> object:
        if "sums" in sql:
            commit(store, lambda: store.set_note("meanwhile", len(committed)))
            committed.append(sql)
        return row(database, sql, bindings)

    committed: list[str] = []
    with Store.open(folder, writable=False) as reader:
        monkeypatch.setattr(Database, "row", late)
        assert reader.note("meanwhile") is None
        assert committed
        monkeypatch.undo()
        assert reader.note("meanwhile") == len(committed) - 1


def test_readers_cannot_write(store: Store, folder: Path) -> None:
    with (
        Store.open(folder, writable=False) as reader,
        pytest.raises(InvalidArgumentError, match="reading"),
        reader.transaction(),
    ):
        pass


def test_lock_is_freed_on_close_and_after_a_failed_opening(folder: Path) -> None:
    Store.create(folder, SETTINGS).close()
    (folder / "HWM").write_bytes(struct.pack("<QQ", 9, xxhash.xxh3_64_intdigest((9).to_bytes(8, "little"))))
    for _ in range(2):
        with pytest.raises(CorruptionError):
            Store.open(folder, writable=True)


def test_another_programs_database_is_refused(folder: Path) -> None:
    Store.create(folder, SETTINGS).close()
    with apsw.Connection(str(folder / "store.db")) as connection:
        connection.execute("PRAGMA application_id=7")
    connection.close()
    with pytest.raises(FormatVersionError, match="no store of this program"):
        Store.open(folder, writable=False)


def test_newer_format_is_refused_by_number(folder: Path) -> None:
    Store.create(folder, SETTINGS).close()
    connection = apsw.Connection(str(folder / "store.db"))
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(FormatVersionError, match="has format 99, this program reads 3") as caught:
        Store.open(folder, writable=True)
    assert "upgrade" in caught.value.help


def test_file_that_is_no_database_is_damage(folder: Path) -> None:
    Store.create(folder, SETTINGS).close()
    (folder / "store.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(CorruptionError):
        Store.open(folder, writable=True)


@pytest.mark.parametrize(("version", "good"), [("3.40.1", False), ("3.53.1", False), ("3.53.2", True), ("4.0", True)])
def test_sqlite_that_loses_data_is_refused(version: str, good: bool) -> None:
    if good:
        check_sqlite_version(version)
    else:
        with pytest.raises(OutdatedLibraryError, match=version):
            check_sqlite_version(version)


def test_opening_and_asking_loads_no_numpy() -> None:
    program = "import sys, index.store, index.home; sys.exit('numpy' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# ---- transactions ----------------------------------------------------------------------------------------------------


def test_exception_takes_the_whole_transaction_back(store: Store) -> None:
    put(store, "kept")
    with pytest.raises(ZeroDivisionError):
        commit(store, lambda: store.put(Document("lost", TEXT), None), lambda: store.delete("kept"), fail)
    assert (store.document("lost"), store.document("kept") is not None, store.changes()) == (None, True, 1)


def test_transactions_do_not_nest(store: Store) -> None:
    with store.transaction():
        store.put(Document("a", TEXT), None)
        with pytest.raises(InvalidArgumentError, match="running already"), store.transaction():
            pass
    assert store.document("a") is not None


def test_writing_outside_a_transaction_is_refused(store: Store) -> None:
    with pytest.raises(StorageError, match="no transaction"):
        store.put(Document("a", TEXT), None)
    assert store.document("a") is None


def test_half_an_operation_is_never_committed_even_if_its_error_is_swallowed(store: Store) -> None:
    def swallow() -> None:
        with pytest.raises(InvalidArgumentError):
            store.set_source(77, "a.md", b"", None)  # no such root: a foreign key says no

    with pytest.raises(StorageError, match="failed"):
        commit(store, lambda: store.put(Document("a", TEXT), None), swallow)
    assert store.document("a") is None
    put(store, "b")
    assert store.document("b") is not None


def test_disk_full_is_reported_and_the_next_transaction_works(store: Store) -> None:
    put(store, "before")
    pages = store._database.value("PRAGMA page_count")
    store._database.value(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageError, match="full"):
        put(store, "large", "x" * 1_000_000)
    store._database.value("PRAGMA max_page_count=100000")
    put(store, "after")
    assert [store.document(name) is not None for name in ("before", "large", "after")] == [True, False, True]


def test_write_after_sqlite_rolled_back_by_itself_is_not_acknowledged(store: Store) -> None:
    with pytest.raises(StorageError, match="SQLite ended it"):
        commit(store, lambda: roll_back_silently(store), lambda: store.put(Document("a", TEXT), None))
    assert store.document("a") is None


def test_silent_rollback_at_the_end_of_a_transaction_is_not_acknowledged(store: Store) -> None:
    with pytest.raises(StorageError, match="SQLite ended it"):
        commit(store, lambda: store.put(Document("a", TEXT), None), lambda: roll_back_silently(store))
    assert (store.document("a"), store.changes()) == (None, 0)


def test_settings_of_another_version_are_refused_and_nothing_stays_open(folder: Path) -> None:
    with Store.create(folder, SETTINGS) as store, store.transaction():
        store._database.write("UPDATE notes SET value = '{\"colour\": 1}' WHERE name = 'settings'")
    for _ in range(2):
        with pytest.raises(InvalidConfigError, match="colour"):
            Store.open(folder, writable=True)


def test_closed_store_says_so(folder: Path) -> None:
    store = Store.create(folder, SETTINGS)
    store.close()
    store.close()
    with pytest.raises(StorageError, match="closed"):
        store.counts()
    with pytest.raises(StorageError, match="closed"), store.transaction():
        pass


def test_changes_count_only_transactions_that_changed_something(store: Store) -> None:
    put(store, "a")
    put(store, "a")
    with store.transaction():
        pass
    assert store.changes() == 1
    put(store, "b")
    assert store.changes() == 2


def test_mark_follows_every_commit(store: Store, folder: Path) -> None:
    for n in range(1, 4):
        put(store, f"d{n}")
        assert read_mark(folder / "HWM") == n == store.changes()


def test_store_older_than_what_was_acknowledged_refuses_writes_but_can_be_read(folder: Path) -> None:
    with Store.create(folder, SETTINGS) as store:
        put(store, "a")
    older = (folder / "store.db").read_bytes()
    with Store.open(folder, writable=True) as store:
        put(store, "b")
        put(store, "c")
    (folder / "store.db").write_bytes(older)
    with pytest.raises(CorruptionError, match=r"transactions 2\.\.3 are missing") as caught:
        Store.open(folder, writable=True)
    assert "accept-loss" in caught.value.help
    with Store.open(folder, writable=False) as reader:
        assert reader.document("a") is not None


@pytest.mark.parametrize("content", [b"", b"short", struct.pack("<QQ", 999, 1)])
def test_damaged_mark_is_ignored(folder: Path, content: bytes) -> None:
    with Store.create(folder, SETTINGS) as store:
        put(store, "a")
    (folder / "HWM").write_bytes(content)
    with Store.open(folder, writable=True) as store:
        put(store, "b")
        assert read_mark(folder / "HWM") == store.changes()


def test_snapshot_does_not_see_later_commits(store: Store, folder: Path) -> None:
    with Store.open(folder, writable=False) as reader:
        with reader.snapshot():
            before = reader.changes()
            put(store, "a")
            assert (reader.changes(), reader.document("a")) == (before, None)
        assert reader.document("a") is not None


def test_writers_own_snapshot_may_stand_inside_its_transaction(store: Store) -> None:
    with store.transaction():
        store.put(Document("a", TEXT), None)
        with store.snapshot():
            assert store.document("a") is not None
    assert store.document("a") is not None


def test_reader_opens_what_a_killed_writer_left_in_the_log(folder: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from index.store import Store; from index.types import Document\n"
        "store = Store.open(Path(sys.argv[1]), writable=True)\n"
        "with store.transaction(): store.put(Document('a', 'text'), None)\n"
        "os.kill(os.getpid(), 9)"
    )
    Store.create(folder, SETTINGS).close()
    assert subprocess.run([sys.executable, "-c", program, str(folder)], check=False).returncode == -9
    assert (folder / "store.db-wal").stat().st_size > 0
    with Store.open(folder, writable=False) as reader:
        assert reader.document("a") is not None
