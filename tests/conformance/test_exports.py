"""One suite for every form of an export: a new one adds how it is read here, and passes the rest as it stands."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from index import Collection, Document
from index.coding import Coding
from index.exporting import EXPORTS
from index.exporting.contents import TOKENS_PER_BLOCK
from index.exporting.export import export
from index.exporting.manifest import MANIFEST, read_manifest
from index.exporting.qdrant import point_id
from index.snapshot import load_snapshot
from index.store import Store
from index.types import Anchor
from lfm2_colbert.errors import AlreadyExistsError, CorruptionError, MissingExtraError, NotFoundError, UnknownNameError
from lfm2_colbert.multivectors import MultiVectors
from lfm2_colbert.registry import lookup

TEXTS = {
    "a/ar": "القطة نائمة تحت الشجرة.",
    "b/combining": "Cafe\u0301 in Zu\u0308rich",
    "c/de": "Der Hund schläft.\n\n" * 60,
    "d/emoji": "👩‍👩‍👧 und 🐕",
    "e/ja": "日本の首都は東京です。" * 40,
    "f/th": "กรุงเทพเป็นเมืองหลวง",
}
METADATA = {"year": 2024, "tags": ["ü", "b"], "deep": {"x": [1, 2.5, None, "🐈"]}}


class Found(NamedTuple):
    """A passage as an export has it."""

    text: str
    span: tuple[int, int]
    language: str
    metadata: dict[str, Any]
    anchor: dict[str, Any] | None
    vectors: NDArray[Any]


Passages = dict[tuple[str, int], Found]


def read_jsonl(folder: Path) -> Passages:
    from safetensors.numpy import load_file

    documents = {row["id"]: row for row in lines(folder / "documents.jsonl")}
    tensors = load_file(folder / "vectors.safetensors")
    found = {}
    for i, row in enumerate(lines(folder / "passages.jsonl")):
        document, (start, end) = documents[row["document_id"]], (row["start"], row["end"])
        vectors = tensors["vectors"][tensors["offsets"][i] : tensors["offsets"][i + 1]]
        key = (row["document_id"], row["passage"])
        found[key] = Found(
            document["text"][start:end], (start, end), row["language"], document["metadata"], None, vectors
        )
    return found


def read_parquet(folder: Path) -> Passages:
    from pyarrow import parquet

    documents = {row["id"]: row for row in parquet.read_table(folder / "documents.parquet").to_pylist()}
    found = of_rows(parquet.read_table(folder / "passages.parquet").to_pylist())
    for (document_id, _), passage in found.items():
        assert documents[document_id]["text"][slice(*passage.span)] == passage.text
        assert json.loads(documents[document_id]["metadata"]) == passage.metadata
    return found


def read_lancedb(folder: Path) -> Passages:
    import lancedb

    return of_rows(lancedb.connect(folder).open_table("passages").to_arrow().to_pylist())


def of_rows(rows: list[dict[str, Any]]) -> Passages:
    return {
        (row["document_id"], row["passage"]): Found(
            row["text"], (row["start"], row["end"]), row["language"], json.loads(row["metadata"]),
            json.loads(row["anchor"]), np.array(row["vectors"], np.float16),
        )
        for row in rows
    }  # fmt: skip


def read_qdrant(folder: Path) -> Passages:
    found = {}
    for body in lines(folder / "points.jsonl"):
        for point in body["points"]:
            of = point["payload"]
            assert point["id"] == point_id(of["document_id"], of["passage"])
            vectors = np.array(point["vector"]["colbert"], np.float16)
            span = (of["start"], of["end"])
            found[of["document_id"], of["passage"]] = Found(
                of["text"], span, of["language"], of["metadata"], of["anchor"], vectors
            )
    return found


def lines(path: Path) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line)


READ: dict[str, Callable[[Path], Passages]] = {
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "qdrant": read_qdrant,
    "lancedb": read_lancedb,
}


@pytest.fixture(params=EXPORTS)
def form(request: pytest.FixtureRequest) -> str:
    try:
        lookup(EXPORTS, request.param, "export", extra=request.param)
    except MissingExtraError as error:
        pytest.skip(f"{error.message}: {error.help}")
    return str(request.param)


def document(name: str) -> Document:
    """Make a document with places of several kinds in its file, as different readers give them."""
    half = len(TEXTS[name]) // 2
    boxes = Anchor(0, {"page": 1, "box": [1, 2, 3, 4]}), Anchor(half, {"page": 2, "box": [0, 0, 9, 9]})
    lines = Anchor(1, {"line": 3, "heading": ["Titel", "章"]}), Anchor(half, {"line": 40})
    return Document(name, TEXTS[name], METADATA | {"name": name}, boxes if name < "c" else lines)


def filled(home: Path, **build: Any) -> Path:
    with Collection.open("c", create=True, encoder="hashing", home=home, **build) as collection:
        names = list(TEXTS)
        for some in (names[::2], names[1::2]):  # two segments, and neither in the order of ids
            collection.add([document(name) for name in reversed(some)])
        collection.add([Document("gone", "Weg damit.")])
        collection.delete("gone")
    return home / "c"


def stored(folder: Path) -> Passages:
    """Read what a collection stores, segment by segment, as searches do."""
    found = {}
    with Store.open(folder, writable=False) as store, store.snapshot():
        codec = Coding(store).required()
        for part in load_snapshot(store, store.segments_folder).parts:
            decoded = codec.decode(part.segment.arrays)
            for row in np.flatnonzero(part.live):
                passage = store.passage(int(part.documents[row]), int(part.ordinals[row]))
                assert passage is not None
                span, vectors = passage.passage, decoded[slice(*part.segment.offsets[row : row + 2])]
                found[passage.document_id, span.ordinal] = Found(
                    passage.text,
                    (span.start, span.end),
                    span.language,
                    dict(passage.metadata),
                    dict(passage.anchor),
                    vectors,
                )
    return found


def run(folder: Path, destination: Path, form: str) -> Path:
    export(folder, destination, form, lambda done, total: None)
    return destination


def require_same(found: Passages, expected: Passages) -> None:
    assert found.keys() == expected.keys()
    for key, passage in found.items():
        assert passage[:-2] == expected[key][:-2]
        assert passage.anchor in (None, expected[key].anchor)  # in JSON Lines these are the document's
        np.testing.assert_array_equal(passage.vectors, expected[key].vectors.astype(np.float16))


@pytest.mark.parametrize("build", [{"codec": "float16"}, {"codec": "scalar4", "pool": 2}])
def test_every_passage_arrives_with_its_vectors(tmp_path: Path, form: str, build: dict[str, Any]) -> None:
    folder = filled(tmp_path, **build)
    expected = stored(folder)
    assert len(expected) > len(TEXTS)
    require_same(READ[form](run(folder, tmp_path / "export", form)), expected)


def test_passages_arrive_whole_where_they_take_several_blocks(tmp_path: Path, form: str) -> None:
    n, each = 5, TOKENS_PER_BLOCK // 4
    rng = np.random.default_rng(0)
    vectors = MultiVectors.of([rng.standard_normal((each, 32)).astype(np.float32) for _ in range(n)])
    with Collection.open("c", create=True, encoder="hashing", home=tmp_path, codec="float16") as collection:
        collection.add([Document(f"{i}", f"Wal {i}") for i in range(n)], vectors=vectors)
    seen: list[tuple[int, int]] = []
    export(tmp_path / "c", tmp_path / "export", form, lambda done, total: seen.append((done, total)))
    assert seen == [(4, 5), (5, 5)]
    if form != "qdrant":  # whose numbers take long to read
        require_same(READ[form](tmp_path / "export"), stored(tmp_path / "c"))


def test_the_manifest_says_what_there_is(tmp_path: Path, form: str) -> None:
    folder = filled(tmp_path)
    with Collection.open("c", home=tmp_path) as collection:
        collection.put([Document("waiting", "Noch nicht.")])
        counts, built = collection.counts(), collection.settings
    destination = run(folder, tmp_path / "export", form)
    manifest = read_manifest(destination)
    assert (manifest.form, manifest.collection, manifest.built) == (form, "c", built)
    assert (manifest.documents, manifest.pending, manifest.passages) == (len(TEXTS) + 1, 1, counts.passages)
    assert manifest.vectors == sum(len(passage.vectors) for passage in stored(folder).values())
    there = {path.relative_to(destination).as_posix() for path in destination.rglob("*") if path.is_file()}
    assert there == {*manifest.files, MANIFEST}
    for name, (digest, size) in manifest.files.items():
        content = (destination / name).read_bytes()
        assert (digest, size) == (hashlib.sha256(content).hexdigest(), str(len(content)))


def test_an_empty_collection_has_no_passages(tmp_path: Path, form: str) -> None:
    Collection.open("c", create=True, encoder="hashing", home=tmp_path).close()
    assert READ[form](run(tmp_path / "c", tmp_path / "export", form)) == {}


def test_what_is_there_is_not_touched(tmp_path: Path, form: str) -> None:
    folder = filled(tmp_path)
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(AlreadyExistsError):
        run(folder, tmp_path / "export", form)
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["mine"]


def test_nothing_damaged_leaves(tmp_path: Path, form: str) -> None:
    folder = filled(tmp_path)
    segment = next((folder / "segs").glob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 3] ^= 1
    segment.chmod(0o600)
    segment.write_bytes(content)
    with pytest.raises(CorruptionError):
        run(folder, tmp_path / "out" / "export", form)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_an_interrupted_export_left_is_replaced(tmp_path: Path, form: str) -> None:
    (tmp_path / "export.partial").mkdir()
    (tmp_path / "export.partial" / "documents.jsonl").write_text("{", encoding="utf-8")
    folder = filled(tmp_path)
    require_same(READ[form](run(folder, tmp_path / "export", form)), stored(folder))
    assert not (tmp_path / "export.partial").exists()


def test_others_may_write_meanwhile(tmp_path: Path, form: str) -> None:
    folder = filled(tmp_path)
    expected = stored(folder)
    with Collection.open("c", home=tmp_path) as collection:
        collection.writer()
        export(folder, tmp_path / "export", form, lambda done, total: rewrite(collection))
        assert collection.ids() == ["new"]
    require_same(READ[form](tmp_path / "export"), expected)


def rewrite(collection: Collection) -> None:
    for name in collection.ids():
        collection.delete(name)
    collection.add([Document("new", "Alles neu.")])
    collection.optimize()


def test_unknown_forms_and_collections_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="csv"):
        run(tmp_path, tmp_path / "export", "csv")
    with pytest.raises(NotFoundError):
        run(tmp_path, tmp_path / "export", "jsonl")
    assert list(tmp_path.iterdir()) == []
