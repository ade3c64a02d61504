"""Make a small collection in today's format, and what it must answer for ever.

`python scripts/make_golden.py tests/golden/format-N` is run once for each format, by the version that writes it; the
folders stay in the repository, and `tests/integration/test_golden.py` opens them with every later version. The encoder
is `hashing`, so no weights are needed; the codebook is trained although the collection is small, so that every kind of
file is there.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from index import Collection, Document
from index.maintenance import train_codebook

TEXTS = {
    "de/urlaub": "Wie viele Tage Urlaub stehen mir zu? Dreißig Tage im Jahr, größere Teams stimmen sich ab.",
    "en/leave": "Annual leave is thirty days. Larger teams agree on dates by the end of January.",
    "ar/إجازة": "الإجازة السنوية ثلاثون يومًا، وتتفق الفرق على المواعيد.",
    "ja/休暇": "年次有給休暇は三十日です。首都は東京です。",
    "ko/휴가": "연차 휴가는 30일입니다. 수도는 서울입니다.",
    "zh/假期": "每年有三十天假期。中国的人口很多。",
    "th/ลาพักร้อน": "ลาพักร้อนได้สามสิบวันต่อปี กรุงเทพเป็นเมืองหลวง",
    "fr/congé": "Le congé annuel est de trente jours. Le café est gratuit 👩‍👩‍👧‍👦.",
}
QUERIES = ("Wie viele Tage Urlaub?", "首都", "수도", "leave days", "กรุงเทพ", "café 👩‍👩‍👧‍👦", "الإجازة")


def main(folder: Path) -> None:
    """Write the collection and its answers."""
    shutil.rmtree(folder, ignore_errors=True)
    with Collection.open("golden", create=True, encoder="hashing", home=folder) as collection:
        for year, (document_id, text) in enumerate(TEXTS.items(), start=2017):
            collection.add([Document(document_id, text * 3, {"year": year, "lang": document_id[:2], "tags": ["x"]})])
        collection.add([Document("gone", "This one is deleted."), Document("changed", "before")])
        collection.add([Document("changed", "after: 変更後")])
        collection.delete("gone")
        train_codebook(collection._store, collection._coding.required(), np.random.default_rng(0))
        expected = {
            "documents": {i: collection.get(i).text for i in (*TEXTS, "changed")},
            "answers": {
                query: [
                    [hit.document_id, hit.raw_score]
                    for hit in collection.search(query, k=10, effort="exact", mode="semantic")
                ]
                for query in QUERIES
            },
            "words": {q: [h.document_id for h in collection.search(q, mode="lexical")] for q in QUERIES},
        }
    (folder / "golden" / "LOCK").unlink()
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
