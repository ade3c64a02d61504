"""Vectors of an encoder, kept on disk: encoding a set takes minutes, measuring it seconds.

They lie in parts, each written whole or not at all, so that a run that was killed goes on where it was.
"""

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from index.durable import disk_errors
from index.queries import split
from lfm2_colbert.encoders.base import Encoder, Spans
from lfm2_colbert.multivectors import MultiVectors

KEYS, OFFSETS, VECTORS, COST = "keys.npy", "offsets.npy", "vectors.npy", "cost.json"


@dataclass(frozen=True, slots=True)
class Cost:
    """What encoding took, over all runs that had a part in it: wall seconds and CPU seconds, and texts encoded."""

    seconds: float
    cpu_seconds: float
    texts: int


class KeptVectors:
    """Another encoder, whose vectors of documents are rounded to float16 and kept in a folder; see `Encoder`.

    Those of queries are kept in memory, for `asked`, and encoded again at every call, so that its time can be taken.
    """

    def __init__(self, encoder: Encoder, folder: Path, borrowed: Sequence[Path] = ()) -> None:
        """Find what the folder holds, and look into others that are not written; all belong to this encoder alone."""
        self._encoder, self._folder = encoder, folder
        self._places: dict[str, tuple[NDArray[np.float16], int, int]] = {}
        self._asked: dict[str, NDArray[np.floating[Any]]] = {}
        self._costs: list[Cost] = []
        self.name, self.fingerprint, self.dim = encoder.name, encoder.fingerprint, encoder.dim
        self.max_query_tokens, self.max_document_tokens = encoder.max_query_tokens, encoder.max_document_tokens
        self.mean = encoder.mean
        for part in (part for each in borrowed for part in each.glob("[0-9]*")):
            self._look_up(part)
        for part in sorted(folder.glob("[0-9]*")):
            self._take(part)

    @property
    def cost(self) -> Cost:
        """Add up what encoding the kept vectors took."""
        return Cost(
            sum(each.seconds for each in self._costs),
            sum(each.cpu_seconds for each in self._costs),
            sum(each.texts for each in self._costs),
        )

    def encode_queries(self, texts: Sequence[str]) -> MultiVectors:
        """Encode queries."""
        vectors = self._encoder.encode_queries(texts)
        self._asked |= dict(zip(texts, vectors, strict=True))
        return vectors

    def asked(self, texts: Sequence[str]) -> list[MultiVectors]:
        """Give the vectors of the windows of queries; those that were asked before are not encoded again."""
        windows = {text: [text[start:stop] for start, stop in split(text, self)] for text in dict.fromkeys(texts)}
        new = [window for own in windows.values() for window in own if window not in self._asked]
        if new:
            self.encode_queries(new)
        return [MultiVectors.of([self._asked[window] for window in windows[text]], dim=self.dim) for text in texts]

    def encode_documents(self, texts: Sequence[str]) -> MultiVectors:
        """Look documents up, and encode and keep those that are missing."""
        kept = self.kept(texts)
        return MultiVectors(kept.vectors.astype(np.float32), kept.offsets)

    def kept(self, texts: Sequence[str]) -> MultiVectors:
        """Give vectors of documents as they are kept, in float16; those that are missing are encoded."""
        keys = [xxhash.xxh3_128_hexdigest(text.encode(errors="surrogatepass")) for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._places}
        if missing:
            self._keep(list(missing), list(missing.values()))
        places = (self._places[key] for key in keys)
        return MultiVectors.of([vectors[start:stop] for vectors, start, stop in places], dim=self.dim)

    def token_spans(self, texts: Sequence[str]) -> list[Spans]:
        """Offsets of all tokens of each text."""
        return self._encoder.token_spans(texts)

    def query_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a query."""
        return self._encoder.query_spans(text)

    def document_spans(self, text: str) -> Spans:
        """Offsets for each vector of the text as a document."""
        return self._encoder.document_spans(text)

    def _keep(self, keys: list[str], texts: list[str]) -> None:
        started, started_cpu = time.perf_counter(), time.process_time()
        made = self._encoder.encode_documents(texts)
        cost = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - started_cpu}
        part = self._folder / f"{len(self._costs):06d}"
        unfinished = self._folder / f".{part.name}.part"
        with disk_errors(part):
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            np.save(unfinished / KEYS, np.array(keys))
            np.save(unfinished / OFFSETS, made.offsets)
            np.save(unfinished / VECTORS, made.vectors.astype(np.float16))
            (unfinished / COST).write_text(json.dumps(cost | {"texts": len(texts)}), encoding="utf-8")
            unfinished.rename(part)
        self._take(part)

    def _take(self, part: Path) -> None:
        self._look_up(part)
        self._costs.append(Cost(**json.loads((part / COST).read_text(encoding="utf-8"))))

    def _look_up(self, part: Path) -> None:
        offsets, vectors = np.load(part / OFFSETS).tolist(), np.load(part / VECTORS, mmap_mode="r")
        for row, key in enumerate(np.load(part / KEYS).tolist()):
            self._places[key] = (vectors, offsets[row], offsets[row + 1])
