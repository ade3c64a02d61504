"""What a server tells Prometheus. Names are a contract: the dashboard in `docs/operating/` asks for them."""

from collections.abc import Callable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from index.types import SearchResult

PREFIX = "lfm2_colbert"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
STAGES = ("encode", "search", "explain")


class Metrics:
    """Counters and gauges of one server, in a registry of their own."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.registry = CollectorRegistry()
        of_stage = ("collection", "stage")
        stages = Histogram(
            f"{PREFIX}_search_seconds",
            "Time of a search in each stage.",
            of_stage,
            buckets=SECONDS,
            registry=self.registry,
        )
        requests = Histogram(
            f"{PREFIX}_request_seconds",
            "Time of a request.",
            ("route", "status"),
            buckets=SECONDS,
            registry=self.registry,
        )
        errors = Counter(f"{PREFIX}_errors", "Requests that were refused or failed.", ("code",), registry=self.registry)
        # Looking labels up costs as much as counting.
        self._stages_of: Callable[[str, str], Histogram] = cache(stages.labels)
        self._requests_of: Callable[[str, str], Histogram] = cache(requests.labels)
        self._errors_of: Callable[[str], Counter] = cache(errors.labels)
        self.inflight = Gauge(f"{PREFIX}_inflight", "Requests that are being answered.", registry=self.registry)

        def of_collections(name: str, what: str) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", what, ("collection",), registry=self.registry)

        self._chunks = of_collections("index_chunks", "Searchable passages.")
        self._bytes = of_collections("index_bytes", "Bytes on disk.")
        self._pending = of_collections("pending_documents", "Documents that are stored and not searchable yet.")
        self._recall = of_collections("recall_at_10", "Share of what exact search finds that real queries got.")

    def searched(self, collection: str, result: SearchResult) -> None:
        """Note a search."""
        for stage in STAGES:
            self._stages_of(collection, stage).observe(result.timings_ms.get(stage, 0.0) / 1000)

    def stages(self, collection: str) -> dict[str, float]:
        """Give the mean milliseconds of each stage of the searches of a collection so far; of none, nothing."""
        found: dict[str, float] = {}
        for stage in STAGES:
            label = {"collection": collection, "stage": stage}
            n = self.registry.get_sample_value(f"{PREFIX}_search_seconds_count", label)
            if n:
                found[stage] = (self.registry.get_sample_value(f"{PREFIX}_search_seconds_sum", label) or 0.0) * 1000 / n
        return found

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Note a request."""
        self._requests_of(route, str(status)).observe(seconds)

    def failed(self, code: str) -> None:
        """Note a request that was refused, or failed."""
        self._errors_of(code).inc()

    def holds(self, collection: str, passages: int, n_bytes: int, pending: int, recall: float | None) -> None:
        """Note what a collection holds now."""
        self._chunks.labels(collection).set(passages)
        self._bytes.labels(collection).set(n_bytes)
        self._pending.labels(collection).set(pending)
        if recall is not None:
            self._recall.labels(collection).set(recall)

    def exposed(self) -> bytes:
        """Give everything in Prometheus' text format."""
        return generate_latest(self.registry)
