"""Collections of every format there has been: they open, are whole, and answer as they did when they were made."""

import json
import shutil
from pathlib import Path

import pytest

from index import Collection, Document
from index.exporting.manifest import VERSION
from index.importing.run import collection_for, import_into, open_source
from index.schema import FORMAT
from index.upgrade import stored_format, upgrade
from index.verify import verify
from lfm2_colbert.errors import FormatVersionError

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(number: int, tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / f"format-{number}", tmp_path / f"format-{number}"))


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_golden_collection_opens_is_whole_and_answers_as_ever(number: int, tmp_path: Path) -> None:
    home = golden(number, tmp_path)
    expected = json.loads((home / "expected.json").read_text(encoding="utf-8"))
    with Collection.open("golden", encoder="hashing", home=home) as collection:
        assert {i: document.text for i in collection.ids() if (document := collection.get(i))} == expected["documents"]
        for query, answer in expected["answers"].items():
            found = collection.search(query, k=10, effort="exact", mode="semantic", highlight=False)
            assert [hit.document_id for hit in found] == [document_id for document_id, _ in answer]
            assert [hit.raw_score for hit in found] == pytest.approx([score for _, score in answer], abs=1e-4)
        lexical = {q: [h.document_id for h in collection.search(q, mode="lexical")] for q in expected.get("words", {})}
        assert lexical == expected.get("words", {})
        collection.add([Document("new", "今日は新しい文書です")])
        assert collection.search("新しい文書", k=1).hits[0].document_id == "new"
    assert verify(home / "golden").damage == ()


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_golden_export_comes_in_and_answers_as_the_collection_it_was_made_of(version: int, tmp_path: Path) -> None:
    expected = json.loads((GOLDEN / "format-3" / "expected.json").read_text(encoding="utf-8"))
    source = open_source(GOLDEN / f"export-{version}")
    with collection_for(source, "golden", home=tmp_path) as collection:
        report = import_into(collection, source)
        assert (report.documents, report.encoded_passages) == (len(expected["documents"]), 0)
        assert {i: document.text for i in collection.ids() if (document := collection.get(i))} == expected["documents"]
        for query, answer in expected["answers"].items():
            found = collection.search(query, k=10, effort="exact", mode="semantic", highlight=False)
            assert [hit.document_id for hit in found] == [document_id for document_id, _ in answer]
            assert [hit.raw_score for hit in found] == pytest.approx([score for _, score in answer], abs=1e-4)
        lexical = {q: [h.document_id for h in collection.search(q, mode="lexical")] for q in expected["words"]}
        assert lexical == expected["words"]
    assert verify(tmp_path / "golden").findings == ()


def test_upgrade_keeps_the_old_database_and_is_done_once(tmp_path: Path) -> None:
    folder = golden(1, tmp_path) / "golden"
    before = (folder / "store.db").read_bytes()
    upgrade(folder)
    assert stored_format(folder) == FORMAT
    assert (folder / "store.format-1.db").read_bytes() == before
    after = (folder / "store.db").read_bytes()
    upgrade(folder)
    assert (folder / "store.db").read_bytes() == after
    assert verify(folder).findings == ()


def test_a_key_of_before_the_upgrade_is_never_given_again(tmp_path: Path) -> None:
    home = golden(1, tmp_path)
    with Collection.open("golden", encoder="hashing", home=home) as collection:
        keys = {document.key for i in collection.ids() if (document := collection.get(i))}
        collection.add([Document("new", "new")])
        found = collection.get("new")
        assert found is not None
        assert found.key > max(keys)


def test_a_newer_format_is_refused_by_number(tmp_path: Path) -> None:
    folder = golden(1, tmp_path) / "golden"
    content = bytearray((folder / "store.db").read_bytes())
    content[60:64] = (FORMAT + 1).to_bytes(4, "big")
    (folder / "store.db").write_bytes(content)
    with pytest.raises(FormatVersionError, match=f"format {FORMAT + 1}"):
        Collection.open("golden", encoder="hashing", home=folder.parent)
