"""Models of other kinds, as sentence-transformers loads them: from checked folders, without code of theirs."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from lfm2_colbert.checkpoint import check_classes, check_files, check_token_vectors
from lfm2_colbert.errors import UnsafeModelError
from lfm2_colbert.registry import missing_extra


class ForeignKind(StrEnum):
    """What people call a kind of model; its name here is that library's class."""

    SentenceTransformer = "single-vector model"
    MultiVectorEncoder = "multi-vector model"
    CrossEncoder = "cross-encoder"


def load_foreign(kind: ForeignKind, folder: Path, what: str, extra: str, *, device: str | None = None) -> Any:
    """Load a folder as a model of a kind.

    Weights kept in half precision are widened on a CPU, which imitates such products: e5-small took six times as long
    as in float32 on a processor with AVX2.

    Args:
        kind: what the folder holds.
        folder: of the model.
        what: the library is needed for, in errors.
        extra: brings the library.
        device: as torch names it; None chooses a GPU where there is one.

    Raises:
        UnsafeModelError: the folder holds code, pickles or links that leave it, or is no such model.
        MissingExtraError: sentence-transformers is not installed.
    """
    _check(folder, kind)
    try:
        import sentence_transformers
        from safetensors import SafetensorError
    except ModuleNotFoundError as error:
        raise missing_extra(what, error.name or "sentence_transformers", extra) from error
    load, device = getattr(sentence_transformers, kind.name), device or sentence_transformers.util.get_device_name()
    floats = {"dtype": "float32"} if device == "cpu" else {}
    try:
        return load(str(folder), device=device, trust_remote_code=False, local_files_only=True, model_kwargs=floats)
    except (AttributeError, KeyError, OSError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
        # What the library raises of folders that are no model, in place of an error of its own.
        raise UnsafeModelError(f"sentence-transformers cannot load {folder.name} as a {kind}") from error


def _check(folder: Path, kind: ForeignKind) -> None:
    check_files(folder)
    if kind is not ForeignKind.CrossEncoder or (folder / "modules.json").exists():
        check_classes(folder)
    if kind is ForeignKind.MultiVectorEncoder:
        check_token_vectors(folder)
