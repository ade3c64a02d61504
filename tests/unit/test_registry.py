"""Tables of names: loaded on use, closed, and clear about what is missing."""

from pathlib import Path

import pytest

from lfm2_colbert.errors import MissingExtraError, UnknownNameError
from lfm2_colbert.registry import lookup

TABLE = {
    "text": "json:dumps",
    "ours": "lfm2_colbert.no_such_module:thing",
}


def test_a_name_gives_its_attribute() -> None:
    import json

    assert lookup(TABLE, "text", "codec") is json.dumps


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="no codec 'txet'") as caught:
        lookup(TABLE, "txet", "codec")
    assert caught.value.help == "did you mean 'text'? known: ours, text"


def test_a_module_of_ours_that_is_missing_is_a_defect_and_no_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        lookup(TABLE, "ours", "codec", extra="torch")


def test_a_missing_library_names_the_extra_that_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_a_library.py").write_text("import a_library_that_nobody_has.part\n")
    monkeypatch.syspath_prepend(tmp_path)
    table = {"x": "needs_a_library:thing"}
    with pytest.raises(MissingExtraError, match="codec 'x' needs the library 'a_library_that_nobody_has'") as caught:
        lookup(table, "x", "codec", extra="torch")
    assert caught.value.help == "pip install 'lfm2-colbert[torch]'"
    with pytest.raises(MissingExtraError) as caught:
        lookup(table, "x", "codec")
    assert caught.value.help == "pip install a_library_that_nobody_has"
