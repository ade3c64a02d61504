"""The kernels of another architecture, cross-compiled and emulated, against the NumPy kernels."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from index.codecs.scalar import TABLES
from index.native.base import LANES, LEVEL_OFFSET, VALUE_LIMIT, CoarseQuery, FineQuery, Rows, TokenCodes
from index.native.fallback import NumpyKernels

ROOT = Path(__file__).parents[2]
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
ABSENT = [tool for tool in (COMPILER, EMULATOR, "cmake") if not shutil.which(tool)]
N_CENTROIDS = 45
COARSE_UNIT, FINE_UNIT = np.float32(1e-4), np.float32(1e-7)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(ABSENT), reason=f"needs {', '.join(ABSENT)} to run the kernels of another processor"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the library as the project builds it, and a program that calls it."""
    build = tmp_path_factory.mktemp("aarch64")
    target = [f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64"]
    subprocess.run(["cmake", "-S", str(ROOT), "-B", str(build), *target], check=True, capture_output=True)
    subprocess.run(["cmake", "--build", str(build)], check=True, capture_output=True)
    source, library, made = Path(__file__).with_name("kernels_case.cpp"), build / "libkernels.so", build / "case"
    include = ROOT / "index" / "native" / "kernels"
    command = [COMPILER, "-std=c++17", "-O1", f"-I{include}", str(source), str(library), "-o", str(made)]
    subprocess.run([*command, f"-Wl,-rpath,{build}"], check=True, capture_output=True)
    return made


def emulated(program: Path, variant: str, processor: str, given: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [EMULATOR, "-cpu", processor, "-L", "/usr/aarch64-linux-gnu", str(program), variant]
    return subprocess.run(command, input=given, capture_output=True, check=False)


def split(content: bytes, *shapes: tuple[str, tuple[int, ...]]) -> list[np.ndarray]:
    arrays, at = [], 0
    for dtype, shape in shapes:
        arrays.append(np.frombuffer(content, dtype, int(np.prod(shape)), at).reshape(shape))
        at += arrays[-1].nbytes
    if at != len(content):
        raise ValueError(f"{len(content)} bytes came, {at} were expected")
    return arrays


@pytest.mark.parametrize("variant", ["neon", "scalar"])
@pytest.mark.parametrize(
    ("dim", "n_query", "lengths"),
    [
        (128, 32, (190, 0, 1, 7, 9, 1500)),
        (48, 13, (3, 5, 0, 8)),
        (16, 1, (1,)),
        (256, 70, (33, 2, 4)),
        (144, 17, (0, 64)),
    ],
)
def test_emulated_kernels_equal_the_numpy_kernels(
    program: Path, variant: str, dim: int, n_query: int, lengths: tuple[int, ...]
) -> None:
    rng, definition = np.random.default_rng(dim + n_query), NumpyKernels()
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    n, width = int(offsets[-1]), -(-n_query // LANES) * LANES
    rows = Rows(offsets, rng.integers(0, len(lengths), 2 * len(lengths)).astype(np.int64))
    codes, refinement = (rng.integers(0, 256, (n, dim // 2), dtype=np.uint8) for _ in range(2))
    scales, means = rng.random(n).astype(np.float16), -rng.random(n).astype(np.float16)
    tokens = TokenCodes(codes, scales, means, refinement, scales)
    coarse = rng.integers(-VALUE_LIMIT, VALUE_LIMIT + 1, (n_query, dim)).astype(np.int8)
    fine = rng.integers(-1000, 1001, (n_query, dim)).astype(np.int16)
    centroids = rng.integers(1, 2 * LEVEL_OFFSET, (N_CENTROIDS, dim), dtype=np.uint8)
    table = rng.integers(0, 256, (N_CENTROIDS, width), dtype=np.uint8)
    centroid_of = rng.integers(0, N_CENTROIDS, n).astype(np.uint32)
    given = [
        np.array([dim, n_query, n, len(lengths), len(rows.rows), N_CENTROIDS], np.int64),
        np.array([COARSE_UNIT, FINE_UNIT]), offsets, rows.rows, codes, refinement, scales, means, coarse,
        (TABLES[4].levels.astype(np.int16) + LEVEL_OFFSET).astype(np.uint8), fine, TABLES[4].bases, TABLES[4].steps,
        centroids, table, centroid_of,
    ]  # fmt: skip
    done = emulated(program, variant, "max", b"".join(array.tobytes() for array in given))
    assert (done.returncode, done.stderr.decode()) == (0, variant)
    n_rows = (len(rows.rows),)
    scored, refined, interactions, products, nearest, nearest_products = split(
        done.stdout,
        ("<f4", n_rows),
        ("<f4", n_rows),
        ("<i4", n_rows),
        ("<i4", (N_CENTROIDS, width)),
        ("<u4", (n_query,)),
        ("<i4", (n_query,)),
    )
    coarse_query = CoarseQuery(coarse, TABLES[4].levels, float(COARSE_UNIT))
    fine_query = FineQuery(fine, TABLES[4].bases, TABLES[4].steps, float(FINE_UNIT))
    for found, expected in (
        (scored, definition.maxsim_coarse(coarse_query, tokens, rows)),
        (refined, definition.maxsim_fine(fine_query, tokens, rows)),
    ):
        np.testing.assert_array_equal(np.isneginf(found), np.isneginf(expected))
        real = np.isfinite(expected)
        np.testing.assert_allclose(found[real], expected[real], rtol=1e-5, atol=1e-5 * n_query)
    np.testing.assert_array_equal(interactions, definition.interact(table, centroid_of, rows))
    np.testing.assert_array_equal(products, definition.centroid_products(coarse, centroids))
    expected_nearest = definition.nearest_centroids(coarse, centroids)
    np.testing.assert_array_equal(nearest, expected_nearest.ids)
    np.testing.assert_array_equal(nearest_products, expected_nearest.products)


def test_processors_without_dot_products_get_plain_code(program: Path) -> None:
    """An Armv8.0 core would die of an illegal instruction."""
    assert emulated(program, "neon", "cortex-a72", b"").returncode == 2
    done = emulated(program, "", "cortex-a72", b"")
    assert (done.returncode, done.stderr) == (3, b"scalar")  # 3: it asks for a case
    assert emulated(program, "", "max", b"").stderr == b"neon"
