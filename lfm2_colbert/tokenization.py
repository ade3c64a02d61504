"""From text to ids and back to offsets: the token contract of an encoder.

Text written by people never becomes a control token: markers are prepended as ids, `encode_special_tokens` keeps
special strings as plain text, and pieces that a vocabulary lists for control tokens are made unreachable. The text
itself is never edited, so offsets are true.
"""

import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from lfm2_colbert.config import TokenContract
from lfm2_colbert.encoders.base import Spans
from lfm2_colbert.errors import InvalidArgumentError, UnsafeModelError

NO_TEXT = (-1, -1)
MAX_TOKENIZER_BYTES = 50 * 1024 * 1024
MAX_DECOMPRESSION_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """One text as an encoder reads it; all arrays have one entry per position.

    Attributes:
        ids: ``(n,)`` int64.
        attended: ``(n,)`` bool; False where no position may attend to it (query expansion).
        kept: ``(n,)`` bool; False where the vector is dropped (skip list).
        spans: ``(n, 2)`` int64 code points, (-1, -1) where the position stands for no text.
    """

    ids: NDArray[np.int64]
    attended: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    spans: Spans


class TextTokenizer:
    """A vocabulary together with the contract of one encoder."""

    def __init__(self, tokenizer: Tokenizer, contract: TokenContract) -> None:
        """Take ownership of `tokenizer`: truncation, padding and special-token parsing are switched off."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._contract = contract

    def queries(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Tokenise queries: begin token, marker, text cut to the budget, expansion where the contract has one."""
        contract = self._contract
        return [
            self._tokenized(ids, spans, contract.query_marker_id, contract.query_length, is_query=True)
            for ids, spans in self._pieces(texts)
        ]

    def documents(self, texts: Sequence[str]) -> list[TokenizedText]:
        """Tokenise documents: begin token, marker, text cut to the budget, skip list marked."""
        contract = self._contract
        return [
            self._tokenized(ids, spans, contract.document_marker_id, contract.document_length, is_query=False)
            for ids, spans in self._pieces(texts)
        ]

    def document_spans(self, text: str) -> Spans:
        """Give the offsets of a document's kept positions; what `documents` would say, for less."""
        ids, spans = self._pieces([text])[0]
        budget = self._contract.document_length - 2
        kept = ~np.isin(ids[:budget], self._contract.skip_ids)
        return np.concatenate([np.full((2, 2), -1), spans[:budget][kept]])

    def spans(self, texts: Sequence[str]) -> list[Spans]:
        """Give the offsets of all tokens of each text, uncut and without markers."""
        return [spans for _, spans in self._pieces(texts)]

    def _pieces(self, texts: Sequence[str]) -> list[tuple[NDArray[np.int64], Spans]]:
        check_texts(texts)
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [(np.array(e.ids, np.int64), _spans(e.offsets)) for e in encodings]

    def _tokenized(
        self, ids: NDArray[np.int64], spans: Spans, marker_id: int, length: int, *, is_query: bool
    ) -> TokenizedText:
        contract = self._contract
        budget = length - 2
        text_ids, text_spans = ids[:budget], spans[:budget]
        expansion_id = contract.expansion_id if is_query else None
        n_expansion = 0 if expansion_id is None else budget - len(text_ids)
        filler = np.full(n_expansion, expansion_id or 0, np.int64)
        attended = np.ones(2 + len(text_ids) + n_expansion, np.bool_)
        attended[2 + len(text_ids) :] = contract.attend_to_expansion
        all_ids = np.concatenate([np.array([contract.bos_id, marker_id], np.int64), text_ids, filler])
        all_spans = np.concatenate([[NO_TEXT] * 2, text_spans, np.full((n_expansion, 2), -1)]).astype(np.int64)
        kept = np.ones(len(all_ids), np.bool_)
        if not is_query:
            kept[2:] = ~np.isin(all_ids[2:], contract.skip_ids)
        return TokenizedText(all_ids, attended, kept, all_spans)


def _spans(offsets: Sequence[tuple[int, int]]) -> Spans:
    # Flat, as NumPy looks at each pair of a list three times.
    return np.fromiter(chain.from_iterable(offsets), np.int64, 2 * len(offsets)).reshape(-1, 2)


