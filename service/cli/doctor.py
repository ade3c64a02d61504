"""`lfm2-colbert doctor`: is this machine fit, and how fast is it?"""

import os
import platform
import shutil
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from lfm2_colbert.processors import usable_processors
from service.cli import options
from service.cli.output import megabytes, print_json, print_table
from service.settings import Settings

LIBRARIES = ("numpy", "onnxruntime", "tokenizers", "faiss-cpu", "apsw", "torch")
SAMPLE = "Ein kurzer Absatz in mehreren Sprachen. 日本の首都は東京です。 عاصمة فرنسا هي باريس. " * 4


@click.command()
@click.option("--model", default="nano", show_default=True, metavar="NAME", help="The encoder to try.")
@options.common
def doctor(model: str, settings: Settings) -> None:
    """Check libraries, disk and encoder, and measure the encoder's rate on this machine."""
    checks: dict[str, Any] = {
        "python": platform.python_version(),
        "processors": usable_processors(),
        "libraries": _libraries(),
        "kernels": _kernels(),
        "sqlite": _sqlite(),
        "home": _home(settings),
        "encoder": _encoder(model, settings),
    }
    if settings.as_json:
        print_json(checks)
        return
    print_table([(name, _sentence(value)) for name, value in checks.items()])


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _kernels() -> str:
    from index.native import kernels

    variant = kernels().variant
    return variant if variant != "numpy" else "numpy: no compiler was there at installation, search is slower"


def _sqlite() -> str:
    import apsw

    from index.database import check_sqlite_version

    check_sqlite_version(apsw.sqlite_lib_version())
    return apsw.sqlite_lib_version()


def _home(settings: Settings) -> dict[str, str]:
    from index.home import home_folder

    home = home_folder(settings.home)
    existing = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    writable = "writable" if os.access(existing, os.W_OK) else "NOT writable"
    return {"path": str(home), "access": writable, "free": megabytes(shutil.disk_usage(existing).free)}


def _encoder(model: str, settings: Settings) -> dict[str, str]:
    from lfm2_colbert import load_encoder

    started = time.perf_counter()
    encoder = load_encoder(model, device=settings.device, threads=settings.threads)
    loaded = time.perf_counter()
    encoder.encode_documents([SAMPLE])
    warm = time.perf_counter()
    encoder.encode_documents([SAMPLE] * 32)
    rate = 32 / (time.perf_counter() - warm)
    tokens = len(encoder.token_spans([SAMPLE])[0])
    return {
        "name": encoder.name,
        "dimensions": str(encoder.dim),
        "loading": f"{loaded - started:.2f} s",
        "rate": f"{rate:,.0f} passages/s of {tokens} tokens",
    }


def _sentence(value: Any) -> str:
    return " · ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
