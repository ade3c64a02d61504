"""D12: the collections that are kept in the repository, one of every format: whole, and with the answers they had."""

import json
import shutil
from pathlib import Path

from benchmarks.durability.crashes import scratch_folder
from benchmarks.results_file import ROOT
from index.collection import Collection
from index.verify import verify

GOLDEN = sorted((ROOT / "tests" / "golden").glob("format-*"))
NAME = "golden"
TOLERANCE = 1e-4


def golden_violations(folder: Path) -> list[str]:
    """Say what of a golden collection is not as it was."""
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    with scratch_folder() as scratch:
        shutil.copytree(folder, scratch / "copy")
        with Collection.open(NAME, encoder="hashing", home=scratch / "copy") as collection:
            stored = [collection.get(document_id) for document_id in collection.ids()]
            texts = {document.id: document.text for document in stored if document}
            wrong = [] if texts == expected["documents"] else ["documents differ"]
            wrong += [q for q, answer in expected["answers"].items() if not _answers(collection, q, answer)]
        return wrong + [finding.message for finding in verify(scratch / "copy" / NAME).damage]


def _answers(collection: Collection, query: str, expected: list[tuple[str, float]]) -> bool:
    found = collection.search(query, k=10, effort="exact", mode="semantic", highlight=False)
    return [hit.document_id for hit in found] == [document_id for document_id, _ in expected] and all(
        abs(hit.raw_score - score) <= TOLERANCE for hit, (_, score) in zip(found, expected, strict=True)
    )
