"""From what an operator names to a language model in memory."""

from pathlib import Path
from typing import cast

from lfm2_colbert.errors import ModelUnavailableError
from lfm2_colbert.generators import WRITERS
from lfm2_colbert.generators.base import Writer
from lfm2_colbert.generators.models import LFM2, MODELS, LanguageModel, known, on_hub
from lfm2_colbert.hub import local_folder
from lfm2_colbert.registry import lookup

LOCAL = "local:"


def model_of(name: str, called: str = "") -> LanguageModel:
    """Say how a model is asked, before it is loaded.

    Args:
        name: a known name, with a commit or without; or ``local:`` and a folder.
        called: the known name of what the folder holds; "": the folder's own, if that is one, else any LFM2.

    Raises:
        UnknownNameError: there is none of this name.
    """
    if not name.startswith(LOCAL):
        return known(name)
    folder = Path(name.removeprefix(LOCAL)).name.lower()
    return known(called) if called else MODELS.get(folder, LanguageModel("", LFM2))


def load_writer(name: str, called: str = "", *, device: str = "auto", threads: int | None = None) -> Writer:
    """Load a language model.

    Args:
        name: as in `model_of`.
        called: as in `model_of`.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: of a forward pass.

    Raises:
        UnknownNameError: there is none of this name.
        ModelUnavailableError: it is not on this machine and cannot be fetched, or names no commit.
        MissingExtraError: it needs the torch extra.
        UnsafeModelError: the folder holds something this program never loads.
    """
    model = model_of(name, called)
    folder = Path(name.removeprefix(LOCAL)) if name.startswith(LOCAL) else local_folder(on_hub(name))
    if not folder.is_dir():
        raise ModelUnavailableError("there is no such folder of a language model", help="give one: local:FOLDER")
    made = lookup(WRITERS, "transformers", "language model", extra="torch")
    return cast(Writer, made(folder, model.sampling, device=device, threads=threads))
