"""The environment: variables that nothing reads, or that say what cannot be."""

from collections.abc import Iterator, Mapping

from lfm2_colbert.errors import Lfm2ColbertError, suggestion
from service.doctor.finding import Asked, Finding, error, fine, warning
from service.settings import VARIABLES, default_device, default_threads, variables

READERS = (default_device, default_threads)


def environment(asked: Asked) -> Iterator[Finding]:
    """All variables that begin as ours do are ours, and say what can be."""
    found = variables()
    problems = [*unknown(found), *_wrong()]
    yield from problems
    if not problems:
        # Values may be keys: only names are shown.
        yield fine("environment", ", ".join(sorted(found)) or "none of the variables is set")


def unknown(found: Mapping[str, str]) -> Iterator[Finding]:
    """Find variables that nothing reads, as LFM2_COLBERT_HOM."""
    for name in sorted(found.keys() - VARIABLES):
        yield warning(
            "environment", "unknown_variable", f"{name} is set, and nothing reads it", suggestion(name, VARIABLES)
        )


def _wrong() -> Iterator[Finding]:
    for read in READERS:
        try:
            read()
        except Lfm2ColbertError as refused:
            yield error("environment", refused.code, refused.message, refused.help)
