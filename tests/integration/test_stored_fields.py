"""The values that filters ask for live and die with their documents, and are made again where they were lost."""

import shutil
from contextlib import closing
from pathlib import Path

import apsw

from index import Collection, Document
from index.repair import repair
from index.verify import Part, verify

GOLDEN = Path(__file__).parents[1] / "golden" / "format-1" / "golden"
QUERY = "Urlaub 首都 leave"


def found(collection: Collection, where: str) -> set[str]:
    return {hit.document_id for hit in collection.search(QUERY, k=100, where=where, highlight=False)}


def test_a_store_made_before_there_were_filters_can_be_filtered(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "golden")
    with Collection.open("golden", home=tmp_path) as collection:
        assert found(collection, 'year <= 2018 and tags has "x"') == {"de/urlaub", "en/leave"}
        assert found(collection, 'metadata.lang = "ja"') == {"ja/休暇"}
        assert [(field.name, field.documents) for field in collection.fields()] == [
            ("id", 9), ("lang", 9), ("metadata.lang", 8), ("path", 0), ("tags", 8), ("year", 8),
        ]  # fmt: skip
    assert not verify(tmp_path / "golden").findings


def test_lost_values_are_noticed_and_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add([Document(f"{year}", f"Urlaub {year}", {"year": year}) for year in (2023, 2024)])
    with closing(apsw.Connection(str(folder / "store.db"))) as damaged:
        ((trigger,),) = damaged.execute("SELECT sql FROM sqlite_schema WHERE name = 'field_values_removed'")
        damaged.execute("DROP TRIGGER field_values_removed")  # as if it had not noticed
        damaged.execute("DELETE FROM field_values WHERE value = 2024")
        damaged.execute(trigger)
    assert [(finding.part, finding.name) for finding in verify(folder).findings] == [(Part.TABLE, "field_values")]
    repair(folder, apply=True)
    with Collection.open("c", home=tmp_path) as collection:
        collection.index_pending()
        assert found(collection, "year = 2024") == {"2024"}
    assert not verify(folder).findings


def test_values_go_with_their_document(tmp_path: Path) -> None:
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add([Document("a", "Urlaub", {"year": 2023, "tags": ["x", "y", "x"]}), Document("b", "Urlaub")])
        collection.delete("a")
        assert [field.name for field in collection.fields()] == ["id", "lang", "path"]
    with closing(apsw.Connection(str(tmp_path / "c" / "store.db"))) as stored:
        assert list(stored.execute("SELECT * FROM field_values")) == []
    assert not verify(tmp_path / "c").findings
