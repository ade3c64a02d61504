"""Model files from the hub, pinned to a full commit, named files only, none of them code."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lfm2_colbert.errors import ModelUnavailableError
from lfm2_colbert.registry import missing_extra

ALLOWED_FILES = (
    "*.safetensors",
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "1_Dense/config.json",
)
NEEDED_FILES = ("model.safetensors", "1_Dense/model.safetensors", "config.json", "modules.json", "tokenizer.json")
"""What a whole model has: after a download that was cut off, the cache holds a folder with only some of them."""


@dataclass(frozen=True, slots=True)
class HubModel:
    """A repository at one commit (40 hexadecimal digits).

    Attributes:
        repository: ``owner/name``.
        revision: the commit.
        licence: of the weights.
        allowed: patterns of the files to fetch.
        needed: files without which it is not whole.
    """

    repository: str
    revision: str
    licence: str = ""
    allowed: tuple[str, ...] = ALLOWED_FILES
    needed: tuple[str, ...] = NEEDED_FILES


def local_folder(model: HubModel, *, cache: Path | None = None, offline: bool = False) -> Path:
    """Give the folder of a model, from the local cache if it is there, else from the hub.

    Args:
        model: repository and commit.
        cache: the hub's cache folder; None leaves the choice to `huggingface_hub`.
        offline: never connect.

    Raises:
        ModelUnavailableError: not in the cache, and the hub cannot be reached or does not have it.
        MissingExtraError: `huggingface_hub` is not installed.
    """
    try:
        import huggingface_hub
        from huggingface_hub.errors import HFValidationError, HTTPError, LocalEntryNotFoundError
    except ModuleNotFoundError as error:
        raise missing_extra(f"the hub model {model.repository}", error.name or "", "torch") from error
    fetch = partial(
        huggingface_hub.snapshot_download,
        model.repository,
        revision=model.revision,
        allow_patterns=list(model.allowed),
        cache_dir=cache,
    )
    reason: Exception | None = None
    for local_files_only in (True,) if offline else (True, False):
        try:
            folder = Path(str(fetch(local_files_only=local_files_only)))
        except (HTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            reason = error
            continue
        # Where it cannot finish a download, the library gives what it has, and only logs it.
        if all((folder / name).exists() for name in model.needed):
            return folder
    raise _unavailable(model) from reason


def _unavailable(model: HubModel) -> ModelUnavailableError:
    return ModelUnavailableError(
        f"{model.repository} is not on this machine and the hub cannot be reached",
        help="fetch it on a connected machine and give the folder: --model FOLDER",
    )
