"""`index --dry-run` says what the run then does, and writes nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import Collection, CostEstimate, Plan, estimate
from index.codecs import CODECS
from index.estimating.sampling import PASSAGES
from index.pooling import FACTORS
from lfm2_colbert.errors import InvalidArgumentError, ModelMismatchError, NotFoundError

Run = Callable[..., Any]

SENTENCES = {
    "ar": "يحصل كل موظف على ثلاثين يوما من الإجازة في السنة.",
    "de": "Jede Mitarbeiterin hat im Jahr dreißig Tage Urlaub für Übungen.",
    "ja": "従業員は年に三十日の有給休暇を取得することができます。",
    "ko": "모든 직원은 일 년에 삼십 일의 휴가를 받을 수 있습니다.",
    "th": "พนักงานทุกคนมีวันหยุดพักผ่อนสามสิบวันต่อปี และลาป่วยได้ตามจริง",
    "zh": "每位员工每年有三十天的带薪假期，病假另外计算。",
}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    for language, sentence in SENTENCES.items():
        (folder / language).mkdir(parents=True)
        for n in range(5):
            text = f"{sentence}\n\n{n} e\u0301\u0323 👨‍👩‍👧. {sentence}"
            (folder / language / f"{n}.txt").write_text(text, encoding="utf-8")
    rows = [{"id": f"row-{n}", "text": SENTENCES["de"], "year": 2000 + n} for n in range(4)]
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in [*rows, rows[0], {"id": "none"}]))
    (folder / "photo.jpg").write_bytes(b"\xff\xd8")
    (folder / "empty.md").write_text("")
    return folder


def priced(docs: Path, home: Path, **plan: Any) -> CostEstimate:
    return estimate([docs], Plan("pets", home, **{"encoder": "hashing", **plan}))


def contents(folder: Path) -> dict[str, bytes]:
    """Give what is durable: SQLite keeps an index of its log beside the log, for readers too."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert not any(content for name, content in found.items() if name.endswith("-wal"))
    return {name: content for name, content in found.items() if not name.endswith(("-wal", "-shm"))}


def test_what_is_counted_is_what_the_run_then_reports(docs: Path, tmp_path: Path) -> None:
    said = priced(docs, tmp_path / "home")
    assert not (tmp_path / "home").exists()
    with Collection.open("pets", create=True, encoder="hashing", home=tmp_path / "home") as collection:
        did = collection.add_files(docs)
        counts = collection.counts()
    assert (said.found.documents, said.passages, said.tokens) == (did.documents, did.passages, counts.tokens)
    assert sorted(each.code for each in said.found.failed) == sorted(each.code for each in did.failed)
    assert (said.found.unsupported, said.found.files) == (1, {".jsonl": 1, ".md": 1, ".txt": 30})
    assert set(said.found.languages) == set(counts.languages)
    assert sum(said.found.languages.values()) == pytest.approx(1)


def test_a_large_folder_is_told_from_its_sample(tmp_path: Path) -> None:
    folder, rng = tmp_path / "docs", np.random.default_rng(3)
    words = [word.strip("。.") for sentence in SENTENCES.values() for word in sentence.split()]  # no sentence to ask
    folder.mkdir()
    for n in range(100):
        kinds = rng.choice(words, int(rng.integers(1, 400)))
        (folder / f"{n}.txt").write_text("\n\n".join(" ".join(part) for part in np.array_split(kinds, 3)))
    said = priced(folder, tmp_path / "home")
    with Collection.open("pets", create=True, encoder="hashing", home=tmp_path / "home") as collection:
        did = collection.add_files(folder)
        tokens = collection.counts().tokens
    assert said.sampled.passages < PASSAGES * 1.1 < did.passages
    assert said.found.documents == did.documents
    assert said.passages == pytest.approx(did.passages, rel=0.15)
    assert said.tokens == pytest.approx(tokens, rel=0.15)
    on_disk = sum(len(content) for content in contents(tmp_path / "home").values())
    assert said.chosen
    assert said.chosen.disk_bytes == pytest.approx(on_disk, rel=0.3)


