"""Segment files: what is written comes back, and every kind of damage is named."""

import dataclasses
import errno
import json
import os
import stat
import struct
from pathlib import Path

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from index.arrays import HEADER, TRAILER, Pieces
from index.codecs.float16 import Float16
from index.durable import Folder
from index.records import SegmentInfo
from index.segment import Segment, write_encoded, write_segment
from lfm2_colbert.errors import (
    AlreadyExistsError,
    CorruptionError,
    FormatVersionError,
    NonFiniteVectorError,
    StorageError,
)
from lfm2_colbert.multivectors import MultiVectors


def sample(seed: int = 1, lengths: tuple[int, ...] = (3, 0, 5, 1), dim: int = 16) -> MultiVectors:
    generator = np.random.default_rng(seed)
    items = [generator.standard_normal((n, dim)).astype(np.float16).astype(np.float32) for n in lengths]
    return MultiVectors.of(items, dim=dim)


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def with_contents(raw: bytes, toc: bytes) -> bytes:
    """The same file with another table of contents and a trailer that vouches for it."""
    start = TRAILER.unpack(raw[-TRAILER.size :])[0]
    return raw[:start] + toc + TRAILER.pack(start, len(toc), xxhash.xxh3_64_intdigest(toc), raw[-8:])


@pytest.fixture
def written(tmp_path: Path) -> SegmentInfo:
    return write_segment(Folder(tmp_path), 42, Float16(), sample())


def test_what_was_written_is_read_back(tmp_path: Path, written: SegmentInfo) -> None:
    segment = Segment.open(tmp_path, written)
    segment.check()
    np.testing.assert_array_equal(Float16().decode(segment.arrays), sample().vectors)
    np.testing.assert_array_equal(segment.offsets, sample().offsets)
    segment.release()
    np.testing.assert_array_equal(Float16().decode(segment.arrays), sample().vectors)
    segment.check()


def test_what_pooled_vectors_stand_for_is_read_back(tmp_path: Path) -> None:
    origins = np.array([0, 4, 2**16 - 1, 0, 1, 5, 6, 9, 3], np.uint16)
    segment = Segment.open(tmp_path, write_segment(Folder(tmp_path), 1, Float16(), sample(), origins))
    segment.check()
    assert segment.origins is not None
    np.testing.assert_array_equal(segment.origins, origins)
    np.testing.assert_array_equal(Float16().decode(segment.arrays), sample().vectors)
    assert [segment.places(row).tolist() for row in range(4)] == [[0, 4, 2**16 - 1], [], [0, 1, 5, 6, 9], [3]]


def test_vectors_that_are_not_pooled_stand_for_their_own_tokens(tmp_path: Path, written: SegmentInfo) -> None:
    segment = Segment.open(tmp_path, written)
    assert segment.origins is None
    assert [segment.places(row).tolist() for row in range(4)] == [[0, 1, 2], [], [0, 1, 2, 3, 4], [0]]


@pytest.mark.parametrize(
    "origins", [np.zeros(9, np.uint32), np.zeros(9, np.int16), np.zeros(8, np.uint16), np.zeros((9, 1), np.uint16)]
)
def test_origins_that_fit_no_segment_are_refused(tmp_path: Path, origins: np.ndarray) -> None:
    arrays = {**Float16().encode(np.asarray(sample().vectors)), "origins": origins}
    info = write_encoded(Folder(tmp_path), 1, "float16", 16, arrays, sample().offsets)
    with pytest.raises(CorruptionError, match="not the segment"):
        Segment.open(tmp_path, info)


def test_spans_are_read_back_and_those_that_fit_no_segment_are_refused(tmp_path: Path) -> None:
    spans = np.arange(18, dtype=np.uint16).reshape(9, 2)
    spans[3] = 2**16 - 1
    segment = Segment.open(tmp_path, write_segment(Folder(tmp_path), 1, Float16(), sample(), None, spans))
    segment.check()
    found = [segment.spans_of(row, "x" * 17) for row in range(4)]
    assert [own is not None and own.tolist() for own in found] == [
        [[0, 1], [2, 3], [4, 5]], [], [[-1, -1], *spans[4:8].tolist()], [[16, 17]],
    ]  # fmt: skip
    assert segment.spans_of(3, "x" * 16) is None
    for number, wrong in enumerate((spans[:8], spans.astype(np.int16), spans.ravel()[:9]), start=2):
        arrays = {**Float16().encode(np.asarray(sample().vectors)), "spans": wrong}
        info = write_encoded(Folder(tmp_path), number, "float16", 16, arrays, sample().offsets)
        with pytest.raises(CorruptionError, match="not the segment"):
            Segment.open(tmp_path, info)


def test_info_describes_the_file(tmp_path: Path, written: SegmentInfo) -> None:
    content = (tmp_path / "0000000042.seg").read_bytes()
    assert written == SegmentInfo(
        number=42,
        file="0000000042.seg",
        n_bytes=len(content),
        checksum=xxhash.xxh3_128_hexdigest(content),
        n_passages=4,
        n_tokens=9,
        dim=16,
        codec="float16",
    )


