"""Names that may become ids: what no screen and no database can hold is refused, and shown so that it does no harm."""

import os
import unicodedata

import regex

from index.types import MAX_ID_CHARACTERS, Failure
from lfm2_colbert.errors import InvalidEncodingError, InvalidNameError

UNSHOWABLE = regex.compile(r"[\p{Cc}\u202a-\u202e\u2066-\u2069]")
"""Controls, and marks that reverse what follows: ``invoice\\u202efdp.exe`` looks like another name."""


def badly_named(id: str) -> Failure | None:
    """Refuse what cannot be an id; Python stands lone surrogates for bytes that are no UTF-8."""
    if any("\ud800" <= character <= "\udfff" for character in id):
        shown = os.fsencode(id).decode("utf-8", "backslashreplace")
        return Failure(shown, InvalidEncodingError.code, f"the name {shown} is not valid UTF-8; rename it")
    if UNSHOWABLE.search(id):
        shown = UNSHOWABLE.sub(lambda found: _escaped(found[0]), id)
        return Failure(shown, InvalidNameError.code, f"the name {shown} holds control characters; rename it")
    if len(id) > MAX_ID_CHARACTERS:
        shown = f"{id[: MAX_ID_CHARACTERS - 2]}…"
        return Failure(shown, InvalidNameError.code, f"its path has {len(id)} characters; move it further up")
    return None


def _escaped(character: str) -> str:
    return repr(character)[1:-1] if unicodedata.category(character) == "Cc" else f"\\u{ord(character):04x}"
