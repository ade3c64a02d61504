"""Merging and clustering change how fast documents are found, never which there are or what exact search says."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index import Collection, Document, effort, search
from index.arrays import write_arrays
from index.candidates import CANDIDATES
from index.candidates.centroids import Centroids
from index.codebook import Clusters, Codebook, train
from index.codecs.float16 import Float16
from index.durable import Folder
from index.effort import Budget
from index.home import collection_folder
from index.indexing import LISTED_TOKENS
from index.lists import SegmentLists, write_lists
from index.maintenance import exactly
from index.maxsim import maxsim_scores
from index.merging import FAN_IN
from index.records import RECALL, ListsInfo
from index.snapshot import View, load_snapshot
from index.store import Store
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import CorruptionError, UnknownNameError
from lfm2_colbert.multivectors import MultiVectors

DIM = 32
N_PASSAGES = 3000
SMALL = 2000


def topical(n: int, seed: int) -> MultiVectors:
    """Passages about one of sixty topics each."""
    rng, topics = np.random.default_rng(seed), np.random.default_rng(0).standard_normal((60, DIM))
    items = []
    for _ in range(n):
        vectors = topics[rng.integers(60)] + 0.8 * rng.standard_normal((int(rng.integers(2, 14)), DIM))
        items.append((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
    return MultiVectors.of(items)


def documents(numbers: range) -> list[Document]:
    return [Document(f"{number:05}", f"passage {number}") for number in numbers]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "EXHAUSTIVE_TOKENS", SMALL)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose collection was added to five times."""
    home, vectors = tmp_path_factory.mktemp("built"), topical(N_PASSAGES, seed=1)
    with (
        pytest.MonkeyPatch.context() as patch,
        Collection.open("c", create=True, encoder=HashingEncoder(dim=DIM), home=home) as opened,
    ):
        patch.setattr(effort, "EXHAUSTIVE_TOKENS", SMALL)
        for start in range(0, N_PASSAGES, 600):
            part = vectors.take(range(start, start + 600))
            opened.add(documents(range(start, start + 600)), vectors=part)
    return home


@pytest.fixture
def collection(tmp_path: Path, built: Path, small: None) -> Iterator[Collection]:
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    with Collection.open("c", create=True, encoder=HashingEncoder(dim=DIM), home=tmp_path) as opened:
        yield opened


def exact(collection: Collection) -> list[list[tuple[str, float]]]:
    return [collection.search_vectors(query, k=10, effort="exact") for query in topical(20, seed=2)]


def segments(collection: Collection) -> list[int]:
    return [info.number for info in collection._store.segments()]


def test_exact_results_and_documents_are_the_same_after_optimize(collection: Collection) -> None:
    for number in range(0, N_PASSAGES, 7):
        collection.delete(f"{number:05}")
    before, counts = exact(collection), collection.counts()
    report = collection.optimize()
    assert report.segments_after == len(segments(collection)) == 1
    after = exact(collection)
    assert [[name for name, _ in hits] for hits in after] == [[name for name, _ in hits] for hits in before]
    np.testing.assert_allclose([s for h in after for _, s in h], [s for h in before for _, s in h], atol=1e-5)
    assert (collection.counts().documents, collection.counts().passages) == (counts.documents, counts.passages)
    (info,) = collection._store.segments()
    assert info.n_passages == counts.passages


def test_exact_search_is_maxsim_over_what_is_stored(collection: Collection) -> None:
    collection.optimize()
    with collection._store.snapshot():
        (part,) = load_snapshot(collection._store, collection._store.segments_folder).parts
        names = collection._store.document_ids(part.documents.tolist())
    decoded = MultiVectors(collection._coding.required().decode(part.segment.arrays), part.segment.offsets)
    for query, hits in zip(topical(20, seed=2), exact(collection), strict=True):
        scores = maxsim_scores(query, decoded)
        by_name = {names[key]: score for key, score in zip(part.documents.tolist(), scores.tolist(), strict=True)}
        # The exact product with the mean replaces that of the decoded vector: the two differ by the code's error.
        assert [score for _, score in hits] == pytest.approx([by_name[name] for name, _ in hits], abs=0.02)
        assert [score for _, score in hits] == pytest.approx(np.sort(scores)[: -len(hits) - 1 : -1].tolist(), abs=0.02)


