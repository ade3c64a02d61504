"""From bytes to text that can be stored: one judgement for all readers of what counts as text."""

import codecs

import regex

from index.types import Notice
from lfm2_colbert.errors import EmptyDocumentError, InvalidEncodingError, NotTextError

# Everything that leaves ink on the page; U+2800 is the blank Braille cell.
VISIBLE = regex.compile(r"[^\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]")
# C0 controls without those that text files hold: tab, line feed, vertical tab, form feed, carriage return, escape.
CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\x0b\x0c\r\x1b")) + b"\x7f"
MAX_CONTROL_SHARE = 0.01
ENCODING_GUESSED = "encoding_guessed"
GUESSED_BYTES = 256 * 1024
LEAST_GUESSED_BYTES = 32
MOST_CHAOS = 0.1
"""Share of unlikely characters (charset-normalizer's mess ratio) from which on a guess is none."""


def decode(data: bytes, name: str) -> str:
    r"""Decode a text file: UTF-8, or UTF-16 with a byte order mark; ``\r\n`` becomes ``\n``.

    Raises:
        InvalidEncodingError: the bytes are neither; the message gives the offset of the first that is wrong.
        NotTextError: the bytes are not text at all.
        EmptyDocumentError: nothing in it is visible.
    """
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not utf_16 and b"\0" in data:  # looked for first: an image is binary data, not badly encoded text
        raise _not_text(name)
    text = decode_as(data, "utf-16" if utf_16 else "utf-8-sig", name).replace("\r\n", "\n")
    require_text(text, name)
    return text


def decode_guessing(data: bytes, name: str) -> tuple[str, Notice | None]:
    """Decode as `decode` does, and text of other encodings by what it looks like; a notice says which was taken.

    Raises:
        InvalidEncodingError: it looks like no encoding that there is.
        NotTextError: the bytes are not text at all.
        EmptyDocumentError: nothing in it is visible.
    """
    try:
        return decode(data, name), None
    except InvalidEncodingError:
        encoding = _guess(data[:GUESSED_BYTES])
        if encoding is None:
            raise
    text = decode_as(data, encoding, name).replace("\r\n", "\n")
    require_text(text, name)
    return text, Notice(ENCODING_GUESSED, f"{name} is no UTF-8 and was read as {encoding}")


def _guess(data: bytes) -> str | None:
    import charset_normalizer

    if len(data) < LEAST_GUESSED_BYTES:  # a few bytes are text in a dozen encodings
        return None
    best = charset_normalizer.from_bytes(data, threshold=MOST_CHAOS).best()
    return None if best is None else str(best.encoding)


def decode_as(data: bytes, encoding: str, name: str) -> str:
    """Decode with one encoding.

    Raises:
        InvalidEncodingError: a byte does not belong there; the message gives its offset.
    """
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidEncodingError(
            f"{name} is not valid {error.encoding.upper()}: byte {error.start} is 0x{data[error.start]:02x}",
            help="convert it, for instance: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW",
        ) from error


def require_text(text: str, name: str) -> None:
    """Refuse what cannot be stored and searched as text.

    Raises:
        NotTextError: it holds NUL, or more control characters than text has.
        EmptyDocumentError: nothing in it is visible.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    n_controls = len(encoded) - len(encoded.translate(None, CONTROLS))
    if "\0" in text or n_controls > MAX_CONTROL_SHARE * len(text):
        raise _not_text(name)
    if not VISIBLE.search(text):
        raise EmptyDocumentError(f"{name} holds no visible text", help="leave it out, or fill it")


def _not_text(name: str) -> NotTextError:
    return NotTextError(
        f"{name} holds binary data, not text", help="save it as UTF-8 text, or give it the suffix of its real format"
    )
