"""Documents, files and passages in the store: who owns an id, what waits, what is searchable."""

from pathlib import Path

import pytest
import xxhash

from index.records import Change, PlacedPassage, Placement, SegmentInfo, StoreCounts
from index.store import Store
from index.types import Document, Failure, Passage
from lfm2_colbert.errors import (
    CorruptionError,
    DocumentTooLargeError,
    DuplicateIdError,
    InvalidArgumentError,
)

TEXT = "日本語🎉 نص عربي Straße"


def put(store: Store, document_id: str, text: str = TEXT, source: int | None = None, **metadata: object) -> Change:
    with store.transaction():
        return store.put(Document(document_id, text, metadata), source)


def add_source(store: Store, root: str = "/docs", path: str = "a.md", prefix: str = "") -> int:
    with store.transaction():
        return store.set_source(store.root(root, prefix), path, b"hash", None)


def segment(number: int, n_passages: int = 10) -> SegmentInfo:
    return SegmentInfo(number, f"{number:010d}.seg", 1000, "c" * 32, n_passages, 50, 8, "float16")


def placement(document: int, version: int, number: int, *rows: int, language: str = "de") -> Placement:
    passages = tuple(
        PlacedPassage(Passage(i, i * 2, i * 2 + 3, 7, language), number, row) for i, row in enumerate(rows)
    )
    return Placement(document, version, passages)


def publish_all(store: Store, number: int = 1) -> None:
    """One passage for every pending document."""
    waiting = store.pending(10**9)
    with store.transaction():
        store.publish(
            [segment(number, len(waiting))],
            [placement(each.key, each.version, number, row) for row, each in enumerate(waiting)],
        )


# ---- documents -------------------------------------------------------------------------------------------------------


def test_document_comes_back_as_it_was_put(store: Store) -> None:
    assert put(store, "ملف/文書.md", year=2024, tags=("a", "b"), deep={"x": [1.5, None, True]}) == Change.ADDED
    found = store.document("ملف/文書.md")
    assert found is not None
    assert (found.text, found.version, found.source, found.pending) == (TEXT, 1, None, True)
    assert found.metadata == {"year": 2024, "tags": ["a", "b"], "deep": {"x": [1.5, None, True]}}


def test_hashes_are_those_of_id_with_text_and_with_canonical_metadata(store: Store) -> None:
    put(store, "a", "text", b=1, a="é")
    stored = store._database.row("SELECT text_hash, metadata_hash FROM documents")
    contents = ("a\0text", 'a\0{"a":"é","b":1}')
    assert stored == tuple(xxhash.xxh3_128_digest(content.encode()) for content in contents)


def test_same_content_is_unchanged_whatever_the_order_of_its_metadata(store: Store) -> None:
    put(store, "a", x=1, y=2)
    assert put(store, "a", y=2, x=1) == Change.UNCHANGED
    found = store.document("a")
    assert found is not None
    assert found.version == 1


def test_changed_text_loses_its_passages_at_once_and_waits_again(store: Store) -> None:
    put(store, "a", year=2024)
    put(store, "b")
    publish_all(store)
    assert put(store, "a", "other", year=2024) == Change.CHANGED
    assert [document for document, *_ in store.passage_rows(1)] == [2]
    assert [waiting.id for waiting in store.pending(10)] == ["a"]


def test_changed_metadata_keeps_the_passages_and_asks_for_no_encoding(store: Store) -> None:
    put(store, "a", year=2024)
    publish_all(store)
    assert put(store, "a", year=2025) == Change.CHANGED
    found = store.document("a")
    assert found is not None
    assert (found.metadata, found.version, found.pending) == ({"year": 2025}, 2, False)
    assert [document for document, *_ in store.passage_rows(1)] == [1]


def test_deleted_document_is_gone_with_its_passages(store: Store) -> None:
    put(store, "a")
    publish_all(store)
    with store.transaction():
        assert store.delete("a") is True
        assert store.delete("a") is False
    assert (store.document("a"), list(store.passage_rows(1)), store.counts().documents) == (None, [], 0)
    assert [info.number for info in store.segments()] == [1]


def test_deletion_leaves_the_file_as_seen_so_that_it_does_not_come_back(store: Store) -> None:
    source = add_source(store)
    put(store, "a.md", source=source)
    with store.transaction():
        store.delete("a.md")
    assert store.sources(1)["a.md"].content_hash == b"hash"


