"""The words of the interface, in twelve languages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("words.json")
DEFAULT = "en"
SAME = {"nb": "no", "nn": "no"}
MOST_ACCEPTED = 20
RIGHT_TO_LEFT = frozenset({"ar"})


@dataclass(frozen=True, slots=True)
class Words:
    """The interface in one language; calling it gives a text by its name."""

    language: str
    texts: Mapping[str, str]

    @property
    def direction(self) -> str:
        """Which way it runs, for ``dir``."""
        return "rtl" if self.language in RIGHT_TO_LEFT else "ltr"

    def __call__(self, name: str, **values: object) -> str:
        """Give a text, with values in their places."""
        return self.texts[name].format(**values)


def languages() -> Mapping[str, str]:
    """Give the languages there are, with the name each has for itself."""
    return {code: texts["language"] for code, texts in _texts().items()}


def words_for(chosen: str | None, accepted: str) -> Words:
    """Give the words of the language that was chosen, else of the first that a browser accepts and there is.

    Args:
        chosen: a code, if somebody chose one; unknown ones are passed over.
        accepted: the header ``Accept-Language``.
    """
    codes = (each.split(";")[0].strip().lower().split("-")[0] for each in accepted.split(",")[:MOST_ACCEPTED])
    wanted = [chosen or "", *(SAME.get(code, code) for code in codes)]
    found = next((code for code in wanted if code in _texts()), DEFAULT)
    return Words(found, _texts()[found])


@lru_cache(maxsize=1)
def _texts() -> Mapping[str, Mapping[str, str]]:
    texts: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))
    return texts
