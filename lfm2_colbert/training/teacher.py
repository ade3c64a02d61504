"""A teacher's contextual token vectors for a student's tokens, where both read pieces of one vocabulary.

Either a BERT over XLM-R's pieces (multilingual-e5; Wang et al., 2024), of which the student's vocabulary is a part, or
another encoder of this project with the student's own vocabulary: a student's token is a teacher's token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lfm2_colbert.backbone import Masks
from lfm2_colbert.model import ColBERTModel
from lfm2_colbert.training.bert import Bert
from lfm2_colbert.training.precision import in_bfloat16

MARKERS = 2
"""Ids at the beginning of a student's text that the teacher does not know: begin token and marker."""


class Teacher(Protocol):
    """Reads texts given as a student's ids."""

    @property
    def size(self) -> int:
        """Width of a state."""

    @property
    def device(self) -> torch.device:
        """Where its states lie."""

    @property
    def is_space(self) -> bool:
        """Whether states are compared as they are, so that they are targets themselves."""

    def states(self, texts: NDArray[np.uint16], role: int) -> Tensor:
        """Give the states of texts of one length, ``(B, n)`` → ``(B, n - 2, size)`` float32, without the markers."""

    def words(self) -> NDArray[np.float32]:
        """Give a vector for each piece of the student by itself, ``(vocab_size, size)``."""


class EncoderTeacher:
    """An encoder of this project; texts go in as the student's ids, markers and all."""

    is_space = True

    def __init__(self, model: ColBERTModel, device: torch.device) -> None:
        self._model, self.device = model.to(device), device
        self.size = model.projection.out_features

    @torch.inference_mode()
    def states(self, texts: NDArray[np.uint16], role: int) -> Tensor:
        """Give its vectors."""
        ids = torch.from_numpy(texts.astype(np.int64)).to(self.device)
        everywhere = torch.ones_like(ids, dtype=torch.bool)
        vectors: Tensor = self._model(ids, Masks(everywhere, everywhere))
        return vectors[:, MARKERS:]

    def words(self) -> NDArray[np.float32]:
        """Give its embedding table."""
        table: NDArray[np.float32] = self._model.backbone.embed_tokens.weight.float().cpu().numpy()
        return table


@dataclass(frozen=True, slots=True)
class Pieces:
    """How a student's pieces are a BERT's.

    Attributes:
        ids: ``(vocab_size,)``, the BERT's id of each of the student's.
        begin: its id at the beginning of a text.
        end: its id at the end.
        prefixes: ids put before the text, by role.
    """

    ids: NDArray[np.int64]
    begin: int
    end: int
    prefixes: tuple[tuple[int, ...], ...]


class BertTeacher:
    """A BERT over XLM-R's pieces."""

    is_space = False

    def __init__(self, bert: Bert, pieces: Pieces, device: torch.device) -> None:
        self._bert, self._pieces, self.device = bert, pieces, device
        self.size = bert.size

    def states(self, texts: NDArray[np.uint16], role: int) -> Tensor:
        """Give the last hidden states of the texts' tokens."""
        before = [self._pieces.begin, *self._pieces.prefixes[role]]
        own = self._pieces.ids[texts[:, MARKERS:].astype(np.int64)]
        around = [np.tile(np.array(ids, np.int64), (len(own), 1)) for ids in (before, [self._pieces.end])]
        ids = torch.from_numpy(np.concatenate([around[0], own, around[1]], axis=1)).to(self.device)
        with in_bfloat16(self.device):
            return self._bert(ids)[:, len(before) : -1].float()

    def words(self) -> NDArray[np.float32]:
        """Give its rows for the student's pieces."""
        ids = torch.from_numpy(self._pieces.ids).to(self.device)
        rows: NDArray[np.float32] = self._bert.words(ids).float().cpu().numpy()
        return rows


def texts_of(ids: NDArray[np.uint16], starts: Sequence[int] | NDArray[np.int64], length: int) -> NDArray[np.uint16]:
    """Gather texts of one length, ``(B, length)``, from ids that lie one after the other."""
    return ids[np.asarray(starts)[:, None] + np.arange(length)]
