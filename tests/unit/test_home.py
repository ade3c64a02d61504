"""Where collections live, and how they are named."""

from pathlib import Path

import platformdirs
import pytest

from index.home import collection_folder, home_folder, list_collections, new_collection_folder
from lfm2_colbert.errors import InvalidArgumentError, NotFoundError


def make(home: Path, *names: str) -> None:
    for name in names:
        (home / name).mkdir(parents=True)
        (home / name / "store.db").touch()


def test_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LFM2_COLBERT_HOME", "/elsewhere")
    assert home_folder("/here") == Path("/here")


def test_environment_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("/first", "/second"):
        monkeypatch.setenv("LFM2_COLBERT_HOME", place)
        assert home_folder() == Path(place)


@pytest.mark.parametrize("value", [None, ""])
def test_users_data_folder_is_the_last_resort(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("LFM2_COLBERT_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("LFM2_COLBERT_HOME", value)
    assert home_folder() == Path(platformdirs.user_data_dir("lfm2-colbert", appauthor=False))


def test_collections_are_listed_in_order_and_nothing_else_is(tmp_path: Path) -> None:
    make(tmp_path, "zebra", "Handbuch", "a.b-c_1", ".hidden")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    assert list_collections(tmp_path) == ["Handbuch", "a.b-c_1", "zebra"]


def test_home_that_does_not_exist_has_no_collections(tmp_path: Path) -> None:
    assert list_collections(tmp_path / "nowhere") == []


def test_folder_of_a_collection_is_found_by_name(tmp_path: Path) -> None:
    make(tmp_path, "handbook")
    assert collection_folder(tmp_path, "handbook") == tmp_path / "handbook"


def test_unknown_name_suggests_the_nearest(tmp_path: Path) -> None:
    make(tmp_path, "handbook", "laws")
    with pytest.raises(NotFoundError, match="no collection 'handbok'") as caught:
        collection_folder(tmp_path, "handbok")
    assert caught.value.help == "did you mean 'handbook'? known: handbook, laws"


def test_new_collection_s_folder_need_not_exist(tmp_path: Path) -> None:
    assert new_collection_folder(tmp_path, "new") == tmp_path / "new"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", ".a", "-a", "a\n", "a b", "é", "名前", "a" * 65, "a\0"]
)
def test_names_that_could_leave_the_home_or_confuse_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="cannot name a collection"):
        new_collection_folder(tmp_path, name)


def test_longest_name_is_accepted(tmp_path: Path) -> None:
    assert new_collection_folder(tmp_path, "a" * 64).name == "a" * 64