def test_exact_search_of_a_segment_at_a_time_is_that_of_all(collection: Collection) -> None:
    queries = list(topical(20, seed=2))
    with collection._store.snapshot():
        view = View(load_snapshot(collection._store, collection._store.segments_folder), collection._coding.required())
        assert len(view.snapshot.parts) > 1
        found = exactly(queries, view, collection._store.document_ids)
    assert found == [{name for name, _ in hits} for hits in exact(collection)]


@pytest.mark.parametrize(("effort", "least"), [("fast", 0.85), ("balanced", 0.95)])
def test_presets_find_what_exact_search_finds(collection: Collection, effort: str, least: float) -> None:
    collection.optimize()
    shares = []
    for query, truth in zip(topical(20, seed=2), exact(collection), strict=True):
        found, again = (collection.search_vectors(query, k=10, effort=effort) for _ in range(2))
        shares.append(len({name for name, _ in found} & {name for name, _ in truth}) / 10)
        assert found == again
    assert np.mean(shares) >= least


def test_adding_clusters_by_itself_and_keeps_the_measured_recall(collection: Collection) -> None:
    note = collection._store.note(RECALL)
    assert note is not None
    assert note["recall_at_10"] >= 0.9
    assert collection._store.codebook() is not None


def test_a_collection_that_outgrows_its_centroids_gets_more(tmp_path: Path, small: None) -> None:
    vectors = topical(N_PASSAGES, seed=1)
    with Collection.open("grown", create=True, encoder=HashingEncoder(dim=DIM), home=tmp_path) as opened:
        numbers = []
        for first, last in ((0, 600), (600, 1200), (1200, N_PASSAGES)):
            opened.add(documents(range(first, last)), vectors=vectors.take(range(first, last)))
            info = opened._store.codebook()
            assert info is not None
            numbers.append(info.number)
    assert numbers == [1, 1, 2]


