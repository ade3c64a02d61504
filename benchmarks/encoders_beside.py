"""Encoders of other shapes beside ours, by torch in fp32: how long a forward pass takes, whatever the weights are.

Drawn weights in the shapes of multilingual-e5-small (Wang et al., 2024; its tokenizer's 250,037 rows) and of
ModernBERT-base (Warner et al., 2024), by transformers. They are given ids: their tokenizers' work is not counted, and
ours is.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.encoder_timing import TIMED_CALLS, cpu_seconds, peak_rss_mb, warm_up

N_TEXTS, SEED = 16, 0


def multilingual_e5_small() -> Any:
    """Draw a BERT of twelve layers of width 384."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=250_037, hidden_size=384, num_hidden_layers=12, num_attention_heads=12, intermediate_size=1536
    )
    return BertModel(config, add_pooling_layer=False)


def modernbert_base() -> Any:
    """Draw a ModernBERT in the shape that its configuration has by default."""
    from transformers import ModernBertConfig, ModernBertModel

    return ModernBertModel(ModernBertConfig())


SHAPES: Mapping[str, Callable[[], Any]] = {
    "multilingual-e5-small, drawn": multilingual_e5_small,
    "ModernBERT-base, drawn": modernbert_base,
}


def time_beside(name: str, kind: str, n_tokens: int, threads: int) -> dict[str, Any]:
    """Time a shape on texts of so many tokens: a row of results."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    model = SHAPES[name]().eval()
    ids = torch.from_numpy(np.random.default_rng(SEED).integers(5, 30_000, (N_TEXTS, n_tokens)))

    def encode(rows: Any) -> Any:
        with torch.inference_mode():
            return model(input_ids=rows, attention_mask=torch.ones_like(rows)).last_hidden_state

    warm_up(encode, ids)
    single = [cpu_seconds(encode, ids[i % N_TEXTS :][:1]) for i in range(TIMED_CALLS[kind])]
    many = [cpu_seconds(encode, ids) for _ in range(3)]
    return {
        "encoder": name,
        "backend": "torch",
        "precision": "fp32",
        "kind": kind,
        "tokens": n_tokens,
        "threads": threads,
        "cpu_ms_p50": round(1000 * float(np.median(single)), 2),
        "texts_per_cpu_s": round(N_TEXTS / float(np.median(many)), 1),
        "peak_rss_mb": round(peak_rss_mb()),
    }
