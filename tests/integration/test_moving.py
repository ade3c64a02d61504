"""A collection that goes out and comes in again answers as before; what is not whole comes in not at all."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Collection, Document, effort
from index.codecs import CODECS
from index.exporting.export import export
from index.exporting.manifest import MANIFEST, VERSION
from index.home import is_collection
from index.importing import texts
from index.importing.exported import NEEDED
from index.importing.run import collection_for, import_into, open_source
from index.types import Anchor, IndexReport
from index.verify import verify
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import (
    CorruptionError,
    FormatVersionError,
    Lfm2ColbertError,
    NotFoundError,
    UnsupportedFileError,
)
from lfm2_colbert.multivectors import MultiVectors

TEXTS = {
    "ar": "القطة نائمة تحت الشجرة الكبيرة. الكلب يشرب الماء.",
    "combining": "Cafe\u0301 und Zu\u0308rich, wo der Hund schla\u0308ft.",
    "de": "Der große Hund schläft unter dem Baum.\n\nDie Katze trinkt Milch in der Küche.",
    "emoji": "Die Familie 👩‍👩‍👧 wohnt neben dem Hund 🐕 und mag 🇯🇵.",
    "ja": "日本の首都は東京です。犬は木の下で眠る。",
    "ko": "서울은 대한민국의 수도이다. 개가 나무 아래에서 잔다.",
    "th": "กรุงเทพเป็นเมืองหลวงของไทย สุนัขนอนใต้ต้นไม้",
    "zh": "北京是中国的首都。狗在树下睡觉。",
}
LONG = {f"long/{name}": "\n\n".join(f"{text} {number}" for number in range(12)) for name, text in TEXTS.items()}
QUESTIONS = ("großer Hund", "日本の首都", "الكلب", "수도", "สุนัข", "狗 北京", "Café Zürich 7", "🐕")
Tamper = Callable[[list[dict[str, Any]]], None]


def documents() -> list[Document]:
    metadata = {"year": 2024, "tags": ["a", "ü"], "nested": {"x": [1, 2.5, None, "🐈"]}}
    places = (Anchor(0, {"page": 1, "box": [1, 2, 3, 4]}), Anchor(7, {"page": 2, "heading": ["東京", "Zürich"]}))
    return [Document(name, text, metadata | {"name": name}, places) for name, text in {**TEXTS, **LONG}.items()]


def answers(collection: Collection) -> list[Any]:
    found = []
    for question in QUESTIONS:
        for mode in ("hybrid", "semantic", "lexical"):
            found += collection.search(question, k=20, mode=mode, effort="exact", explain=False).hits
    return found


def made(home: Path, name: str = "before", encoder: str = "hashing", **build: Any) -> Path:
    with Collection.open(name, create=True, encoder=encoder, home=home, **build) as collection:
        collection.add(documents())
    return home / name


def out(folder: Path, destination: Path) -> Path:
    export(folder, destination, "jsonl", lambda done, total: None)
    return destination


def come_in(home: Path, source: Path, name: str = "after", **build: Any) -> IndexReport:
    origin = open_source(source)
    with collection_for(origin, name, home=home, **build) as collection:
        return import_into(collection, origin)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    return out(made(folder), folder / "export")


@pytest.mark.parametrize(("codec", "pool"), [*((codec, 1) for codec in CODECS), ("scalar4", 3), ("float16", 2)])
def test_what_comes_in_again_answers_as_before(tmp_path: Path, codec: str, pool: int) -> None:
    folder = made(tmp_path, codec=codec, pool=pool)
    report = come_in(tmp_path, out(folder, tmp_path / "export"))
    assert (report.added, report.encoded_passages, report.notices, report.failed) == (len(documents()), 0, (), ())
    with Collection.open("before", home=tmp_path) as before, Collection.open("after", home=tmp_path) as after:
        assert after.ids() == before.ids()
        for each in before.ids():
            assert after.passages(each) == before.passages(each)
            one, other = before.get(each), after.get(each)
            assert one is not None
            assert other is not None
            assert (other.text, other.metadata, other.pending) == (one.text, one.metadata, False)
        assert after.settings == before.settings
        assert after.counts().languages == before.counts().languages
        assert max(len(before.passages(each)) for each in LONG) > 3
        assert answers(after) == answers(before)
        hits = [hit for question in QUESTIONS for hit in before.search(question)]
        for one_place, other_place in zip(before.evidence(hits), after.evidence(hits), strict=True):
            assert one_place is not None
            assert other_place is not None
            np.testing.assert_array_equal(one_place.spans, other_place.spans)
            np.testing.assert_array_equal(one_place.vectors, other_place.vectors)
    assert verify(tmp_path / "after").findings == ()


def test_importing_again_does_nothing(tmp_path: Path, exported: Path) -> None:
    come_in(tmp_path, exported)
    again = come_in(tmp_path, exported)
    assert (again.added, again.changed, again.unchanged, again.encoded_passages) == (0, 0, len(documents()), 0)


def test_what_is_there_stays_and_what_has_the_same_id_is_replaced(tmp_path: Path) -> None:
    source = out(made(tmp_path, encoder="nano"), tmp_path / "export")
    with Collection.open("after", create=True, encoder="nano", home=tmp_path) as collection:
        collection.add([Document("de", "Etwas ganz anderes."), Document("own", "Eigenes über Wale.")])
    report = come_in(tmp_path, source)
    assert (report.added, report.changed, report.encoded_passages) == (len(documents()) - 1, 1, 0)
    with Collection.open("after", home=tmp_path) as collection:
        assert collection.search("Wale", k=1).hits[0].document_id == "own"
        found = collection.get("de")
        assert found is not None
        assert found.text == TEXTS["de"]
    assert verify(tmp_path / "after").findings == ()


def test_another_encoder_encodes_the_texts(tmp_path: Path, exported: Path) -> None:
    other = HashingEncoder(dim=64)
    origin = open_source(exported)
    with Collection.open("after", create=True, encoder=other, home=tmp_path) as collection:
        report = import_into(collection, origin)
        assert [notice.code for notice in report.notices][:1] == ["vectors_not_taken"]
        assert report.encoded_passages == report.passages
        with Collection.open("fresh", create=True, encoder=other, home=tmp_path) as fresh:
            fresh.add(documents())
            assert answers(collection) == answers(fresh)


def test_another_frame_encodes_the_texts(tmp_path: Path, exported: Path) -> None:
    with Collection.open("after", create=True, encoder="hashing", home=tmp_path) as collection:
        collection.add([Document("own", "Eigenes über Wale.")])  # an encoder without a mean: the first vectors decide
    report = come_in(tmp_path, exported)
    assert "(frame of the codes)" in report.notices[0].message
    assert report.encoded_passages == report.passages - 1


def test_another_codec_encodes_the_texts(tmp_path: Path, exported: Path) -> None:
    report = come_in(tmp_path, exported, codec="float16")
    assert [notice.code for notice in report.notices][:1] == ["vectors_not_taken"]
    fresh = made(tmp_path, "fresh", codec="float16")
    with Collection.open("after", home=tmp_path) as after, Collection.open(fresh.name, home=tmp_path) as expected:
        assert answers(after) == answers(expected)


def given_vectors(home: Path, n_documents: int, text: str) -> Collection:
    """Make a collection of documents that an encoder never saw."""
    rng = np.random.default_rng(0)
    items = [rng.standard_normal((40, 32)).astype(np.float32) for _ in range(n_documents)]
    collection = Collection.open("before", create=True, encoder="hashing", home=home, codec="float16")
    collection.add([Document(f"d{n:04}", f"{n} {text}") for n in range(n_documents)], vectors=MultiVectors.of(items))
    return collection


def test_an_interrupted_import_goes_on(tmp_path: Path) -> None:
    given_vectors(tmp_path, 4, "東京 Hund " * 45_000).close()
    source = open_source(out(tmp_path / "before", tmp_path / "export"))

    class Killed(Exception):
        pass

    def die(n_documents: int) -> None:
        raise Killed

    with collection_for(source, "after", home=tmp_path) as collection, pytest.raises(Killed):
        import_into(collection, source, on_documents=die)
    with Collection.open("after", home=tmp_path) as collection:
        n_there = collection.counts().documents
        assert collection.counts().pending == 0
    assert 0 < n_there < 4
    report = come_in(tmp_path, tmp_path / "export")
    assert (report.unchanged, report.added, report.encoded_passages) == (n_there, 4 - n_there, 0)
    question = np.random.default_rng(1).standard_normal((5, 32)).astype(np.float32)
    with Collection.open("before", home=tmp_path) as before, Collection.open("after", home=tmp_path) as after:
        ranked = after.search_vectors(question, effort="exact")
        expected = before.search_vectors(question, effort="exact")
    assert [document_id for document_id, _ in ranked] == [document_id for document_id, _ in expected]
    # BLAS adds up in another order where a segment has other rows.
    np.testing.assert_allclose([score for _, score in ranked], [score for _, score in expected], rtol=1e-6)


def test_an_import_that_is_told_to_stop_ends_with_its_batch_and_goes_on(tmp_path: Path) -> None:
    given_vectors(tmp_path, 4, "東京 Hund " * 45_000).close()
    source, taken = open_source(out(tmp_path / "before", tmp_path / "export")), []
    with collection_for(source, "after", home=tmp_path) as collection:
        first = import_into(collection, source, on_documents=taken.append, stopped=lambda: bool(taken))
    assert 0 < first.added < 4
    assert (first.documents, first.unchanged, first.failed) == (first.added, 0, ())
    assert "interrupted" in {notice.code for notice in first.notices}
    assert not verify(tmp_path / "after").findings
    second = come_in(tmp_path, tmp_path / "export")
    assert (second.unchanged, second.added, second.encoded_passages) == (first.added, 4 - first.added, 0)
    assert "interrupted" not in {notice.code for notice in second.notices}


def test_texts_that_are_no_longer_taken_come_with_the_next_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "DOCUMENTS_PER_COMMIT", 10)
    lines = [json.dumps({"_id": f"d{n}", "text": f"{n} 東京 größe"}) for n in range(35)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")
    taken: list[int] = []
    with Collection.open("after", create=True, encoder="hashing", home=tmp_path) as collection:
        source = open_source(tmp_path / "corpus.jsonl")
        first = import_into(collection, source, on_documents=taken.append, stopped=lambda: len(taken) == 2)
        assert (first.added, first.encoded_passages) == (20, 0)
        assert collection.counts().pending == 20
        second = import_into(collection, open_source(tmp_path / "corpus.jsonl"))
        assert (second.unchanged, second.added, second.encoded_passages) == (20, 15, 35)


def test_documents_that_waited_wait_for_nothing_afterwards(tmp_path: Path) -> None:
    folder = made(tmp_path)
    with Collection.open("before", home=tmp_path) as collection:
        collection.put([Document("waiting", "Noch nicht gelesen: Wale.")])
    manifest = export(folder, tmp_path / "export", "jsonl", lambda done, total: None)
    assert manifest.pending == 1
    report = come_in(tmp_path, tmp_path / "export")
    assert report.encoded_passages == 1
    with Collection.open("after", home=tmp_path) as after:
        assert after.search("Wale", k=1).hits[0].document_id == "waiting"


def test_an_import_into_a_clustered_collection_is_clustered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "EXHAUSTIVE_TOKENS", 2000)
    with given_vectors(tmp_path, 80, "Wal") as collection:
        collection.optimize()
        out(tmp_path / "before", tmp_path / "export")
        store = collection.writer()
        trained = store.codebook()
        assert trained is not None
        for document_id in collection.ids():
            collection.delete(document_id)
        import_into(collection, open_source(tmp_path / "export"))
        assert store.codebook() == trained
        assert [info.segment for info in store.lists()] == [store.segments()[-1].number]
    assert verify(tmp_path / "before").findings == ()


@given(st.sampled_from(NEEDED), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_changed_byte_is_found_before_anything_is_made(
    exported: Path, tmp_path_factory: pytest.TempPathFactory, name: str, place: float, change: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged") / "export"
    shutil.copytree(exported, folder)
    content = bytearray((folder / name).read_bytes())
    content[int(place * len(content))] ^= change
    (folder / name).write_bytes(content)
    with pytest.raises(CorruptionError, match=name):
        come_in(folder.parent, folder)
    assert not is_collection(folder.parent / "after")


@pytest.mark.parametrize("name", [*NEEDED, "vectors.safetensors"])
def test_only_the_decoded_vectors_may_be_left_out(tmp_path: Path, exported: Path, name: str) -> None:
    shutil.copytree(exported, tmp_path / "export")
    (tmp_path / "export" / name).unlink()
    if name == "vectors.safetensors":
        assert come_in(tmp_path, tmp_path / "export").added == len(documents())
        return
    with pytest.raises(CorruptionError, match=name):
        come_in(tmp_path, tmp_path / "export")


def edited(folder: Path, name: str, change: Tamper) -> None:
    """Change the lines of a file, and let the manifest vouch for that."""
    path = folder / name
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    change(rows)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    vouch(folder, name)


def vouch(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"][name] = [hashlib.sha256(content).hexdigest(), str(len(content))]
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def setting(index: int, **values: Any) -> Tamper:
    return lambda rows: rows[index].update(values)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("documents.jsonl", setting(1, id="ar")),
        ("documents.jsonl", setting(1, text=7)),
        ("documents.jsonl", setting(1, surprise=True)),
        ("documents.jsonl", setting(1, passages=-1)),
        ("documents.jsonl", setting(1, passages=10**6)),
        ("documents.jsonl", setting(1, passages=None)),
        ("documents.jsonl", setting(1, anchors=[{"start": "0", "place": {}}])),
        ("documents.jsonl", lambda rows: rows[1].pop("metadata")),
        ("documents.jsonl", lambda rows: rows.pop()),
        ("documents.jsonl", lambda rows: rows.reverse()),
        ("passages.jsonl", setting(2, start=-1)),
        ("passages.jsonl", setting(2, end=10**9)),
        ("passages.jsonl", setting(2, tokens=-3)),
        ("passages.jsonl", setting(2, passage=9)),
        ("passages.jsonl", setting(2, document_id="人")),
        ("passages.jsonl", lambda rows: rows.pop()),
        ("passages.jsonl", lambda rows: rows.append(rows[0])),
    ],
)
def test_lines_that_no_export_holds_are_refused(tmp_path: Path, exported: Path, name: str, change: Tamper) -> None:
    shutil.copytree(exported, tmp_path / "export")
    edited(tmp_path / "export", name, change)
    with pytest.raises(CorruptionError):
        come_in(tmp_path, tmp_path / "export")


def codes(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "codes.safetensors")
    change(tensors)
    save_file(tensors, folder / "codes.safetensors")
    vouch(folder, "codes.safetensors")


def not_finite(tensors: dict[str, Any]) -> None:
    tensors["scales"][0] = np.nan


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("offsets"),
        lambda tensors: tensors.pop("scales"),
        lambda tensors: tensors.update(more=np.zeros(3, np.uint8)),
        lambda tensors: tensors.update(codes=tensors["codes"][:-1].copy()),
        lambda tensors: tensors.update(scales=tensors["scales"].astype(np.float32)),
        lambda tensors: tensors.update(offsets=tensors["offsets"][::-1].copy()),
        lambda tensors: tensors.update(offsets=tensors["offsets"] + 1),
        lambda tensors: tensors.update(offsets=tensors["offsets"][:-1].copy()),
        not_finite,
    ],
)
def test_codes_that_no_codec_makes_are_refused(
    tmp_path: Path, exported: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    shutil.copytree(exported, tmp_path / "export")
    codes(tmp_path / "export", change)
    with pytest.raises(CorruptionError, match="codes"):
        come_in(tmp_path, tmp_path / "export")


@pytest.mark.parametrize(
    "frame", [{}, {"mean": [0.0], "seed": 0}, {"mean": "x", "seed": 0}, {"mean": [1e999] * 32, "seed": 0}]
)
def test_a_frame_that_is_none_is_refused(tmp_path: Path, exported: Path, frame: dict[str, Any]) -> None:
    shutil.copytree(exported, tmp_path / "export")
    changed_manifest(tmp_path / "export", frame=frame)
    with pytest.raises(CorruptionError, match="frame"):
        come_in(tmp_path, tmp_path / "export")


def changed_manifest(folder: Path, **values: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8")) | values
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"version": VERSION + 1, "surprise": 1}, FormatVersionError),
        ({"version": "new"}, CorruptionError),
        ({"surprise": 1}, CorruptionError),
        ({"files": {}}, CorruptionError),
        ({"form": "qdrant"}, UnsupportedFileError),
    ],
)
def test_manifests_of_others_are_refused(
    tmp_path: Path, exported: Path, values: dict[str, Any], error: type[Lfm2ColbertError]
) -> None:
    shutil.copytree(exported, tmp_path / "export")
    changed_manifest(tmp_path / "export", **values)
    with pytest.raises(error):
        come_in(tmp_path, tmp_path / "export")
    assert not is_collection(tmp_path / "after")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{" * 100_000, b"null"])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, exported: Path, content: bytes) -> None:
    shutil.copytree(exported, tmp_path / "export")
    (tmp_path / "export" / MANIFEST).write_bytes(content)
    with pytest.raises(CorruptionError, match=MANIFEST):
        come_in(tmp_path, tmp_path / "export")


def test_nothing_is_imported_from_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_source(tmp_path / "nothing")
    with pytest.raises(UnsupportedFileError, match="no source"):
        open_source(tmp_path)
