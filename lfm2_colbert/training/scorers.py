"""Models that score lists, by name: late interaction, single vectors, a cross-encoder, or a language model as a judge.

encoder                         whatever `load_encoder` takes: MaxSim over the number of query vectors
dense:MODEL                     a single-vector model of sentence-transformers: its own similarity
cross-encoder:MODEL             a cross-encoder of sentence-transformers
judge                           a language model behind an address (`judge.py`)

MODEL is a folder, or ``owner/name@`` and a full commit.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from lfm2_colbert.checkpoint import check_classes, check_files, files_fingerprint
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import PINNED, load_encoder
from lfm2_colbert.errors import InvalidArgumentError, UnknownEncoderError, UnknownNameError, UnsafeModelError
from lfm2_colbert.hub import HubModel, local_folder
from lfm2_colbert.registry import missing_extra
from lfm2_colbert.training.endpoint import Endpoint
from lfm2_colbert.training.judge import Judge
from lfm2_colbert.training.lists import Scores
from lfm2_colbert.training.scoring import Scorer

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

    def scores(self, query: str, documents: Sequence[str]) -> Scores:
        """Score documents by the mean, over the query's vectors, of the best dot product."""
        asked = self._encoder.encode_queries([query])[0].astype(np.float32)
        best = [(asked @ own.astype(np.float32).T).max(axis=1) for own in self._documents.of(documents)]
        return np.array([own.mean(dtype=np.float32) for own in best], np.float32)


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

    def scores(self, query: str, documents: Sequence[str]) -> Scores:
        """Score documents by the model's own similarity."""
        asked = self._scaled(self._model.encode_query([query], show_progress_bar=False))[0]
        scores: Scores = np.stack(self._documents.of(documents)) @ asked
        return scores

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

    def scores(self, query: str, documents: Sequence[str]) -> Scores:
        """Score documents by what the model says, its own activation applied."""
        found = self._model.predict([(query, document) for document in documents], show_progress_bar=False)
        return np.asarray(found, np.float32)


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
    check_classes(folder)
    return Dense(_loaded("SentenceTransformer", folder), name, files_fingerprint(folder))


def _cross_encoder(folder: Path, name: str) -> CrossEncoder:
    if (folder / "modules.json").exists():
        check_classes(folder)
    return CrossEncoder(_loaded("CrossEncoder", folder), name, files_fingerprint(folder))


KINDS: dict[str, Callable[[Path, str], Scorer]] = {"dense": _dense, "cross-encoder": _cross_encoder}


def _folder(model: str) -> Path:
    """Give the folder of a model, whose files are ones that may be loaded."""
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
    check_files(folder)
    return folder


def _loaded(kind: str, folder: Path) -> Any:
    try:
        import sentence_transformers
        from safetensors import SafetensorError
    except ModuleNotFoundError as error:
        raise missing_extra(f"the scorer {folder.name}", error.name or "sentence_transformers", "train") from error
    try:
        return getattr(sentence_transformers, kind)(str(folder), trust_remote_code=False, local_files_only=True)
    except (AttributeError, KeyError, OSError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
        raise UnsafeModelError(f"sentence-transformers cannot load {folder.name} as a {kind}") from error


class _Kept(Generic[Made]):
    """What was made of texts, the latest of it held so that texts of several lists are encoded once."""

    def __init__(self, encode: Callable[[list[str]], list[Made]]) -> None:
        self._encode, self._held, self._numbers = encode, OrderedDict[str, Made](), 0

    def of(self, texts: Sequence[str]) -> list[Made]:
        """Give what was made of each text, in order."""
        missing = list(dict.fromkeys(text for text in texts if text not in self._held))
        new = dict(zip(missing, self._encode(missing), strict=True)) if missing else {}
        found = [new[text] if text in new else self._held[text] for text in texts]
        self._hold(new, texts)
        return found

    def _hold(self, new: dict[str, Made], used: Sequence[str]) -> None:
        for text, vectors in new.items():
            self._held[text] = vectors
            self._numbers += vectors.size
        for text in used:
            self._held.move_to_end(text)
        while self._numbers > KEPT_NUMBERS:
            _, dropped = self._held.popitem(last=False)
            self._numbers -= dropped.size