def test_only_what_changed_is_priced_and_the_collection_stays_as_it_is(docs: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with Collection.open("pets", create=True, encoder="hashing", codec="float16", home=home) as collection:
        collection.add_files(docs)
    (docs / "new.txt").write_text("東京は日本の首都です。")
    (docs / "ja" / "0.txt").rename(docs / "ja" / "moved.txt")
    (docs / "ko" / "1.txt").write_text("서울은 대한민국의 수도이다.")
    with (docs / "rows.jsonl").open("a") as rows:
        rows.write('\n{"id": "added", "text": "Ein neuer Satz."}')
    before = contents(home)
    said = priced(docs, home, encoder=None)
    assert contents(home) == before
    assert (said.found.documents, said.found.unchanged_documents) == (3, 4)
    assert (said.codec, said.pool) == ("float16", 1)
    with Collection.open("pets", home=home) as collection:
        did = collection.add_files(docs)
    assert (did.added + did.changed, did.encoded_passages) == (said.found.documents, said.passages)


def test_what_waits_for_its_vectors_is_priced(docs: Path, tmp_path: Path) -> None:
    with Collection.open("pets", create=True, encoder="hashing", home=tmp_path / "home") as collection:
        collection.add_files(docs, stopped=iter([False] * 33 + [True] * 9).__next__)
        assert collection.counts().pending
    assert priced(docs, tmp_path / "home").found.documents == 34


def test_nothing_to_encode_costs_nothing(docs: Path, tmp_path: Path) -> None:
    with Collection.open("pets", create=True, encoder="hashing", home=tmp_path / "home") as collection:
        collection.add_files(docs)
    said = priced(docs, tmp_path / "home")
    assert (said.found.documents, said.passages, said.tokens, said.vectors, said.queries) == (0, 0, 0, 0, 0)
    assert {each.disk_bytes for each in said.choices} == {0}
    assert said.costs.encoding.wall_s == 0


def test_what_is_stored_smaller_takes_less_and_pooling_never_more(docs: Path, tmp_path: Path) -> None:
    said = priced(docs, tmp_path / "home")
    assert {(each.codec, each.pool) for each in said.choices} == {(codec, pool) for codec in CODECS for pool in FACTORS}
    sizes = {(each.codec, each.pool): each.disk_bytes for each in said.choices}
    for pool in FACTORS:
        by_codec = [sizes[codec, pool] for codec in ("float16", "scalar4", "scalar4-coarse", "scalar2")]
        assert by_codec == sorted(by_codec, reverse=True)
    for codec in CODECS:
        assert sizes[codec, 1] > sizes[codec, 2] > sizes[codec, 3]
    exact = next(each for each in said.choices if (each.codec, each.pool) == ("float16", 1))
    assert (exact.recall_loss.mean, exact.mrr_loss.mean) == (0, 0)


def test_the_same_seed_draws_the_same_sample(docs: Path, tmp_path: Path) -> None:
    first, second = (priced(docs, tmp_path / "home", seed=5) for _ in range(2))
    assert (first.choices, first.sampled.seed) == (second.choices, 5)


def test_mistakes_are_told_as_the_run_tells_them(docs: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with pytest.raises(NotFoundError):
        priced(docs / "absent", home)
    with pytest.raises(InvalidArgumentError):
        priced(docs, home, pool=7)
    Collection.open("pets", create=True, encoder="hashing", home=home).close()
    with pytest.raises(ModelMismatchError):
        priced(docs, home, encoder="nano")


def test_a_person_reads_the_price_and_the_next_command(run: Run, docs: Path) -> None:
    outcome = run("index", docs, "-c", "my-docs", "--model", "hashing", "--codec", "scalar2", "--dry-run")
    assert outcome.status == 0
    lines = outcome.out.splitlines()
    assert lines[0].startswith("32 files (30 txt, 1 jsonl, 1 md, 1 skipped, 3 failed) · 34 documents · ~")
    assert lines[1].startswith("languages: ")
    assert "(scalar2)" in lines[2]
    assert [line.split()[:2] for line in lines[4:16]] == [[codec, str(pool)] for codec in CODECS for pool in FACTORS]
    assert lines[-1] == f"next    lfm2-colbert index {docs} -c my-docs --model hashing --codec scalar2"
    assert not run("collections", "--json").json["collections"]
    assert run("index", docs, "--model", "hashing", "--dry-run", "--strict").status == 3


def test_a_program_reads_every_figure(run: Run, docs: Path) -> None:
    said = run("index", docs, "--model", "hashing", "--dry-run", "--json").json
    assert said["found"]["documents"] == 34
    parts = [said["costs"][part]["cpu_s"] for part in ("reading", "encoding", "clustering")]
    assert said["costs"]["total"]["cpu_s"] == pytest.approx(sum(parts))
    assert said["sampled"]["seed"] == 0


def test_a_server_is_not_asked_for_a_price(run: Run, docs: Path) -> None:
    outcome = run("index", docs, "--dry-run", "--url", "http://127.0.0.1:9")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error[local_only] a dry run measures the machine that it runs on")
