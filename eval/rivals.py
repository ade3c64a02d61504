"""The models that an evaluation is held against, by their names on the command line.

Multi-vector models are served as the evaluated one is; single-vector models score whole documents, all of them.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from eval.dense import DenseModel, load_dense
from eval.systems import ORACLE, OURS, WORDS
from lfm2_colbert.checkpoint import read_modules
from lfm2_colbert.encoders.base import Encoder
from lfm2_colbert.encoders.loading import PINNED, load_encoder
from lfm2_colbert.errors import InvalidArgumentError
from lfm2_colbert.hub import HubModel, local_folder

MODULES = "modules.json"
DENSE_FILES = ("*.safetensors", "*.json", "vocab.txt")
NEEDED_FILES = (MODULES, "config.json", "model.safetensors", "tokenizer.json")
UNPINNED = re.compile(r"[\w.-]+/[\w.-]+(@.*)?")


def load_rivals(names: Sequence[str], evaluated: Encoder) -> dict[str, Encoder | DenseModel]:
    """Load models, by the names that they have in results: those of their folders or repositories.

    Args:
        names: a folder, ``owner/name@`` and a full commit, or whatever else `load_encoder` takes.
        evaluated: the model that they are held against.

    Raises:
        InvalidArgumentError: a repository without a commit, two systems of one name, or a model twice.
        UnknownEncoderError: no such name or folder.
        ModelUnavailableError: a model of the hub is neither on this machine nor reachable.
        UnsafeModelError: a folder holds something that this program never loads.
        MissingExtraError: the model needs the extra ``torch``.
    """
    rivals: dict[str, Encoder | DenseModel] = {}
    fingerprints = {evaluated.fingerprint}
    for name in names:
        shown = _shown(name)
        if shown in (*rivals, OURS, ORACLE, WORDS):
            raise InvalidArgumentError(
                f"the baseline '{name}' would be called '{shown}' in results, as another system is",
                help="give its folder another name",
            )
        folder = dense_folder(name)
        rivals[shown] = load_encoder(name) if folder is None else load_dense(folder, shown)
        if rivals[shown].fingerprint in fingerprints:
            raise InvalidArgumentError(
                f"the baseline '{name}' is a model that is measured already", help="take another, or leave it out"
            )
        fingerprints.add(rivals[shown].fingerprint)
    return rivals


def dense_folder(name: str) -> Path | None:
    """Give the folder of a single-vector model: one that pools its tokens. None: the name is for `load_encoder`.

    Raises:
        InvalidArgumentError: a repository of the hub without a commit.
        ModelUnavailableError: a model of the hub is neither on this machine nor reachable.
        UnsafeModelError: the folder does not list its modules.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve() if _pools(folder) else None
    if pinned := PINNED.fullmatch(name):
        repository, revision = pinned["repository"], pinned["revision"]
        listed = local_folder(HubModel(repository, revision, allowed=(MODULES,), needed=(MODULES,)))
        dense = HubModel(repository, revision, allowed=DENSE_FILES, needed=NEEDED_FILES)
        return local_folder(dense) if _pools(listed) else None
    if UNPINNED.fullmatch(name):
        raise InvalidArgumentError(
            f"'{name}' is no folder, and names no commit of a repository on the hub",
            help=f"models of the hub are pinned: {name.partition('@')[0]}@ and the 40 digits of a commit",
        )
    return None


def _shown(name: str) -> str:
    pinned = PINNED.fullmatch(name)
    return Path(pinned["repository"] if pinned else name).expanduser().resolve().name


def _pools(folder: Path) -> bool:
    modules = read_modules(folder) if (folder / MODULES).is_file() else []
    return any(module["type"].rpartition(".")[2] == "Pooling" for module in modules)
