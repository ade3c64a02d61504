"""What may be pulled: encoders and language models, by the names that load them."""

from collections.abc import Iterable
from pathlib import Path

from lfm2_colbert.checkpoint import check_files, open_checkpoint
from lfm2_colbert.encoders import loading
from lfm2_colbert.errors import NotFoundError, UnknownNameError, UnsafeModelError, suggestion
from lfm2_colbert.generators import models
from lfm2_colbert.hub import NEEDED_FILES, HubModel

KNOWN = (*loading.HUB_MODELS, *models.MODELS)
HERE_ALREADY = frozenset({"nano", loading.NANO, "hashing"})
COMMIT = "[0-9a-f]" * 40


def pullable(name: str) -> HubModel:
    """Say which files of which commit a name stands for.

    Raises:
        UnknownNameError: it names nothing on the hub.
        ModelUnavailableError: it is a language model without a commit.
    """
    if model := loading.on_hub(name):
        return model
    if name in HERE_ALREADY:
        raise UnknownNameError(f"'{name}' comes with this program, and is never pulled", help=suggestion("", KNOWN))
    if name.lower().partition("@")[0] not in models.MODELS:
        raise UnknownNameError.of("model to pull", name, [*KNOWN, "owner/name@commit"])
    return models.on_hub(name)


def carried(folder: Path, names: Iterable[str] = ()) -> list[HubModel]:
    """Find models in a folder that has the hub's layout.

    Args:
        folder: what `lfm2-colbert pull --to` wrote, or a cache of the hub's library.
        names: those wanted, a language model's with or without its commit; none: all.

    Raises:
        NotFoundError: the folder has no model, or not one that was named.
    """
    found = [model_of(*_identity(path)) for path in sorted(folder.glob(f"models--*--*/snapshots/{COMMIT}"))]
    called = [model.name for model in found]
    if not found:
        raise NotFoundError(
            f"{folder} holds no model", help="give the folder that `lfm2-colbert pull MODEL --to FOLDER` wrote"
        )
    for name in names:
        if not any(_is_called(model, name) for model in found):
            raise NotFoundError(f"{folder} holds no '{name}'", help=suggestion(name, called))
    return [model for model in found if not names or any(_is_called(model, name) for name in names)]


def model_of(repository: str, revision: str) -> HubModel:
    """Say which model a repository's commit is; one that no name stands for is taken for an encoder."""
    for name, pinned in loading.HUB_MODELS.items():
        if pinned.repository == repository:
            return pinned if pinned.revision == revision else pullable(f"{name}@{revision}")
    for name, known in models.MODELS.items():
        if known.repository == repository:
            return pullable(f"{name}@{revision}")
    return pullable(f"{repository}@{revision}")


def check_model(model: HubModel, folder: Path) -> None:
    """Refuse a folder that would not load: an encoder's is read as when it loads, but for the values of its weights.

    Raises:
        UnsafeModelError: it holds code or pickles, lacks files, or contradicts itself.
    """
    if not model.is_whole(folder):
        missing = ", ".join(name for name in model.needed if not (folder / name).exists())
        raise UnsafeModelError(f"{model.repository} has no {missing}", help="only a whole model can be loaded")
    if model.needed == NEEDED_FILES:
        open_checkpoint(folder)
    else:
        check_files(folder)


def _identity(snapshot: Path) -> tuple[str, str]:
    # An owner's name has no two dashes, the hub says.
    owner, _, name = snapshot.parents[1].name.removeprefix("models--").partition("--")
    return f"{owner}/{name}", snapshot.name


def _is_called(model: HubModel, name: str) -> bool:
    return name.lower() in (model.name.lower(), model.name.lower().partition("@")[0])