@pytest.mark.parametrize(
    "document",
    [
        Document("", "t"),
        Document("x" * 1025, "t"),
        Document("a\nb", "t"),
        Document("a\0", "t"),
        Document("a\x85b", "t"),
        Document("\ud800", "t"),
        Document("a", "half \udc00 pair"),
        Document("a", "nul \0"),
        Document("a", "t", {"x": float("nan")}),
        Document("a", "t", {"x": float("inf")}),
        Document("a", "t", {"x": {1, 2}}),
        Document("a", "t", {"x": {1: 2}}),
        Document("a", "t", {"x": "\ud800"}),
        Document("a", "t", {"x": b"bytes"}),
        Document("a", "t", {"x": 10**5000}),
    ],
)
def test_what_cannot_be_stored_is_refused_and_the_rest_of_the_transaction_stands(
    store: Store, document: Document
) -> None:
    with store.transaction():
        store.put(Document("good", TEXT), None)
        with pytest.raises(InvalidArgumentError) as caught:
            store.put(document, None)
    assert caught.value.help
    assert store.counts().documents == 1


def test_metadata_nested_without_end_is_refused(store: Store) -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(InvalidArgumentError, match="nested"):
        put(store, "a", deep=deep)


def test_longest_id_and_bidirectional_marks_are_accepted(store: Store) -> None:
    assert put(store, "\u202bא" * 512) == Change.ADDED


