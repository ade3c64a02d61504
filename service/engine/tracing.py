"""Spans for OpenTelemetry, by its API alone: without an SDK in the process they cost next to nothing and go nowhere.

Names and attributes are those of the GenAI conventions where there are any. What was asked and found is never in them,
but for ids and scores.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span

from index.types import SearchResult

TRACER = trace.get_tracer("lfm2_colbert")


@contextmanager
def retrieval(collection: str) -> Iterator[Span]:
    """Open a span for a search."""
    attributes = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": collection}
    with TRACER.start_as_current_span("retrieval", attributes=attributes) as span:
        yield span


def note_result(span: Span, result: SearchResult) -> None:
    """Say in a span what was found, and how long each stage took."""
    if not span.is_recording():
        return
    found = [{"id": hit.document_id, "score": hit.score} for hit in result.hits]
    span.set_attribute("gen_ai.retrieval.documents", json.dumps(found))
    for stage, ms in result.timings_ms.items():
        span.set_attribute(f"lfm2_colbert.stage.{stage}_ms", ms)