def test_bytes_are_where_the_format_says(tmp_path: Path, written: SegmentInfo) -> None:
    raw = (tmp_path / written.file).read_bytes()
    assert raw[:12] == b"LFM2ARR\n" + struct.pack("<HH", 1, 1)
    assert raw[64 : 64 + 9 * 16 * 2] == sample().vectors.astype("<f2").tobytes()
    offset, length, digest, magic = struct.unpack("<QQQ8s", raw[-32:])
    toc = raw[offset : offset + length]
    assert (offset + length + 32, xxhash.xxh3_64_intdigest(toc), magic) == (len(raw), digest, b"LFM2ARR\n")
    sections = {section["name"]: section for section in json.loads(toc)["sections"]}
    assert sections["offsets"]["offset"] % 64 == 0
    start = sections["offsets"]["offset"]
    assert np.frombuffer(raw[start : start + 40], "<i8").tolist() == [0, 3, 3, 8, 9]


def test_file_is_read_only_and_no_temporary_is_left(tmp_path: Path, written: SegmentInfo) -> None:
    assert [path.name for path in tmp_path.iterdir()] == [written.file]
    assert stat.S_IMODE((tmp_path / written.file).stat().st_mode) == 0o444


def test_arrays_cannot_be_written_to(tmp_path: Path, written: SegmentInfo) -> None:
    segment = Segment.open(tmp_path, written)
    with pytest.raises(ValueError, match="read-only"):
        segment.arrays["vectors"][0, 0] = 1


@pytest.mark.parametrize("lengths", [(), (0,), (0, 0)])
def test_segments_without_vectors_round_trip(tmp_path: Path, lengths: tuple[int, ...]) -> None:
    info = write_segment(Folder(tmp_path), 1, Float16(), sample(lengths=lengths))
    segment = Segment.open(tmp_path, info)
    segment.check()
    assert Float16().decode(segment.arrays).shape == (0, 16)
    assert len(segment.offsets) == len(lengths) + 1


def test_a_published_number_is_never_written_again(tmp_path: Path, written: SegmentInfo) -> None:
    before = (tmp_path / written.file).read_bytes()
    with pytest.raises(AlreadyExistsError):
        write_segment(Folder(tmp_path), 42, Float16(), sample(seed=2))
    assert (tmp_path / written.file).read_bytes() == before


def test_a_link_in_the_place_of_the_temporary_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("keep")
    (tmp_path / "0000000001.seg.tmp").symlink_to(tmp_path / "victim")
    with pytest.raises(StorageError):
        write_segment(Folder(tmp_path), 1, Float16(), sample())
    assert (tmp_path / "victim").read_text() == "keep"


@pytest.mark.parametrize("call", ["posix_fallocate", "write", "fsync", "fchmod"])
def test_a_failing_disk_leaves_nothing_and_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fail)
        with pytest.raises(StorageError, match="No space left"):
            write_segment(Folder(tmp_path), 7, Float16(), sample())
    assert list(tmp_path.iterdir()) == []
    Segment.open(tmp_path, write_segment(Folder(tmp_path), 7, Float16(), sample())).check()


def test_names_of_many_files_are_synced_once_and_an_error_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    for number in (7, 8):
        write_segment(folder, number, Float16(), sample())
    calls = []

    def fail_first(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail_first)
    with pytest.raises(StorageError, match="Input/output"):
        folder.sync()
    assert folder.unsynced
    folder.sync()
    folder.sync()
    assert (len(calls), folder.unsynced) == (2, False)


def test_a_file_system_without_preallocation_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    Segment.open(tmp_path, write_segment(Folder(tmp_path), 7, Float16(), sample())).check()


