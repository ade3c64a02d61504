"""Files written in pieces hold what was written, as the library of the same name reads it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from safetensors.numpy import load_file

from lfm2_colbert.errors import UnsafeModelError
from lfm2_colbert.safetensors import ARRAYS, SafetensorsFile, SafetensorsWriter

TENSORS = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"),
    st.sampled_from(list(ARRAYS.values())).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5))
    ),
    max_size=4,
)


@settings(max_examples=40)
@given(TENSORS, st.integers(1, 4))
def test_what_is_written_in_pieces_is_read_whole(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, NDArray[np.generic]], n_rows: int
) -> None:
    path = tmp_path_factory.mktemp("tensors") / "file.safetensors"
    with SafetensorsWriter(path, {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}) as writer:
        for start in range(0, 5, n_rows):  # pieces of all tensors in turn
            for name, tensor in tensors.items():
                writer.append(name, tensor[start : start + n_rows])
    theirs, ours = load_file(path), SafetensorsFile(path, ARRAYS)
    assert theirs.keys() == tensors.keys() == ours.shapes().keys()
    for name, tensor in tensors.items():
        mapped = ours.map(name)
        assert (mapped.dtype, mapped.shape, mapped.tobytes()) == (tensor.dtype, tensor.shape, tensor.tobytes())
        assert (theirs[name].dtype, theirs[name].tobytes()) == (tensor.dtype, tensor.tobytes())


def test_a_file_that_lacks_rows_is_not_passed_over(tmp_path: Path) -> None:
    layout = {"a": (np.dtype("<f4"), (3, 2))}
    with pytest.raises(ValueError, match="a were never written"), SafetensorsWriter(tmp_path / "short", layout) as file:
        file.append("a", np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match="fewer rows"), SafetensorsWriter(tmp_path / "long", layout) as file:
        file.append("a", np.zeros((4, 2), np.float32))


def test_weights_are_no_whole_numbers(tmp_path: Path) -> None:
    with SafetensorsWriter(tmp_path / "file", {"a": (np.dtype("u1"), (1,))}) as file:
        file.append("a", np.zeros(1, np.uint8))
    with pytest.raises(UnsafeModelError, match="dtype"):
        SafetensorsFile(tmp_path / "file")
