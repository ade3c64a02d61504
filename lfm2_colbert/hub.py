"""Model files from the hub, pinned to a full commit, named files only, none of them code."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lfm2_colbert.errors import ModelUnavailableError
from lfm2_colbert.licences import SUMMARIES
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
        licence: of the weights; where it is one to be accepted (`lfm2_colbert.licences`), only `pull` fetches them.
        allowed: patterns of the files to fetch.
        needed: files without which it is not whole.
        name: what `lfm2-colbert pull` calls it; "": it is none that can be pulled.
    """

    repository: str
    revision: str
    licence: str = ""
    allowed: tuple[str, ...] = ALLOWED_FILES
    needed: tuple[str, ...] = NEEDED_FILES
    name: str = ""

    @property
    def place(self) -> Path:
        """Its folder below a cache, as the hub's library lays it out."""
        return Path(f"models--{self.repository.replace('/', '--')}", "snapshots", self.revision)

    def is_whole(self, folder: Path) -> bool:
        """Say whether a folder has all files that are needed."""
        return all((folder / name).exists() for name in self.needed)


def cache_folder() -> Path:
    """Say where models of the hub are kept: ``HF_HUB_CACHE``, else below ``HF_HOME``, as `huggingface_hub` reads them.

    Raises:
        MissingExtraError: `huggingface_hub` is not installed.
    """
    try:
        from huggingface_hub import constants
    except ModuleNotFoundError as error:
        raise missing_extra("a model of the hub", error.name or "", "torch") from error
    return Path(str(constants.HF_HUB_CACHE)).expanduser()


def local_folder(model: HubModel, *, cache: Path | None = None, offline: bool = False) -> Path:
    """Give the folder of a model, from the local cache if it is there, else from the hub.

    Args:
        model: repository and commit. Weights whose licence is to be accepted are never fetched here.
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
    for local_files_only in (True,) if offline or model.licence in SUMMARIES else (True, False):
        try:
            folder = Path(str(fetch(local_files_only=local_files_only)))
        except (HTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            reason = error
            continue
        # Where it cannot finish a download, the library gives what it has, and only logs it.
        if model.is_whole(folder):
            return folder
    raise _unavailable(model, cache or cache_folder()) from reason


def _unavailable(model: HubModel, cache: Path) -> ModelUnavailableError:
    if not model.name:
        return ModelUnavailableError(
            f"{model.repository} is not on this machine and the hub cannot be reached",
            help="fetch it on a connected machine and give the folder: --model FOLDER",
        )
    return ModelUnavailableError(
        f"{model.repository} at {model.revision[:12]} is not on this machine (looked in {cache})",
        help=f"lfm2-colbert pull {model.name}. Without a network: add --to FOLDER to that on a connected machine, "
        "carry the folder here, and then: lfm2-colbert pull --from-dir FOLDER",
    )
