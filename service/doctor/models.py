"""Models: the encoder that was asked for, and those of the hub that are here."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from eval.machine import this_machine
from lfm2_colbert import load_encoder
from lfm2_colbert.encoders.loading import HUB_MODELS, resolve
from lfm2_colbert.errors import MissingExtraError, NotFoundError
from lfm2_colbert.hub import HubModel, cache_folder
from lfm2_colbert.pulling.names import carried
from lfm2_colbert.pulling.placing import Place
from service.doctor.finding import Asked, Finding, fine, warning

SAMPLE = "Ein kurzer Absatz in mehreren Sprachen. 日本の首都は東京です。 عاصمة فرنسا هي باريس. " * 4
BFLOAT16 = frozenset({"amx_bf16", "avx512_bf16"})
"""What OpenVINO is faster by, as flags of processors."""
N_SAMPLES = 32


def encoder(asked: Asked) -> Iterator[Finding]:
    """The encoder loads; say how fast it is here."""
    started = time.perf_counter()
    tried = load_encoder(asked.model, device=asked.settings.device, threads=asked.settings.threads)
    loaded = time.perf_counter()
    tried.encode_documents([SAMPLE])
    warm = time.perf_counter()
    tried.encode_documents([SAMPLE] * N_SAMPLES)
    rate = N_SAMPLES / (time.perf_counter() - warm)
    tokens = len(tried.token_spans([SAMPLE])[0])
    yield fine(
        "encoder",
        f"{tried.name}, {tried.dim} dimensions, loads in {loaded - started:.1f} s, "
        f"{rate:,.0f} passages/s of {tokens} tokens here{_faster_way(asked)}",
    )


def _faster_way(asked: Asked) -> str:
    """Name OpenVINO where it is faster on this processor, and the encoder is one that it can run."""
    exported, flags = resolve(asked.model, offline=True).kind == "onnx", frozenset(this_machine().flags)
    if not exported or asked.settings.device not in ("auto", "cpu"):
        return ""
    if BFLOAT16 & flags:
        return "; this processor multiplies in bfloat16, so --device openvino encodes faster"
    return ""


def hub(asked: Asked) -> Iterator[Finding]:
    """Say which models of the hub are here; a download that was broken off is one to go on with."""
    try:
        cache = cache_folder()
    except MissingExtraError as missing:
        yield fine("hub", f"models of the hub cannot be used: {missing.message}. {missing.help}")
        return
    models = _carried(cache)
    whole = [model.name for model in models if model.is_whole(cache / model.place) and "/" not in model.name]
    for model in {model.name: model for model in (*HUB_MODELS.values(), *models)}.values():
        yield from _unfinished(cache, model)
    others = ", ".join(name for name in HUB_MODELS if name not in whole)
    missing_ones = f"; not here: {others} (lfm2-colbert pull NAME)" if others else ""
    yield fine("hub", f"{cache}{_free(cache)}; here: {', '.join(whole) or 'none'}{missing_ones}")


def _carried(cache: Path) -> list[HubModel]:
    try:
        return carried(cache)
    except NotFoundError:
        return []


def _unfinished(cache: Path, model: HubModel) -> Iterator[Finding]:
    if Place(cache, model).unfinished.is_dir():
        yield warning(
            "hub",
            "download_unfinished",
            f"the download of {model.name} was broken off",
            f"lfm2-colbert pull {model.name} goes on with it",
        )


def _free(cache: Path) -> str:
    there = next((each for each in (cache, *cache.absolute().parents) if each.is_dir()), None)
    return f", {shutil.disk_usage(there).free / 1e9:,.1f} GB free" if there else ""
