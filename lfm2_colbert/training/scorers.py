"""Models that score lists, by name: late interaction, single vectors, a cross-encoder, or a language model as a judge.

encoder                         whatever `load_encoder` takes: MaxSim over the number of query vectors
dense:MODEL                     a single-vector model of sentence-transformers: its own similarity
cross-encoder:MODEL             a cross-encoder of sentence-transformers
judge                           a language model behind an address (`judge.py`)

MODEL is a folder, or ``owner/name@`` and a full commit.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.checkpoint import files_fingerprint
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import PINNED, load_encoder
from lfm2_colbert.errors import InvalidArgumentError, UnknownEncoderError, UnknownNameError
from lfm2_colbert.foreign import ForeignKind, load_foreign
from lfm2_colbert.hub import HubModel, local_folder
from lfm2_colbert.training.endpoint import Endpoint
from lfm2_colbert.training.judge import Judge
from lfm2_colbert.training.lists import Scores
from lfm2_colbert.training.scoring import Asked, Scorer

JUDGE = "judge"
HUB_FILES = ("*.safetensors", "*.json", "vocab.txt")
NEEDED_FILES = ("config.json", "model.safetensors", "tokenizer.json")
KEPT_NUMBERS = 2**26
"""Of documents' vectors that are held in memory: 256 MiB. Lists share documents."""
SMALLEST_NORM = 1e-12

Vectors = NDArray[np.floating[Any]]
Made = TypeVar("Made", bound=Vectors)


class LateInteraction:
    """An encoder of this project: MaxSim over the number of query vectors."""

    def __init__(self, encoder: Encoder) -> None:
        """Wrap a loaded encoder."""
        self._encoder = encoder
        self.name, self.fingerprint = encoder.name, f"maxsim {encoder.fingerprint}"
        self._documents = _Kept(lambda texts: list(encoder.encode_documents(texts)))

    def scores(self, lists: Sequence[Asked]) -> Iterator[Scores]:
        """Score documents by the mean, over the query's vectors, of the best dot product."""
        queries = self._encoder.encode_queries([each.query for each in lists])
        for query, documents in zip(queries, self._documents.of_each(lists), strict=True):
            asked = query.astype(np.float32)
            best = [(asked @ own.astype(np.float32).T).max(axis=1) for own in documents]
            yield np.array([own.mean(dtype=np.float32) for own in best], np.float32)


class Dense:
    """A single-vector model of sentence-transformers."""

    def __init__(self, model: Any, name: str, fingerprint: str) -> None:
        """Wrap a loaded model.

        Raises:
            UnknownNameError: its similarity is neither cosine nor dot product.
        """
        similarity = str(model.similarity_fn_name)
        if similarity not in ("cosine", "dot"):
            raise UnknownNameError.of("similarity of a single-vector model", similarity, ("cosine", "dot"))
        self.name, self.fingerprint = name, f"dense {fingerprint}"
        self._model, self._is_cosine = model, similarity == "cosine"
        self._documents = _Kept(lambda texts: list(self._scaled(model.encode_document(texts, show_progress_bar=False))))

    def scores(self, lists: Sequence[Asked]) -> Iterator[Scores]:
        """Score documents by the model's own similarity."""
        queries = self._scaled(self._model.encode_query([each.query for each in lists], show_progress_bar=False))
        for query, documents in zip(queries, self._documents.of_each(lists), strict=True):
            yield np.stack(documents) @ query

    def _scaled(self, vectors: Any) -> NDArray[np.float32]:
        found = np.asarray(vectors, np.float32)
        norms = np.linalg.norm(found, axis=1, keepdims=True) if self._is_cosine else np.float32(1)
        scaled: NDArray[np.float32] = found / np.maximum(norms, SMALLEST_NORM, dtype=np.float32)
        return scaled


