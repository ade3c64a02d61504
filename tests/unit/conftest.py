"""A fresh store for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from index.records import CollectionSettings
from index.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "collection"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store.create(folder, CollectionSettings("hashing", "f00d", 8, "float16", "tests")) as opened:
        yield opened
