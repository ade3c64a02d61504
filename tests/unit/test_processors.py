"""What a processor can do decides how the encoder multiplies, and never what it says."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lfm2_colbert import load_encoder, processors
from lfm2_colbert.encoders import onnx
from lfm2_colbert.encoders.loading import BUNDLED
from lfm2_colbert.encoders.onnx import IN_BYTES, IN_FLOATS, MODEL_FILE
from lfm2_colbert.processors import instruction_sets, multiplies_bytes_slowly, usable_processors
from lfm2_colbert.training import precision

TEXTS = [
    "Wo schläft der Hund?",
    "東京は日本の首都です",
    "عاصمة مصر",
    "สุนัขนอน",
    "狗 " * 150,
    "e\u0301te\u0301 👩\u200d👧",
]


@pytest.mark.parametrize(
    ("information", "slowly"),
    [
        ("model name\t: old\nflags\t\t: fpu sse avx avx2 fma\nflags\t\t: fpu avx512_vnni\n", True),
        ("flags\t\t: avx avx2 avx_vnni\n", False),
        ("flags\t\t: avx2 avx512f avx512_vnni\n", False),
        ("flags\t\t: sse4_2\n", False),  # nobody measured that
        ("Features\t: fp asimd asimddp i8mm\n", False),
        ("", False),
    ],
)
def test_only_x86_without_vnni_multiplies_bytes_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, information: str, *, slowly: bool
) -> None:
    path = tmp_path / "cpuinfo"
    if information:
        path.write_text(information)
    monkeypatch.setattr(processors, "CPU_INFORMATION", path)
    instruction_sets.cache_clear()
    assert multiplies_bytes_slowly(instruction_sets()) is slowly
    instruction_sets.cache_clear()


@pytest.mark.parametrize(
    ("share", "expected"),
    [("150000 100000", 2), ("50000 100000", 1), ("6400000 100000", 4), ("max 100000", 4), ("nonsense", 4), (None, 4)],
)
def test_a_container_uses_no_more_processors_than_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: str | None, expected: int
) -> None:
    path = tmp_path / "cpu.max"
    if share is not None:
        path.write_text(share)
    monkeypatch.setattr(processors, "CPU_SHARE", path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    assert usable_processors() == expected


def test_vectors_are_the_same_but_for_rounding_whichever_way_it_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    model = (BUNDLED / MODEL_FILE).read_bytes()
    assert model.count(IN_BYTES) == model.count(b"MatMulNBits") == 47
    assert IN_FLOATS not in model
    found = []
    for slowly in (True, False):
        monkeypatch.setattr(onnx, "multiplies_bytes_slowly", lambda sets, slowly=slowly: slowly)
        found.append(load_encoder("nano").encode_documents(TEXTS).vectors)
    cosines = (found[0] * found[1]).sum(axis=1)
    assert cosines.min() > 0.999
    assert np.any(found[0] != found[1])  # it did multiply otherwise


@pytest.mark.parametrize(
    ("sets", "expected"),
    [({"avx2"}, False), ({"avx512f", "avx512_vnni"}, False), ({"avx512_bf16"}, True), ({"amx_bf16"}, True),
     ({"asimd", "bf16"}, True), (set(), False)],
)  # fmt: skip
def test_training_multiplies_in_bfloat16_where_that_is_an_instruction(
    monkeypatch: pytest.MonkeyPatch, sets: set[str], *, expected: bool
) -> None:
    monkeypatch.setattr(precision, "instruction_sets", lambda: frozenset(sets))
    ones, cpu = torch.ones(2, 2), torch.device("cpu")
    with precision.in_bfloat16(cpu):
        assert (ones @ ones).dtype == (torch.bfloat16 if expected else torch.float32)
    with precision.in_bfloat16(cpu, wanted=False):
        assert (ones @ ones).dtype == torch.float32