class CrossEncoder:
    """A model of sentence-transformers that reads a query and a document together."""

    def __init__(self, model: Any, name: str, fingerprint: str) -> None:
        """Wrap a loaded model."""
        self._model = model
        self.name, self.fingerprint = name, f"cross-encoder {fingerprint}"

    def scores(self, lists: Sequence[Asked]) -> Iterator[Scores]:
        """Score documents by what the model says, its own activation applied."""
        pairs = [(each.query, document) for each in lists for document in each.documents]
        found = np.asarray(self._model.predict(pairs, show_progress_bar=False), np.float32)
        yield from np.split(found, np.cumsum([len(each.documents) for each in lists])[:-1])


def load_scorer(name: str, endpoint: Endpoint | None, *, device: str = "auto", threads: int | None = None) -> Scorer:
    """Load a scorer by name.

    Args:
        name: as the head of this module lists.
        endpoint: of the judge.
        device: of encoders, as `load_encoder` takes it.
        threads: of encoders.

    Raises:
        InvalidArgumentError: the judge has no address, or a model of the hub no commit.
        UnknownEncoderError: no such name or folder.
        ModelUnavailableError: a model of the hub is neither on this machine nor reachable.
        UnsafeModelError: a folder holds something that this program never loads, or no such model.
        MissingExtraError: the model needs the extra ``train``.
    """
    if name == JUDGE:
        if endpoint is None:
            raise InvalidArgumentError("the judge has no address", help="give --judge-address and --judge-model")
        return Judge(endpoint)
    kind, colon, model = name.partition(":")
    if colon and kind in KINDS:
        return KINDS[kind](_folder(model), model)
    return LateInteraction(load_encoder(name, device=device, threads=threads))


def load_scorers(
    names: Sequence[str], endpoint: Endpoint | None, *, device: str = "auto", threads: int | None = None
) -> list[Scorer]:
    """Load several, as `load_scorer` does each."""
    return [load_scorer(name, endpoint, device=device, threads=threads) for name in names]


def _dense(folder: Path, name: str) -> Dense:
    model = load_foreign(ForeignKind.SentenceTransformer, folder, f"the scorer {name}", "train")
    return Dense(model, name, files_fingerprint(folder))


def _cross_encoder(folder: Path, name: str) -> CrossEncoder:
    model = load_foreign(ForeignKind.CrossEncoder, folder, f"the scorer {name}", "train")
    return CrossEncoder(model, name, files_fingerprint(folder))


KINDS: dict[str, Callable[[Path, str], Scorer]] = {"dense": _dense, "cross-encoder": _cross_encoder}


def _folder(model: str) -> Path:
    """Find the folder of a model."""
    folder = Path(model).expanduser()
    if pinned := PINNED.fullmatch(model):
        folder = local_folder(
            HubModel(pinned["repository"], pinned["revision"], allowed=HUB_FILES, needed=NEEDED_FILES)
        )
    elif not folder.is_dir():
        raise UnknownEncoderError(
            f"'{model}' is no folder, and names no commit of a repository on the hub",
            help="give a folder, or owner/name@ and the 40 digits of a commit",
        )
    return folder


class _Kept(Generic[Made]):
    """What was made of texts, the latest of it held so that texts of several lists are encoded once."""

    def __init__(self, encode: Callable[[list[str]], list[Made]]) -> None:
        self._encode, self._held, self._numbers = encode, OrderedDict[str, Made](), 0

    def of_each(self, lists: Sequence[Asked]) -> list[list[Made]]:
        """Give what was made of each list's documents, in order."""
        texts = list(dict.fromkeys(text for each in lists for text in each.documents))
        missing = [text for text in texts if text not in self._held]
        new = dict(zip(missing, self._encode(missing), strict=True)) if missing else {}
        found = {text: new[text] if text in new else self._held[text] for text in texts}
        self._hold(new, texts)
        return [[found[text] for text in each.documents] for each in lists]

    def _hold(self, new: dict[str, Made], used: Sequence[str]) -> None:
        for text, vectors in new.items():
            self._held[text] = vectors
            self._numbers += vectors.size
        for text in used:
            self._held.move_to_end(text)
        while self._numbers > KEPT_NUMBERS:
            _, dropped = self._held.popitem(last=False)
            self._numbers -= dropped.size