def check_texts(texts: Sequence[str]) -> None:
    """Refuse what is no Unicode text before a library does so without a word.

    Raises:
        InvalidArgumentError: a text holds half of a surrogate pair.
    """
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidArgumentError(
                f"a text holds half a surrogate pair at character {error.start}", help="decode it as UTF-8 first"
            ) from error


def read_tokenizer(path: Path, *, markers: Sequence[str] = ()) -> Tokenizer:
    """Load ``tokenizer.json`` or ``tokenizer.json.xz`` so that no text can turn into a control token.

    Args:
        path: the file; `lzma` is applied by its suffix.
        markers: added tokens to forget (PyLate adds "[Q] " and "[D] " to the vocabulary).

    Raises:
        UnsafeModelError: the file is not a tokenizer.
    """
    specification = tokenizer_specification(path)
    if specification["model"].get("type") == "Unigram":
        _hide_control_pieces(specification, markers)
    specification["added_tokens"] = [t for t in specification["added_tokens"] if t["content"] not in markers]
    try:
        return Tokenizer.from_str(json.dumps(specification, ensure_ascii=False))
    except Exception as error:  # the library raises nothing narrower
        raise UnsafeModelError(f"{path.name} is not a tokenizer this program can load") from error


def tokenizer_specification(path: Path) -> dict[str, Any]:
    """Parse a tokenizer file as JSON.

    Raises:
        UnsafeModelError: the file is missing or too large, or no JSON object with a vocabulary in it.
    """
    try:
        specification = json.loads(_read_limited(path))
    except (OSError, ValueError, RecursionError, lzma.LZMAError) as error:
        raise UnsafeModelError(f"{path.name} cannot be read as JSON") from error
    if not isinstance(specification, dict) or not isinstance(specification.get("model"), dict):
        raise UnsafeModelError(f"{path.name} is not a tokenizer file")
    specification["added_tokens"] = specification.get("added_tokens") or []
    try:
        piece_ids(specification)
    except (KeyError, TypeError, ValueError) as error:
        raise UnsafeModelError(f"{path.name} holds no vocabulary of pieces and ids") from error
    return specification


def piece_ids(specification: Mapping[str, Any]) -> dict[str, int]:
    """Give the id of every piece and added token of a parsed tokenizer file."""
    vocabulary = specification["model"]["vocab"]
    pieces = vocabulary if isinstance(vocabulary, dict) else {piece: i for i, (piece, _) in enumerate(vocabulary)}
    ids = pieces | {token["content"]: token["id"] for token in specification["added_tokens"]}
    if not ids or not all(type(piece) is str and type(i) is int and i >= 0 for piece, i in ids.items()):
        raise ValueError("a piece is no text, or an id no natural number")
    return ids


def _read_limited(path: Path) -> bytes:
    if path.stat().st_size > MAX_TOKENIZER_BYTES:
        raise UnsafeModelError(f"{path.name} is larger than {MAX_TOKENIZER_BYTES} bytes")
    raw = path.read_bytes()
    if path.suffix != ".xz":
        return raw
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DECOMPRESSION_BYTES)
    text = decompressor.decompress(raw, MAX_TOKENIZER_BYTES + 1)
    if len(text) > MAX_TOKENIZER_BYTES or not decompressor.eof:
        raise UnsafeModelError(f"{path.name} is cut short, or unpacks to more than {MAX_TOKENIZER_BYTES} bytes")
    return text


def _hide_control_pieces(specification: dict[str, Any], markers: Sequence[str]) -> None:
    # A unigram model lists "<s>" among its pieces with the best possible score, so plain text would reach it even
    # with special-token parsing off. No text holds U+0001 and a space: XLM-R's normaliser drops the one, and the
    # Metaspace of every sentencepiece vocabulary replaces the other. A piece that starts with both matches nothing.
    control = {token["content"] for token in specification["added_tokens"] if token.get("special")} | set(markers)
    for piece in specification["model"]["vocab"]:
        if piece[0] in control:
            piece[0] = f"\u0001 {piece[0]}"
    specification["added_tokens"] = [t for t in specification["added_tokens"] if t["content"] not in control]
    specification["post_processor"] = None
