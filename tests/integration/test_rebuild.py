"""Encoding a collection anew: beside the present index, resumable, and exchanged in one commit."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index import Collection, Document, indexing
from index.indexing import EncodingProgress
from index.verify import verify
from lfm2_colbert.encoders.hashing import HashingEncoder
from lfm2_colbert.errors import ModelMismatchError

TEXTS = {"de": "Der Hund schläft.", "ja": "首都は東京です。", "th": "กรุงเทพเป็นเมืองหลวง", "ar": "القطة نائمة"}
OTHER = HashingEncoder(dim=64)


class Interrupted(Exception):
    """Stands for a kill."""


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with Collection.open("r", create=True, encoder="hashing", home=tmp_path) as made:
        made.add([Document(name, text * 40, {"name": name}) for name, text in TEXTS.items()])
        yield made


def answers(collection: Collection) -> list[tuple[str, float]]:
    return [(hit.document_id, hit.raw_score) for hit in collection.search("東京 Hund", effort="exact", highlight=False)]


def interrupt(_: EncodingProgress) -> None:
    raise Interrupted


def test_the_same_encoder_gives_the_same_answers(collection: Collection, tmp_path: Path) -> None:
    before = answers(collection)
    assert collection.rebuild().documents == len(TEXTS)
    assert answers(collection) == before
    assert verify(tmp_path / "r").findings == ()


def test_another_encoder_answers_afterwards(collection: Collection, tmp_path: Path) -> None:
    collection.rebuild(OTHER)
    assert (collection.settings.dim, collection.settings.fingerprint) == (64, OTHER.fingerprint)
    with Collection.open("fresh", create=True, encoder=OTHER, home=tmp_path) as fresh:
        fresh.add([Document(name, text * 40) for name, text in TEXTS.items()])
        assert answers(collection) == answers(fresh)
    collection.add([Document("new", "new words")])
    assert collection.search("new words", k=1).hits[0].document_id == "new"


def test_an_interrupted_rebuild_serves_the_old_index_and_goes_on(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "CHARACTERS_PER_BATCH", 50_000)
    many = [Document(f"long/{n}", f"{n} text " * 2_000) for n in range(6)]
    collection.add(many)
    before = answers(collection)
    seen: list[EncodingProgress] = []

    def stop_after_the_first_batch(progress: EncodingProgress) -> None:
        seen.append(progress)
        if progress.documents:
            raise Interrupted

    with pytest.raises(Interrupted):
        collection.rebuild(OTHER, on_progress=stop_after_the_first_batch)
    done = seen[-1].documents
    assert 0 < done < len(TEXTS) + len(many)
    assert answers(collection) == before
    collection.close()
    with Collection.open("r", home=tmp_path, encoder="hashing") as again:
        assert answers(again) == before
        assert again.rebuild(OTHER).documents == len(TEXTS) + len(many) - done
    assert verify(tmp_path / "r").findings == ()


def test_changes_between_two_attempts_are_encoded_too(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        collection.rebuild(OTHER, on_progress=interrupt)
    collection.add([Document("ja", "変更後の首都は京都です。"), Document("ko", "수도는 서울입니다.")])
    collection.delete("ar")
    collection.rebuild(OTHER)
    assert collection.ids() == ["de", "ja", "ko", "th"]
    assert collection.search("京都", k=1).hits[0].document_id == "ja"
    assert collection.search("서울", k=1).hits[0].document_id == "ko"
    assert verify(tmp_path / "r").findings == ()


def test_another_attempt_with_another_encoder_begins_anew(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        collection.rebuild(OTHER, on_progress=interrupt)
    collection.rebuild(HashingEncoder(dim=32))
    assert collection.settings.dim == 32
    assert verify(tmp_path / "r").findings == ()


def test_a_reader_of_the_old_index_is_told_to_open_again(collection: Collection, tmp_path: Path) -> None:
    with Collection.open("r", encoder="hashing", home=tmp_path) as reader:
        assert len(answers(reader)) == len(TEXTS)
        collection.rebuild(OTHER)
        with pytest.raises(ModelMismatchError, match="rebuilt with"):
            answers(reader)
