"""kill -9 at a random moment of `lfm2-colbert index`: nothing acknowledged is lost, and a second run completes it.

The folder is the oracle: it changes before each run, the run is killed, and whatever the collection then holds must be,
document by document, the state before or the state after. Then a run is left alone and must reach the folder exactly.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from index import Collection
from index.home import collection_folder, is_collection
from index.segment import Segment
from index.store import Store

N_FILES = 400
WORDS = ["Hund", "cat", "東京", "서울", "باريس", "กรุงเทพ", "größe", "café"]

Texts = dict[str, str]


def change_folder(folder: Path, texts: Texts, rng: random.Random, n_changes: int) -> Texts:
    """Add, change and remove files; give the new oracle."""
    texts = dict(texts)
    for _ in range(n_changes):
        name = f"{rng.randrange(20):02}/{rng.randrange(N_FILES // 20):03}.txt"
        if name in texts and rng.random() < 0.3:
            del texts[name]
            (folder / name).unlink()
        else:
            texts[name] = " ".join(rng.choices(WORDS, k=rng.randrange(5, 200))) + f" {rng.randrange(10**6)}"
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(texts[name], encoding="utf-8")
    return texts


def index_and_kill(folder: Path, home: Path, delay: float) -> bool:
    """Start the command, kill it after `delay` seconds; say whether it was still running then."""
    command = [
        sys.executable,
        "-m",
        "service",
        "index",
        str(folder),
        "-c",
        "k",
        "--home",
        str(home),
        "--model",
        "hashing",
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        child.wait(delay)
        assert child.returncode == 0, child.stderr.read().decode() if child.stderr else ""
        return False
    except subprocess.TimeoutExpired:
        child.kill()
        return True
    finally:
        child.communicate()


def stored_texts(home: Path) -> Texts:
    """Read all documents as any reader would, and check every segment's bytes on the way."""
    folder = collection_folder(home, "k")
    if not is_collection(folder):
        return {}
    with Store.open(folder, writable=False) as store:
        for info in store.segments():
            Segment.open(store.segments_folder, info).check()
        store.counts()
        with Collection.open("k", home=home) as collection:
            ids = {hit.document_id for word in WORDS for hit in collection.search(word, k=1000, highlight=False)}
        pending = {document.id for document in store.pending(10**9)}
        found = {document_id: store.document(document_id) for document_id in ids | pending}
    return {document_id: document.text for document_id, document in found.items() if document}


def run_kills(tmp_path: Path, n_kills: int, seed: int) -> int:
    rng = random.Random(seed)
    folder, home = tmp_path / "docs", tmp_path / "home"
    texts = change_folder(folder, {}, rng, N_FILES)
    before: Texts = {}
    span, n_killed = 1.0, 0
    while n_killed < n_kills:
        started = time.monotonic()
        killed = index_and_kill(folder, home, rng.uniform(0.02, span))
        if not killed:
            span = time.monotonic() - started  # it ends earlier than that: aim at the time it really takes
        n_killed += killed
        found = stored_texts(home) if is_collection(home / "k") else {}
        for document_id, text in found.items():
            assert text in (before.get(document_id), texts.get(document_id)), f"seed {seed}: {document_id} was invented"
        for document_id in before.keys() & texts.keys():
            assert document_id in found, f"seed {seed}: {document_id} was acknowledged and is lost"
        if not killed or rng.random() < 0.3:
            complete(folder, home, texts, seed)
            before = texts
            texts = change_folder(folder, texts, rng, rng.randrange(1, N_FILES))
            span = max(span, 0.3)
        else:
            before = found
    complete(folder, home, texts, seed)
    return n_killed


def complete(folder: Path, home: Path, texts: Texts, seed: int) -> None:
    """Run the command undisturbed: the collection then equals the folder, and a further run has nothing to do."""
    with Collection.open("k", create=True, encoder="hashing", home=home) as collection:
        collection.add_files(folder)
        again = collection.add_files(folder)
    assert (again.added, again.changed, again.removed, again.encoded_passages) == (0, 0, 0, 0), f"seed {seed}"
    assert again.documents == len(texts), f"seed {seed}"
    assert stored_texts(home) == texts, f"seed {seed}"


def test_killed_runs_lose_nothing(tmp_path: Path) -> None:
    assert run_kills(tmp_path, 6, seed=1) == 6


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_killed_runs_lose_nothing_two_hundred_times(tmp_path: Path, seed: int) -> None:
    assert run_kills(tmp_path, 50, seed) == 50
