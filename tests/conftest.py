"""Fixtures that several folders of tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("project", deadline=None)  # machines are shared: no test fails by the clock
settings.load_profile("project")

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The reference material beside the repository; tests that need it skip without it."""
    if not SHARED.is_dir():
        pytest.skip("the reference material (../shared) is not beside the repository")
    return SHARED
