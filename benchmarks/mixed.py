"""After ten thousand changes, is a collection what a fresh one would be, and does it still find as much?

`python -m benchmarks.mixed SETS` prints rows, and `benchmarks.updates` keeps them. Documents are those of the
evaluation sets, encoded by the `hashing` encoder, so that every score can be compared bit for bit.
"""

import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.command import run
from index.collection import Collection
from index.effort import Effort
from index.records import FRAME
from index.types import Document

NAME = "mixed"
SEED = 0
FIRST, OPERATIONS, QUERIES = 7000, 10_000, 100
K_EXACT, K = 100, 10
MAX_CHARACTERS = 600
WEIGHTS = {"add": 5, "change": 3, "describe": 2, "delete": 3}
REOPENED_EVERY = 500

Hits = list[tuple[str, float]]


@dataclass(slots=True)
class State:
    """What the collection must hold."""

    documents: dict[str, Document]
    unused: list[str]
    chance: random.Random


def mixed_operations(sets: Path, n_operations: int = OPERATIONS) -> Iterator[dict[str, Any]]:
    """Change a collection at random, and compare it with a fresh one before and after `optimize`."""
    texts = list(_texts(sets))
    chance = random.Random(SEED)
    chance.shuffle(texts)
    state = State({}, texts[FIRST:], chance)
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        collection = Collection.open(NAME, create=True, encoder="hashing", home=home, threads=1)
        first = [Document(str(i), text, {"n": 0}) for i, text in enumerate(texts[:FIRST])]
        collection.add(first)
        state.documents = {document.id: document for document in first}
        started = time.process_time()
        for number in range(n_operations):
            _change(collection, state, number)
            if number % REOPENED_EVERY == REOPENED_EVERY - 1:
                collection.close()
                collection = Collection.open(NAME, home=home, threads=1)
        spent = time.process_time() - started
        queries = [_query(text, chance) for text in chance.sample(texts[:FIRST], QUERIES)]
        fresh = _fresh_answers(home, collection, state, queries)
        for setting in ("as it is", "optimized"):
            if setting == "optimized":
                collection.optimize()
            row = _compared(collection, queries, fresh)
            yield {
                "system": "lfm2-colbert",
                "operation": "mixed",
                "setting": setting,
                "operations": n_operations,
                "passages": collection.counts().passages,
                "cpu_ms": round(spent * 1000 / n_operations, 2),
                **row,
            }
        collection.close()


def _texts(sets: Path) -> Iterator[str]:
    """Give the passages of all evaluation sets, each once, in a fixed order."""
    seen = set()
    for path in sorted(sets.glob("*/*/corpus.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                text = json.loads(line)["text"][:MAX_CHARACTERS]
                if text.strip() and text not in seen:
                    seen.add(text)
                    yield text


def _change(collection: Collection, state: State, number: int) -> None:
    kind = state.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    known = state.chance.choice(list(state.documents))
    if kind == "delete":
        collection.delete(known)
        del state.documents[known]
        return
    if kind == "add":
        document = Document(f"new {number}", state.unused.pop(), {"n": number})
    elif kind == "change":
        document = Document(known, state.unused.pop(), {"n": number})
    else:
        document = Document(known, state.documents[known].text, {"n": number})
    collection.add([document])
    state.documents[document.id] = document


def _query(text: str, chance: random.Random) -> str:
    start = chance.randrange(max(len(text) - 60, 1))
    return text[start : start + 60]


def _answers(collection: Collection, queries: list[str], effort: str, k: int) -> list[Hits]:
    found = []
    for query in queries:
        vectors = collection.encoder.encode_queries([query])[0].astype(np.float32)
        found.append(collection.search_vectors(vectors, k=k, effort=effort))
    return found


def _fresh_answers(home: Path, changed: Collection, state: State, queries: list[str]) -> list[Hits]:
    """Build a collection of the final state in one go, with the same record of its codes."""
    with Collection.open("fresh", create=True, encoder="hashing", home=home, threads=1) as fresh:
        store = fresh.writer()
        with store.transaction():
            store.set_note(FRAME, changed._store.note(FRAME))
        fresh.add([state.documents[document_id] for document_id in sorted(state.documents)])
        return _answers(fresh, queries, Effort.EXACT, K_EXACT)


def _compared(collection: Collection, queries: list[str], fresh: list[Hits]) -> dict[str, Any]:
    exact = _answers(collection, queries, Effort.EXACT, K_EXACT)
    balanced = _answers(collection, queries, Effort.BALANCED, K)
    shares = [
        len({document_id for document_id, _ in found} & {document_id for document_id, _ in true[:K]}) / K
        for found, true in zip(balanced, fresh, strict=True)
    ]
    return {
        "queries": len(queries),
        "queries_equal_to_a_fresh_build": sum(ours == theirs for ours, theirs in zip(exact, fresh, strict=True)),
        "recall_at_10": round(float(np.mean(shares)), 4),
    }


@click.command()
@click.argument("sets", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--operations", default=OPERATIONS, show_default=True)
def main(sets: Path, operations: int) -> None:
    """Measure on the unpacked evaluation SETS."""
    for row in mixed_operations(sets, operations):
        click.echo(row)


if __name__ == "__main__":
    run(main)
