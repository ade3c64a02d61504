"""Where this program runs: refused with a sentence is better than failing in the middle of something."""

from lfm2_colbert.errors import UnsupportedPlatformError, UnsupportedPythonError

OLDEST_PYTHON = (3, 11)
SYSTEMS = {"linux": "Linux", "darwin": "macOS"}
OTHERS = {"win32": "Windows", "cygwin": "Cygwin"}


def require_supported(python: tuple[int, ...], system: str) -> None:
    """Refuse a Python that is too old, and a system whose locks and renames are not those that storage builds on.

    Args:
        python: its version, as 3, 11, 7.
        system: as in `sys.platform`.

    Raises:
        UnsupportedPythonError: it is older than 3.11.
        UnsupportedPlatformError: it is neither Linux nor macOS.
    """
    if python < OLDEST_PYTHON:
        raise UnsupportedPythonError(
            f"lfm2-colbert needs Python 3.11 or newer, this is {'.'.join(map(str, python))}",
            help="install it with a newer one: uv tool install --python 3.12 WHEEL",
        )
    if system not in SYSTEMS:
        raise UnsupportedPlatformError(
            f"lfm2-colbert runs on Linux and macOS, not on {OTHERS.get(system, system)}",
            help="on Windows, run it in the Windows Subsystem for Linux: wsl --install",
        )
