"""kill -9 at random moments: nothing acknowledged is lost, nothing is invented, and the store always opens.

This file is also the program that is killed: it announces each operation on a pipe, before it and after it. The parent
keeps the expected documents, and goes on with the same folder, so that damage would add up.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
from numpy.typing import NDArray

from index.codecs.float16 import Float16
from index.records import CollectionSettings, PlacedPassage, Placement
from index.segment import Segment, write_segment
from index.store import Store
from index.types import Document, Passage
from lfm2_colbert.multivectors import MultiVectors

SETTINGS = CollectionSettings("stub", "f00d", 8, "float16", "tests")
IDS = [f"文書/{n}" for n in range(60)]
MEAN_LIFE_S = 0.06


def encode(text: str) -> NDArray[np.float32]:
    """Vectors that only this text has, exact in half precision."""
    seed = xxhash.xxh3_64_intdigest(text.encode())
    return np.random.default_rng(seed).integers(-100, 100, (1 + seed % 3, 8)).astype(np.float32)


# ---- the program that is killed --------------------------------------------------------------------------------------


def say(**line: Any) -> None:
    os.write(1, json.dumps(line).encode() + b"\n")


def work(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    say(ready=True)
    while True:
        with Store.open(folder, writable=True) as store:
            for _ in range(chance.randrange(1, 30)):
                chance.choices([put_batch, delete_some, publish], [6, 1, 3])[0](store, chance)


def put_batch(store: Store, chance: random.Random) -> None:
    size = chance.choice([1, 5, 20])
    batch = {chance.choice(IDS): f"{chance.random()} نص" * chance.choice([1, 10, 2000]) for _ in range(size)}
    say(put=batch)
    with store.transaction():
        for document_id, text in batch.items():
            store.put(Document(document_id, text), None)
    say(ack=True)


def delete_some(store: Store, chance: random.Random) -> None:
    ids = chance.sample(IDS, 3)
    say(delete=ids)
    with store.transaction():
        for document_id in ids:
            store.delete(document_id)
    say(ack=True)


def publish(store: Store, chance: random.Random) -> None:
    batch = store.pending(chance.choice([1, 10_000, 10**9]))
    if not batch:
        return
    vectors = MultiVectors.of([encode(each.text) for each in batch])
    info = write_segment(store.segment_files, store.next_segment_number(), Float16(), vectors)
    say(publish=True)
    with store.transaction():
        store.publish(
            [info],
            [
                Placement(
                    each.key,
                    each.version,
                    (PlacedPassage(Passage(0, 0, len(each.text), 1, "und"), info.number, row),),
                )
                for row, each in enumerate(batch)
            ],
        )
    say(ack=True)


# ---- the oracle ------------------------------------------------------------------------------------------------------


@dataclass
class Oracle:
    """What must be in the store, and what may be: the operation in flight when the child died."""

    documents: dict[str, str] = field(default_factory=dict)
    in_flight: dict[str, Any] | None = None
    acknowledged: int = 0

    def hear(self, line: dict[str, Any]) -> None:
        if "ack" in line:
            self.documents = self.after_operation()
            self.in_flight = None
            self.acknowledged += 1
        elif "ready" not in line:
            self.in_flight = line

    def after_operation(self) -> dict[str, str]:
        operation = self.in_flight or {}
        changed = {**self.documents, **operation.get("put", {})}
        return {key: text for key, text in changed.items() if key not in operation.get("delete", [])}

    def settle(self, found: dict[str, str]) -> None:
        assert found in (self.documents, self.after_operation())
        self.documents, self.in_flight = found, None


def run_and_kill(folder: Path, seed: int, oracle: Oracle) -> None:
    command = [sys.executable, __file__, str(folder), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        oracle.hear(json.loads(child.stdout.readline()))
        time.sleep(random.Random(seed).expovariate(1 / MEAN_LIFE_S))
        child.send_signal(signal.SIGKILL)
        for line in child.stdout.read().splitlines(keepends=True):
            if line.endswith(b"\n"):
                oracle.hear(json.loads(line))
        assert child.wait() == -signal.SIGKILL


def contents(store: Store) -> dict[str, str]:
    found = {document_id: store.document(document_id) for document_id in IDS}
    return {document_id: document.text for document_id, document in found.items() if document is not None}


def check(folder: Path, oracle: Oracle) -> None:
    with Store.open(folder, writable=True) as store:
        found = contents(store)
        oracle.settle(found)
        counts = store.counts()
        assert counts.documents == len(found)
        assert counts.pending + counts.passages == counts.documents
        segments = {info.number: Segment.open(store.segments_folder, info) for info in store.segments()}
        assert sorted(path.name for path in store.segments_folder.iterdir()) == [s.info.file for s in segments.values()]
        for segment in segments.values():
            segment.check()
        for document, ordinal, number, row in store.passage_rows():
            passage = store.passage(document, ordinal)
            assert passage is not None
            offsets = segments[number].offsets
            stored = segments[number].arrays["vectors"][offsets[row] : offsets[row + 1]]
            np.testing.assert_array_equal(stored, encode(passage.text))


def survive(folder: Path, n_kills: int, n_acknowledged: int, first_seed: int) -> None:
    """Kill until enough kills and enough acknowledged operations were seen: a busy machine needs more of the former."""
    Store.create(folder, SETTINGS).close()
    oracle = Oracle()
    for seed in itertools.count(first_seed):
        if seed - first_seed >= n_kills and oracle.acknowledged >= n_acknowledged:
            return
        run_and_kill(folder, seed, oracle)
        check(folder, oracle)


def test_ten_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    survive(tmp_path / "collection", n_kills=10, n_acknowledged=10, first_seed=0)


@pytest.mark.slow
def test_two_hundred_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    survive(tmp_path / "collection", n_kills=200, n_acknowledged=200, first_seed=1000)


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