def test_document_of_the_largest_size_is_stored_and_one_byte_more_is_refused(store: Store) -> None:
    limit = 64 * 1024 * 1024
    text = "é" * ((limit - 2) // 2)  # two bytes a character, two bytes of metadata: "{}"
    assert put(store, "a", text) == Change.ADDED
    with pytest.raises(DocumentTooLargeError, match=str(limit)):
        put(store, "b", text + "x")
    assert store.pending_characters() == len(text)


# ---- files and roots -------------------------------------------------------------------------------------------------


def test_roots_and_sources_keep_their_keys(store: Store) -> None:
    with store.transaction():
        first, prefixed = store.root("/docs", ""), store.root("/docs", "p")
        assert first != prefixed
        assert store.root("/docs", "") == first
        source = store.set_source(first, "a.md", b"1", None)
        assert store.set_source(first, "a.md", b"2", None) == source
        assert store.set_source(prefixed, "a.md", b"1", None) != source
    assert store.sources(first)["a.md"].content_hash == b"2"


def test_failure_is_listed_until_the_file_is_well(store: Store) -> None:
    failure = Failure("b.pdf", "malformed_document", "no end")
    with store.transaction():
        root = store.root("/docs", "")
        store.set_source(root, "b.pdf", b"1", failure)
        store.set_source(root, "a.md", b"1", None)
    assert store.failures() == [failure]
    assert (store.sources(root)["b.pdf"].failure, store.counts().failed) == (failure, 1)
    with store.transaction():
        store.set_source(root, "b.pdf", b"2", None)
    assert (store.failures(), store.counts().failed) == ([], 0)


def test_id_of_another_root_is_refused_with_a_way_out(store: Store) -> None:
    put(store, "a.md", source=add_source(store, "/docs"))
    other = add_source(store, "/notes")
    with store.transaction():
        with pytest.raises(DuplicateIdError, match="documents of /docs") as caught:
            store.put(Document("a.md", TEXT), other)
        store.put(Document("p/a.md", TEXT), other)
    assert "--prefix" in caught.value.help
    assert store.counts().documents == 2


def test_file_does_not_take_over_what_a_program_added(store: Store) -> None:
    put(store, "a.md")
    with pytest.raises(DuplicateIdError, match="a program added"):
        put(store, "a.md", source=add_source(store))


def test_program_may_replace_what_a_file_gave_and_owns_it_then(store: Store) -> None:
    source = add_source(store)
    put(store, "a.md", source=source)
    assert put(store, "a.md", "other") == Change.CHANGED
    with store.transaction():
        assert store.remove_source(source) == 0
    assert store.document("a.md") is not None


def test_row_can_move_to_another_file_once_the_first_lets_it_go(store: Store) -> None:
    first, second = add_source(store, path="a.jsonl"), add_source(store, path="b.jsonl")
    put(store, "row", source=first)
    with pytest.raises(DuplicateIdError, match=r"the file a\.jsonl"):
        put(store, "row", source=second)
    with store.transaction():
        store.prune_source(first, ())
    assert put(store, "row", source=second) == Change.ADDED


def test_pruning_removes_only_this_files_other_documents(store: Store) -> None:
    first, second = add_source(store, path="a.jsonl"), add_source(store, path="b.jsonl")
    for document_id, source in (("1", first), ("2", first), ("3", second), ("4", None)):
        put(store, document_id, source=source)
    with store.transaction():
        assert store.prune_source(first, {"2"}) == 1
        assert store.prune_source(first, ["2"]) == 0
    assert [store.document(name) is not None for name in "1234"] == [False, True, True, True]


def test_removed_file_is_forgotten_with_its_documents(store: Store) -> None:
    source = add_source(store)
    put(store, "1", source=source)
    put(store, "2", source=source)
    with store.transaction():
        assert store.remove_source(source) == 2
    assert (store.sources(1), store.counts().documents) == ({}, 0)


def test_unknown_source_is_refused(store: Store) -> None:
    with pytest.raises(InvalidArgumentError, match="no source 5"):
        put(store, "a", source=5)


# ---- passages and segments -------------------------------------------------------------------------------------------


def test_published_passages_are_found_by_row_and_with_their_words(store: Store) -> None:
    put(store, "a", year=2024)
    (waiting,) = store.pending(1)
    with store.transaction():
        assert store.publish([segment(1)], [placement(waiting.key, waiting.version, 1, 4, 2)]) == 1
    assert list(store.passage_rows(1)) == [(waiting.key, 1, 2), (waiting.key, 0, 4)]
    found = store.passage(waiting.key, 1)
    assert found is not None
    assert (found.document_id, found.text, found.metadata) == ("a", TEXT[2:5], {"year": 2024})
    assert found.passage == Passage(1, 2, 5, 7, "de")
    assert store.passage(waiting.key, 2) is None
    assert store.segments() == [segment(1)]
    assert (store.pending(10), store.pending_characters()) == ([], 0)


def test_document_that_changed_meanwhile_stays_pending_and_its_rows_are_dead(store: Store) -> None:
    for name in ("a", "b", "c"):
        put(store, name)
    waiting = store.pending(10**6)
    put(store, "a", "other")
    with store.transaction():
        store.delete("b")
        store.put(Document("d", TEXT), None)
    with store.transaction():
        placed = store.publish([segment(1)], [placement(each.key, 1, 1, i) for i, each in enumerate(waiting)])
    assert placed == 1
    assert list(store.passage_rows(1)) == [(waiting[2].key, 0, 2)]
    assert store.deaths_since(0) == [(1, row) for row in range(10) if row != 2]
    assert [(each.id, each.version) for each in store.pending(10**6)] == [("a", 2), ("d", 1)]


def test_key_of_a_deleted_document_is_never_given_again(store: Store) -> None:
    put(store, "a")
    (before,) = store.pending(1)
    with store.transaction():
        store.delete("a")
        store.put(Document("a", "other"), None)
    with store.transaction():
        assert store.publish([segment(1)], [placement(before.key, before.version, 1, 0)]) == 0


def test_document_without_passages_is_done(store: Store) -> None:
    put(store, "blank", " ")
    (waiting,) = store.pending(1)
    with store.transaction():
        store.publish([], [Placement(waiting.key, waiting.version, ())])
    assert (store.pending(10), store.counts().pending) == ([], 0)


def test_publishing_again_moves_passages_to_their_new_rows(store: Store) -> None:
    put(store, "a")
    publish_all(store)
    with store.transaction():
        store.publish([segment(2)], [placement(1, 1, 2, 5)])
    assert list(store.passage_rows(2)) == [(1, 0, 5)]


@pytest.mark.parametrize(("number", "row"), [(1, 10), (1, -1), (2, 0)])
def test_passage_outside_the_segments_is_refused(store: Store, number: int, row: int) -> None:
    put(store, "a")
    with pytest.raises(InvalidArgumentError, match=f"segment {number} has no row {row}"), store.transaction():
        store.publish([segment(1)], [placement(1, 1, number, row)])
    assert store.segments() == []


def test_row_belongs_to_one_passage(store: Store) -> None:
    put(store, "a")
    put(store, "b")
    with pytest.raises(InvalidArgumentError, match="contradicts"), store.transaction():
        store.publish([segment(1)], [placement(1, 1, 1, 0), placement(2, 1, 1, 0)])
    assert store.segments() == []


def test_segment_numbers_are_never_used_twice(store: Store, folder: Path) -> None:
    with store:
        assert [store.next_segment_number() for _ in range(3)] == [1, 2, 3]
        with store.transaction():
            store.publish([segment(3), segment(2)], [])
        with pytest.raises(InvalidArgumentError, match="used before"), store.transaction():
            store.publish([segment(2)], [])
        with store.transaction():
            store._database.write("DELETE FROM segments")
    with Store.open(folder, writable=True) as store:
        assert store.next_segment_number() == 4


def test_pending_comes_in_order_within_the_limit_and_never_empty(store: Store) -> None:
    for name, length in (("a", 5), ("b", 5), ("c", 100), ("d", 1)):
        put(store, name, "語" * length)
    assert [each.id for each in store.pending(10)] == ["a", "b"]
    assert [each.id for each in store.pending(9)] == ["a"]
    assert [each.id for each in store.pending(1)] == ["a"]
    assert [each.id for each in store.pending(10**6)] == ["a", "b", "c", "d"]
    assert store.pending_characters() == 111


def test_pending_reads_use_the_partial_index(store: Store) -> None:
    (plan,) = store._database.rows(
        "EXPLAIN QUERY PLAN SELECT key, characters FROM documents WHERE pending ORDER BY key"
    )
    assert "COVERING INDEX pending_documents" in plan[3]


def test_rows_are_read_from_an_index_alone(store: Store) -> None:
    (plan,) = store._database.rows(
        "EXPLAIN QUERY PLAN SELECT document, ordinal, row FROM passages WHERE segment = 1 ORDER BY row"
    )
    assert "COVERING INDEX passage_of_row" in plan[3]


def test_counts_add_up(store: Store) -> None:
    for name in ("a", "b", "c"):
        put(store, name)
    waiting = store.pending(10**6)
    with store.transaction():
        store.publish(
            [segment(1)],
            [placement(waiting[0].key, 1, 1, 0, 1), placement(waiting[1].key, 1, 1, 2, language="ja")],
        )
    counts = store.counts()
    pages = store._database.value("PRAGMA page_count") * store._database.value("PRAGMA page_size")
    assert counts == StoreCounts(3, 3, 21, pages + 1000, {"de": 2, "ja": 1}, 1, 0)


def test_documents_that_vanish_without_being_deleted_are_damage(store: Store) -> None:
    put(store, "a")
    with store.transaction():
        store._database.write("UPDATE sums SET n = 2 WHERE name = 'documents'")
    with pytest.raises(CorruptionError, match="2 documents were stored, 1"):
        store.counts()


def test_ids_are_found_by_key_and_missing_ones_left_out(store: Store) -> None:
    put(store, "a")
    put(store, "文書")
    assert store.document_ids([2, 7, 1]) == {2: "文書", 1: "a"}


def test_documents_under_a_root_are_counted_apart(store: Store) -> None:
    put(store, "a.md", source=add_source(store, "/docs"))
    put(store, "b.md", source=add_source(store, "/notes"))
    put(store, "c")
    assert [store.count_under(root) for root in (1, 2, 3)] == [1, 1, 0]


def test_writer_removes_what_an_interrupted_run_left_and_nothing_else(store: Store, folder: Path) -> None:
    with store:
        put(store, "a")
        publish_all(store)
        for name in ("0000000001.seg", "0000000002.seg", "0000000003.seg.tmp", "other.tmp", "notes.txt"):
            (store.segments_folder / name).touch()
        (store.segments_folder / "folder.tmp").mkdir()
    Store.open(folder, writable=False).close()
    assert (folder / "segs" / "0000000002.seg").exists()
    Store.open(folder, writable=True).close()
    assert sorted(path.name for path in (folder / "segs").iterdir()) == ["0000000001.seg", "folder.tmp", "notes.txt"]
