"""Measurements of the service, for Prometheus."""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import Scope

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}  # a client may invent more

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """What is counted; ``shared`` is the folder in which several processes count together."""

    def __init__(self, shared: str | None = None) -> None:
        self._registry = CollectorRegistry()
        self._shared = shared
        own = None if shared else self._registry
        self._requests = Counter(
            "iss_http_requests", "Requests answered.", ["method", "route", "status"], registry=own
        )
        self._seconds = Histogram(
            "iss_http_request_seconds",
            "From the head of a request to the end of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=own,
        )
        self._images = Gauge(
            "iss_images",
            "Images that can be found.",
            ["collection"],
            registry=own,
            multiprocess_mode="mostrecent",
        )
        self._waiting = Gauge(
            "iss_requests_at_work",
            "Requests at work, or waiting for it.",
            registry=own,
            multiprocess_mode="livesum",
        )

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """A request is answered."""
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _METHODS and route != "other" else "other"
        self._requests.labels(method, route, str(status)).inc()
        if not route.endswith("/events"):  # these take as long as what they tell of
            self._seconds.labels(route).observe(seconds)

    def images(self, collection: str, count: int) -> None:
        """A collection has so many images."""
        self._images.labels(collection).set(count)

    def waiting(self, count: int) -> None:
        """So many requests are at work."""
        self._waiting.set(count)

    def text(self) -> bytes:
        """All measurements, as Prometheus reads them."""
        registry = self._registry
        if self._shared:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=self._shared)  # type: ignore[no-untyped-call]  # theirs
        return generate_latest(registry)
