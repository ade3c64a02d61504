"""LFM2 by transformers: its own code for the architecture, weights as safetensors, nothing that a folder would run."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, Lfm2ForCausalLM

from lfm2_colbert.checkpoint import backbone_config, check_files, read_json
from lfm2_colbert.errors import GenerationFailedError, UnsafeModelError
from lfm2_colbert.generators.chat import END_OF_TURN, Message, conversation_ids
from lfm2_colbert.generators.models import Sampling
from lfm2_colbert.tokenization import read_tokenizer

LOADING_ERRORS = (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)
"""What the library raises of folders that are no model, in place of an error of its own."""
CONTEXT_TOKENS = 32_768
PAD = 0
CUT = "\ufffd"
"""At the end of words of which a token holds but a part."""


class TransformersWriter:
    """A model in memory. See `Writer`."""

    def __init__(self, folder: Path, sampling: Sampling, *, device: str = "auto", threads: int | None = None) -> None:
        """Load a model.

        Args:
            folder: its files.
            sampling: how words are chosen.
            device: ``auto``, ``cpu`` or ``cuda``.
            threads: of a forward pass, for the whole process; None leaves them.

        Raises:
            UnsafeModelError: the folder holds code or pickles, or no LFM2.
        """
        check_files(folder)
        backbone_config(read_json(folder / "config.json"), folder.name)
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        self._tokenizer.encode_special_tokens = True
        self._sampling, self._lock = sampling, threading.Lock()
        if threads is not None:
            torch.set_num_threads(threads)
        use_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        self._device = "cuda" if use_cuda else "cpu"
        try:
            # What the folder says about generation is not read: sampling is stated here.
            model: Any = Lfm2ForCausalLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.bfloat16 if use_cuda else torch.float32
            )
        except LOADING_ERRORS as error:
            raise UnsafeModelError(f"{folder.name} is no LFM2 that can be loaded", help="fetch it again") from error
        self._model = model.to(self._device).eval()

    def write(
        self,
        messages: Sequence[Message],
        on_words: Callable[[str], None],
        *,
        stopped: Callable[[], bool],
        most_tokens: int,
        seed: int,
    ) -> None:
        """Write what the assistant says next."""
        ids = conversation_ids(messages, self._tokenizer)
        if len(ids) + most_tokens > CONTEXT_TOKENS:
            raise GenerationFailedError(
                f"the conversation has {len(ids):,} tokens, more than the model reads", help="lower --context-tokens"
            )
        words = _Words(self._decoded, on_words)
        asked = torch.tensor([ids], device=self._device)
        try:
            with self._lock, torch.inference_mode(), torch.random.fork_rng():
                torch.manual_seed(seed)
                self._model.generate(
                    asked,
                    attention_mask=torch.ones_like(asked),
                    generation_config=self._configured(most_tokens),
                    streamer=words,
                    stopping_criteria=[
                        lambda ids, scores, **more: torch.full((len(ids),), stopped(), device=ids.device)
                    ],
                )
        except RuntimeError as error:  # memory, in most cases
            raise GenerationFailedError("the language model failed", help="the log may say why") from error
        words.finish()

    def _configured(self, most_tokens: int) -> Any:
        chosen = self._sampling
        config: dict[str, Any] = {"do_sample": chosen.temperature > 0, "repetition_penalty": chosen.repetition}
        if chosen.temperature > 0:
            config |= {"temperature": chosen.temperature, "top_p": chosen.top_p, "top_k": chosen.top_k}
            config |= {"min_p": chosen.min_p} if chosen.min_p else {}
        return GenerationConfig(max_new_tokens=most_tokens, eos_token_id=END_OF_TURN, pad_token_id=PAD, **config)

    def _decoded(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)


class _Words:
    """Gives words on as soon as their tokens make whole characters; what `generate` calls a streamer."""

    def __init__(self, decode: Callable[[Sequence[int]], str], on_words: Callable[[str], None]) -> None:
        self._decode, self._on_words = decode, on_words
        self._ids: list[int] = []
        self._given = ""
        self._prompt = True

    def put(self, value: Any) -> None:
        """Take what was generated; first comes the prompt."""
        if self._prompt:
            self._prompt = False
            return
        self._ids += value.flatten().tolist()
        text = self._decode(self._ids)
        if not text.endswith(CUT):
            self._give(text)

    def end(self) -> None:
        """Take the end; `finish` is called where nothing went wrong."""

    def finish(self) -> None:
        """Give what is left."""
        self._give(self._decode(self._ids))

    def _give(self, text: str) -> None:
        new = text[len(self._given) :]
        if new:
            self._given = text
            self._on_words(new)
