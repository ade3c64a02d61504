"""What the documents say of the server is what it does."""

import re
from collections.abc import Mapping

from benchmarks.results_file import ROOT
from benchmarks.serving.matrix import ROUTES
from benchmarks.serving.server import Asking
from index.queries import MAX_QUERY_CHARACTERS
from index.request import MAX_HITS
from service.http.config import MEBIBYTE, Limits
from service.http.documents import MAX_ID_BYTES, MAX_METADATA_DEPTH, MAX_METADATA_KEYS
from service.http.problems import STATUS
from service.http.strict_json import MAX_DEPTH, MAX_NODES

REFERENCE = (ROOT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "guides" / "serving.md").read_text(encoding="utf-8")
DIALECTS = (
    "/ui/",
    "/v1/rerank",
    "/v2/rerank",
    "/v1/vector_stores",
    "/v1/models",
    "/v1/chat/",
    "/integrations/",
    "/mcp",
)


def bounds() -> Mapping[str, str]:
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", REFERENCE.partition("## Bounds")[2], re.MULTILINE))


def test_every_route_is_in_the_reference_with_its_role() -> None:
    rows = re.findall(r"^\| (`(?:GET|POST|DELETE).*?) \| (\w+) \|", REFERENCE, re.MULTILINE)
    written = {(*place.split(" ", 1),): role for routes, role in rows for place in re.findall(r"`([^`]+)`", routes)}
    own = {key: role for key, role in ROUTES.items() if key[1] != "/" and not key[1].startswith(DIALECTS)}
    assert written == {(m, path.replace(":path", "")): str(role).lower() for (m, path), role in own.items()}


def test_bounds_are_those_that_hold() -> None:
    found, limits = bounds(), Limits()
    assert found["address"] == f"{limits.url_bytes // 1024} KiB"
    assert found["headers"] == f"{limits.header_bytes // 1024} KiB"
    assert found["head"] == f"{limits.head_seconds:.0f} s"
    assert found["pause within a body, or of a client that does not read"] == f"{limits.pause_seconds:.0f} s"
    body = f"{limits.body_bytes // MEBIBYTE} MiB, {limits.body_seconds:.0f} s, depth {MAX_DEPTH}, {MAX_NODES:,} values"
    assert found["body of JSON"] == body
    assert found["stream of lines"].startswith(f"{limits.stream_bytes // MEBIBYTE // 1024} GiB")
    assert found["text of a document"] == f"{limits.document_bytes // MEBIBYTE} MiB"
    assert found["metadata of a document"].startswith(f"{MAX_METADATA_KEYS} fields, {MAX_METADATA_DEPTH} levels")
    assert found["id"] == f"{MAX_ID_BYTES} bytes"
    assert found["query"] == f"{MAX_QUERY_CHARACTERS:,} characters"
    assert found["`k`"].startswith(f"{MAX_HITS:,};")
    assert found["searches carried out at once"].endswith(f"{limits.waiting} more wait")
    assert found["a request"] == f"{limits.deadline_seconds:.0f} s"


def test_codes_stand_beside_the_status_they_have() -> None:
    table = REFERENCE.partition("## Refusals")[2].partition("## Bounds")[0]
    rows = re.findall(r"^\| ([\d, ]+) \| (.+) \|$", table, re.MULTILINE)
    written = {code: status for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert STATUS.keys() - written.keys() == {"document_too_large", "duplicate_id"}  # these are said of an item
    for code in STATUS.keys() & written.keys():
        assert written[code] == str(STATUS[code]), code


def test_every_metric_in_the_guide_is_exposed(ask: Asking) -> None:
    ask("GET", "/nothing")
    exposed = ask("GET", "/metrics").body.decode()
    named = set(re.findall(r"`(lfm2_colbert_\w+)`", GUIDE))
    assert len(named) == 8
    assert {name for name in named if f"# TYPE {name} " not in exposed} == set()
