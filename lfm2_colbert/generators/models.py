"""The language models that are known by name: where they are, how they are asked, how they choose their words.

No revision is pinned here yet: whoever names a model names its commit, so that nothing changes by itself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from lfm2_colbert.errors import ModelUnavailableError, UnknownNameError
from lfm2_colbert.hub import HubModel
from lfm2_colbert.licences import LFM_OPEN

FILES = ("*.safetensors", "model.safetensors.index.json", "config.json", "tokenizer.json")
NEEDED = ("config.json", "tokenizer.json")
NAMED = re.compile(r"(?P<name>[\w.-]+?)(?:@(?P<revision>[0-9a-f]{40}))?")


class Prompt(StrEnum):
    """How passages are put before a model."""

    FENCED = "fenced"
    """In the question, between fences, as for any model."""
    DOCUMENTS = "documents"
    """As LFM2-1.2B-RAG was trained: in the system's message, in numbered tags."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next word is chosen. A temperature of 0 takes the likeliest; what is 0 or 1 does nothing.

    Attributes:
        temperature: divides the logits.
        min_p: words below this share of the likeliest are out.
        top_k: so many words are in; 0: all.
        top_p: words beyond this mass are out.
        repetition: penalty of what stands there already.
    """

    temperature: float
    min_p: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    repetition: float = 1.0


LFM2 = Sampling(0.3, min_p=0.15, repetition=1.05)
LFM25 = Sampling(0.1, top_k=50, top_p=0.1, repetition=1.05)
GREEDY = Sampling(0.0)


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A model by name.

    Attributes:
        repository: on the hub.
        sampling: as its makers recommend.
        prompt: how passages are put before it.
    """

    repository: str
    sampling: Sampling
    prompt: Prompt = Prompt.FENCED


MODELS: Mapping[str, LanguageModel] = {
    "lfm2-1.2b-rag": LanguageModel("LiquidAI/LFM2-1.2B-RAG", GREEDY, Prompt.DOCUMENTS),
    "lfm2.5-1.2b-instruct": LanguageModel("LiquidAI/LFM2.5-1.2B-Instruct", LFM25),
    "lfm2-350m": LanguageModel("LiquidAI/LFM2-350M", LFM2),
    "lfm2-700m": LanguageModel("LiquidAI/LFM2-700M", LFM2),
    "lfm2-2.6b": LanguageModel("LiquidAI/LFM2-2.6B", LFM2),
}


FAMILIES = {"lfm2.5": LanguageModel("", LFM25), "lfm2": LanguageModel("", LFM2)}


def served_as(name: str) -> LanguageModel | None:
    """Say how a model that some server calls so is asked; None where it is none of the family.

    Example:
        >>> served_as("LiquidAI/LFM2-1.2B-RAG-GGUF:Q4_K_M").prompt.value, served_as("qwen3")
        ('documents', None)
    """
    called = name.lower()
    return next((model for part, model in {**MODELS, **FAMILIES}.items() if part in called), None)


def known(name: str) -> LanguageModel:
    """Look a model up by name, with or without a commit.

    Raises:
        UnknownNameError: there is none of this name.
    """
    found = NAMED.fullmatch(name.lower())
    if found is None or found["name"] not in MODELS:
        raise UnknownNameError.of("language model", name, MODELS)
    return MODELS[found["name"]]


def on_hub(name: str) -> HubModel:
    """Say which files of which commit a name stands for.

    Raises:
        UnknownNameError: there is none of this name.
        ModelUnavailableError: it names no commit.
    """
    model, found = known(name), NAMED.fullmatch(name.lower())
    if found is None or not found["revision"]:
        raise ModelUnavailableError(
            f"no revision of {model.repository} is pinned here",
            help=f"name the commit you trust, {name}@ and its 40 digits, or give its folder: local:FOLDER",
        )
    return HubModel(model.repository, found["revision"], LFM_OPEN, FILES, NEEDED, name.lower())