def test_adding_reads_no_passage_table(collection: Collection, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    collection.optimize()

    def scanned(store: Store) -> None:
        raise AssertionError("the cost of an addition must not grow with the collection")

    monkeypatch.setattr(Store, "passage_rows", scanned)
    collection.add([Document("later", "プラハ")], vectors=topical(1, seed=7))


def test_adding_the_same_again_writes_no_segment(collection: Collection) -> None:
    before = segments(collection)
    collection.add(documents(range(40)), vectors=topical(40, seed=7))
    assert segments(collection) == before


def test_passages_without_vectors_do_not_stand_in_the_way_of_clustering(tmp_path: Path, small: None) -> None:
    items = [item if number % 2 else item[:0] for number, item in enumerate(topical(800, seed=8))]
    with Collection.open("gaps", create=True, encoder=HashingEncoder(dim=DIM), home=tmp_path) as opened:
        opened.add(documents(range(800)), vectors=MultiVectors.of(items))
        assert opened._store.codebook() is not None
        assert all(int(name) % 2 for name, _ in opened.search_vectors(items[1], k=300))


@pytest.mark.parametrize("effort", ["fast", "balanced"])
@pytest.mark.parametrize("factor", [2.0**-60, 2.0**40])
def test_candidates_do_not_depend_on_the_length_of_query_vectors(
    collection: Collection, effort: str, factor: float
) -> None:
    collection.optimize()
    with collection._store.snapshot():
        snapshot = load_snapshot(collection._store, collection._store.segments_folder)
    view = View(snapshot, Float16())
    for query in topical(5, seed=9):
        usual, scaled = (
            Centroids().candidates(each, view, search.BUDGETS[search.Effort(effort)])
            for each in (query, query * np.float32(factor))
        )
        np.testing.assert_array_equal(usual.row, scaled.row)
        np.testing.assert_array_equal(usual.score, scaled.score)


def test_a_document_that_takes_all_candidates_does_not_hide_the_others(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["Prag " * 12_000, *(f"{city} liegt am Fluss" for city in ("Wien", "東京", "القاهرة"))]
    monkeypatch.setitem(search.BUDGETS, search.Effort.FAST, Budget(n_probe=1, n_candidates=8, n_fine=4, margin=1))
    with Collection.open("crowd", create=True, encoder=HashingEncoder(dim=DIM), home=tmp_path) as opened:
        opened.add([Document(str(number), text) for number, text in enumerate(texts)])
        result = opened.search("Prag", k=4, effort="fast")
        exact = opened.search("Prag", k=4, effort="exact")
        assert [hit.document_id for hit in result.hits] == [hit.document_id for hit in exact.hits]
        assert len(result.hits) == 4
        few = opened.search("Prag", k=50, effort="fast")  # more than there are: all, and no more
    assert len(few.hits) == 4


@pytest.mark.parametrize("candidates", sorted(CANDIDATES))
def test_every_generator_finds_the_passage_that_a_query_was_cut_from(collection: Collection, candidates: str) -> None:
    collection.optimize()
    for number, vectors in enumerate(topical(40, seed=7)):
        found = collection.search_vectors(vectors, k=1, candidates=candidates)
        assert found == collection.search_vectors(vectors, k=1, effort="exact"), number


def test_a_generator_that_does_not_exist_is_named(collection: Collection) -> None:
    with pytest.raises(UnknownNameError, match="hnsw"):
        collection.search_vectors(topical(1, seed=9)[0], candidates="hnsw")


def test_a_document_of_many_good_passages_does_not_hide_the_others(tmp_path: Path, small: None) -> None:
    """One document owns the best passages by far, more of them than a search refines at first."""
    encoder = HashingEncoder(dim=DIM)
    texts = ["Prag " * 8000, *(f"Prag und {city}" for city in ("Wien", "東京", "القاهرة"))]
    with Collection.open("crowd", create=True, encoder=encoder, home=tmp_path) as opened:
        opened.add([Document(str(number), text) for number, text in enumerate(texts)])
        assert opened.counts().passages > 3 * search.BUDGETS[search.Effort.FAST].n_fine
        assert {hit.document_id for hit in opened.search("Prag", k=4, effort="fast").hits} == {"0", "1", "2", "3"}


def test_warming_up_covers_what_coarse_scores_and_candidates_read(collection: Collection) -> None:
    collection.optimize()
    n_vectors = collection.counts().tokens
    a_token = DIM // 2 + 2 * 2
    covered = collection.warm_up()
    assert n_vectors * a_token < covered < 2 * n_vectors * a_token  # codes, scales, means; lists are smaller
    with Collection.open("c", home=collection._store.folder.parent) as reader:
        assert reader.warm_up() == covered


def test_clustering_tells_how_far_it_is(collection: Collection) -> None:
    told: list[tuple[int, int]] = []
    collection.optimize(on_clustered=lambda done, total: told.append((done, total)))
    n_tokens = collection.counts().tokens
    assert told[-1] == (n_tokens, n_tokens)
    assert told == sorted(told)


def test_new_passages_are_found_at_once_and_clustered_by_the_codebook_there_is(collection: Collection) -> None:
    collection.optimize()
    vectors = topical(300, seed=3)
    collection.add(documents(range(5000, 5300)), vectors=vectors)
    assert len(vectors.vectors) >= LISTED_TOKENS
    assert len(collection._store.lists()) == len(segments(collection)) == 2
    assert collection.search_vectors(vectors[7], k=1)[0][0] == "05007"


def test_a_handful_of_passages_is_searched_whole_and_clustered_when_it_is_merged(collection: Collection) -> None:
    collection.optimize()
    vectors = topical(FAN_IN - 1, seed=3)  # with the segment there is, enough to be merged
    for number in range(FAN_IN - 1):
        collection.add(documents(range(5000 + number, 5001 + number)), vectors=vectors.take([number]))
        assert collection.search_vectors(vectors[number], k=1)[0][0] == f"{5000 + number:05}"
    assert len(collection._store.lists()) == len(segments(collection)) == 1
    assert collection.search_vectors(vectors[0], k=1)[0][0] == "05000"


def test_reader_goes_on_while_segments_are_merged(collection: Collection, tmp_path: Path) -> None:
    with Collection.open("c", home=tmp_path) as reader:
        query = topical(1, seed=4)[0]
        before = reader.search_vectors(query, k=5, effort="exact")
        collection.optimize()
        after = reader.search_vectors(query, k=5, effort="exact")
    assert [name for name, _ in before] == [name for name, _ in after]


def test_replaced_files_go_when_the_next_writer_comes(collection: Collection, tmp_path: Path) -> None:
    collection.optimize()
    collection.close()
    folder = collection_folder(tmp_path, "c")
    with Store.open(folder, writable=True) as store:
        expected = {info.file for info in store.segments()} | {
            info.file.file for info in (*store.lists(), *store.words())
        }
        codebook = store.codebook()
        assert codebook is not None
        assert {path.name for path in store.segments_folder.iterdir()} == expected | {codebook.file.file}


@pytest.mark.parametrize("suffix", [".book", ".lists"])
def test_damage_in_what_clustering_wrote_is_found(collection: Collection, tmp_path: Path, suffix: str) -> None:
    collection.optimize()
    collection.close()
    path = max((collection_folder(tmp_path, "c") / "segs").glob(f"*{suffix}"))
    content = bytearray(path.read_bytes())
    content[-40] ^= 255
    path.chmod(0o644)
    path.write_bytes(content)
    with Collection.open("c", home=tmp_path) as opened, pytest.raises(CorruptionError, match=path.name):
        opened.search_vectors(topical(1, seed=4)[0])


def test_training_is_a_function_of_its_seed() -> None:
    sample = np.concatenate(list(topical(300, seed=5)))
    one, again, other = (train(sample, 40, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.centroids, again.centroids)
    assert not np.array_equal(one.centroids, other.centroids)
    np.testing.assert_allclose(np.linalg.norm(one.centroids, axis=1), 1, atol=1e-5)
    assert one.group_offsets[-1] == len(one.centroids)


def test_lists_name_each_passage_of_a_centroid_once(tmp_path: Path) -> None:
    codes = np.array([2, 2, 0, 1, 2, 0], np.uint32)
    offsets = np.array([0, 3, 3, 6])
    lists = SegmentLists.open(tmp_path, write_lists(Folder(tmp_path), 4, 1, 4, codes, offsets))
    bounds = itertools.pairwise(lists.postings.offsets)
    of = [lists.postings.rows[first:last].tolist() for first, last in bounds]
    assert of == [[0, 2], [2], [0, 2], []]


def test_lists_that_overlap_are_refused_with_the_name_of_their_file(tmp_path: Path) -> None:
    arrays = {
        "codes": np.array([0], np.uint32),
        "list_offsets": np.array([0, 9, 1], np.int64),
        "list_rows": np.array([0], np.uint32),
    }
    info = ListsInfo(4, 1, write_arrays(Folder(tmp_path), "odd.lists", "lists", 4, "1", arrays))
    with pytest.raises(CorruptionError, match=r"odd\.lists"):
        SegmentLists.open(tmp_path, info)


def test_nearest_centroid_has_the_largest_product() -> None:
    rng = np.random.default_rng(6)
    centroids = rng.standard_normal((50, DIM)).astype(np.float32)
    centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    vectors = rng.standard_normal((500, DIM)).astype(np.float32)
    products = vectors @ centroids.T
    nearest = Codebook.of(1, Clusters.whole(centroids)).nearest(vectors)
    gap = products.max(axis=1) - products[np.arange(500), nearest]
    assert gap.max() < 0.1  # seven bits a value: only near ties may go the other way
    assert np.mean(nearest == products.argmax(axis=1)) > 0.95


def test_in_groups_nearly_every_token_finds_the_nearest_of_all_centroids() -> None:
    sample = np.concatenate(list(topical(3000, seed=5)))
    clusters = train(sample, 256, seed=1)
    codebook, whole = Codebook.of(1, clusters), Codebook.of(1, Clusters.whole(clusters.centroids))
    tokens = np.concatenate(list(topical(400, seed=6)))
    assert np.mean(codebook.nearest(tokens) == whole.nearest(tokens)) > 0.95
    for some in (tokens[:0], tokens[:1]):  # what a token finds does not depend on the others
        np.testing.assert_array_equal(codebook.nearest(some), codebook.nearest(tokens)[: len(some)])


def test_a_codebook_whose_groups_do_not_hold_its_centroids_is_refused(tmp_path: Path) -> None:
    book = Codebook.of(1, train(np.concatenate(list(topical(300, seed=5))), 40, seed=1))
    info = replace(book, group_offsets=book.group_offsets[:-1]).write(Folder(tmp_path))
    with pytest.raises(CorruptionError, match="groups"):
        Codebook.open(tmp_path, info)


def test_kill_during_optimize_leaves_the_old_or_the_new_state(collection: Collection, tmp_path: Path) -> None:
    truth = [[name for name, _ in hits] for hits in exact(collection)]
    collection.close()
    program = (
        "import sys\nfrom index import Collection, effort\neffort.EXHAUSTIVE_TOKENS = 2000\n"
        "with Collection.open('c', home=sys.argv[1]) as c:\n    print('ready', flush=True)\n"
        "    while True: c.optimize()\n"
    )
    for seed in range(10):
        with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(np.random.default_rng(seed).uniform(0.01, 0.6))
            os.kill(child.pid, signal.SIGKILL)
        with Collection.open("c", home=tmp_path) as opened:
            assert [[name for name, _ in hits] for hits in exact(opened)] == truth
            opened.add([Document("extra", f"written after kill {seed}")])
            opened.delete("extra")