def test_vectors_that_are_not_finite_write_nothing(tmp_path: Path) -> None:
    vectors = MultiVectors.of([np.full((1, 4), np.nan, dtype=np.float32)])
    with pytest.raises(NonFiniteVectorError):
        write_segment(Folder(tmp_path), 1, Float16(), vectors)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_change_of_any_byte_is_detected(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("segment")
    info = write_segment(Folder(folder), 3, Float16(), sample(lengths=(2, 1), dim=8))
    raw = bytearray((folder / info.file).read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    rewrite(folder / info.file, bytes(raw))
    with pytest.raises((CorruptionError, FormatVersionError), match=info.file):
        Segment.open(folder, info).check()


@pytest.mark.parametrize("keep", [0, 1, 95, 200, -1])
def test_a_truncated_file_is_damage_not_a_signal(tmp_path: Path, written: SegmentInfo, keep: int) -> None:
    raw = (tmp_path / written.file).read_bytes()
    rewrite(tmp_path / written.file, raw[:keep])
    with pytest.raises(CorruptionError, match=f"{len(raw)} bytes were published, {len(raw[:keep])}"):
        Segment.open(tmp_path, written)


def test_damage_in_an_array_is_named_with_its_place(tmp_path: Path, written: SegmentInfo) -> None:
    raw = bytearray((tmp_path / written.file).read_bytes())
    raw[HEADER.size + 5] ^= 1
    rewrite(tmp_path / written.file, bytes(raw))
    with pytest.raises(CorruptionError, match=r"0000000042\.seg, byte 64: the array 'vectors'") as caught:
        Segment.open(tmp_path, written).check()
    assert "repair" in caught.value.help


def test_a_missing_file_is_damage(tmp_path: Path, written: SegmentInfo) -> None:
    (tmp_path / written.file).unlink()
    with pytest.raises(CorruptionError, match="missing"):
        Segment.open(tmp_path, written)


def test_another_segment_of_the_same_size_is_not_taken_for_this_one(tmp_path: Path, written: SegmentInfo) -> None:
    other = write_segment(Folder(tmp_path), 43, Float16(), sample(seed=2))
    with pytest.raises(CorruptionError, match="not the segment"):
        Segment.open(tmp_path, dataclasses.replace(written, file=other.file))


def test_a_newer_format_is_refused_by_name(tmp_path: Path, written: SegmentInfo) -> None:
    raw = bytearray((tmp_path / written.file).read_bytes())
    raw[8:10] = struct.pack("<H", 2)
    rewrite(tmp_path / written.file, bytes(raw))
    with pytest.raises(FormatVersionError, match=r"format 2\.1, this program reads 1"):
        Segment.open(tmp_path, written)


SECTION = {"name": "vectors", "dtype": "<f2", "shape": [9, 16], "offset": 64, "length": 288, "xxh3_64": ""}


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "|O8"},
        {"dtype": ">f2"},
        {"shape": [9, -16]},
        {"shape": [9, "16"]},
        {"shape": []},
        {"shape": [0, 10**30], "length": 0},
        {"shape": [10, 16]},
        {"offset": 65},
        {"offset": 0},
        {"offset": -64},
        {"offset": 2**70},
        {"length": 10**9, "shape": [10**9 // 2]},
        {"length": "288"},
        {"surprise": 1},
    ],
)
def test_a_table_of_contents_that_lies_is_refused(
    tmp_path: Path, written: SegmentInfo, change: dict[str, object]
) -> None:
    toc = {"number": 42, "codec": "float16", "dim": 16, "sections": [{**SECTION, **change}]}
    raw = with_contents((tmp_path / written.file).read_bytes(), json.dumps(toc).encode())
    rewrite(tmp_path / written.file, raw)
    with pytest.raises(CorruptionError, match=written.file):
        Segment.open(tmp_path, dataclasses.replace(written, n_bytes=len(raw)))


@settings(max_examples=150, deadline=None)
@given(
    toc=st.binary(max_size=40)
    | st.from_regex(r'\{"sections":(\[\{\}\]|\[1\]|1|"a"|null)\}', fullmatch=True).map(str.encode)
)
def test_a_table_of_contents_of_anything_is_refused(tmp_path_factory: pytest.TempPathFactory, toc: bytes) -> None:
    folder = tmp_path_factory.mktemp("segment")
    info = write_segment(Folder(folder), 3, Float16(), sample())
    raw = with_contents((folder / info.file).read_bytes(), toc)
    rewrite(folder / info.file, raw)
    with pytest.raises(CorruptionError, match=info.file):
        Segment.open(folder, dataclasses.replace(info, n_bytes=len(raw)))


def pieces_of(array: np.ndarray, *cuts: int, shape: tuple[int, ...] | None = None) -> Pieces:
    """An array in pieces, the first of which is not contiguous."""
    first, *rest = np.split(array, cuts)
    return Pieces(array.dtype, shape or array.shape, lambda: [np.asfortranarray(first), *rest])


@pytest.mark.parametrize("cuts", [(), (4,), (0, 3, 3, 9)])
def test_an_array_that_comes_in_pieces_makes_the_same_file(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    arrays = Float16().encode(np.asarray(sample().vectors))
    whole = write_encoded(Folder(tmp_path), 1, "float16", 16, arrays, sample().offsets)
    (tmp_path / whole.file).rename(tmp_path / "whole")
    pieces = {name: pieces_of(array, *cuts) for name, array in arrays.items()}
    assert write_encoded(Folder(tmp_path), 1, "float16", 16, pieces, sample().offsets) == whole
    assert (tmp_path / whole.file).read_bytes() == (tmp_path / "whole").read_bytes()
    assert whole.n_bytes == (tmp_path / "whole").stat().st_size


def test_pieces_that_are_not_what_was_announced_leave_no_file(tmp_path: Path) -> None:
    arrays = Float16().encode(np.asarray(sample().vectors))
    short = {name: pieces_of(array, shape=(10, *array.shape[1:])) for name, array in arrays.items()}
    with pytest.raises(ValueError, match="announced"):
        write_encoded(Folder(tmp_path), 1, "float16", 16, short, sample().offsets)
    assert not list(tmp_path.iterdir())
