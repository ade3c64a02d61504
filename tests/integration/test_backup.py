"""A backup is one committed state, checked when it is restored; anything else is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from index import Collection, Document
from index.backup import MANIFEST, backup, restore
from index.verify import verify
from lfm2_colbert.errors import AlreadyExistsError, CorruptionError, FormatVersionError, NotFoundError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Collection.open("b", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add([Document("ja", "首都は東京です。", {"year": 2024}), Document("de", "Der Hund schläft.")])
    return tmp_path


def test_what_is_restored_answers_as_before_and_can_be_written(home: Path) -> None:
    manifest = backup(home / "b", home / "copy")
    assert (manifest.collection, manifest.documents) == ("b", 2)
    restore(home / "copy", home / "again")
    assert verify(home / "again").findings == ()
    with Collection.open("again", home=home) as again:
        assert [hit.metadata for hit in again.search("東京", k=1)] == [{"year": 2024}]
        again.add([Document("ko", "수도는 서울입니다.")])
        assert again.ids() == ["de", "ja", "ko"]


def test_a_backup_stays_what_it_was(home: Path) -> None:
    backup(home / "b", home / "copy")
    with Collection.open("b2", create=True, encoder="hashing", home=home) as other:
        other.add([Document("x", "x")])
    restore(home / "copy", home / "again")
    with Collection.open("again", home=home) as again:
        assert again.ids() == ["de", "ja"]


def test_a_taken_place_is_refused(home: Path) -> None:
    backup(home / "b", home / "copy")
    with pytest.raises(AlreadyExistsError):
        backup(home / "b", home / "copy")
    with pytest.raises(AlreadyExistsError, match="not empty"):
        restore(home / "copy", home / "b")


def test_a_folder_without_a_manifest_is_no_backup(home: Path) -> None:
    with pytest.raises(NotFoundError, match="no backup"):
        restore(home / "b", home / "again")


def _flip(copy: Path) -> None:
    path = next((copy / "segs").iterdir())
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)


def _link(copy: Path) -> None:
    path = next((copy / "segs").iterdir())
    path.rename(copy / "elsewhere")
    path.symlink_to(copy / "elsewhere")


def _lead_out(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["files"]["../../etc/passwd"] = ["00", "1"]
    (copy / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "harm",
    [
        _flip,
        _link,
        _lead_out,
        lambda copy: (copy / "store.db").unlink(),
        lambda copy: (copy / MANIFEST).write_text("{"),
        lambda copy: (copy / MANIFEST).write_text('{"version": 1}'),
    ],
)
def test_a_damaged_backup_is_refused_and_puts_nothing_in_place(home: Path, harm: Callable[[Path], object]) -> None:
    backup(home / "b", home / "copy")
    harm(home / "copy")
    with pytest.raises(CorruptionError):
        restore(home / "copy", home / "again")
    assert not (home / "again").exists()


def test_a_newer_backup_is_refused_by_its_version(home: Path) -> None:
    backup(home / "b", home / "copy")
    manifest = json.loads((home / "copy" / MANIFEST).read_text())
    (home / "copy" / MANIFEST).write_text(json.dumps({**manifest, "version": 99}))
    with pytest.raises(FormatVersionError, match="newer"):
        restore(home / "copy", home / "again")
