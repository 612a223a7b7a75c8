"""Measurements of the service, for Prometheus."""

from __future__ import annotations

import logging
import os
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import product
from typing import get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import Scope

from image_similarity_search.service.schemas import Job, JobKind, JobState

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}  # a client may invent more

_KINDS = ("counter", "histogram", "gauge_mostrecent", "gauge_livesum")
_BYTES = 1 << 18  # of each: more than all routes, methods and statuses take
_BYTES_OF_COLLECTION = 1 << 12  # the same, of each collection

_log = logging.getLogger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """What is counted, here and in the other processes of a service.

    They count in files of the folder ``shared``, each in its own. Where that is full or cleaned
    away, each goes on by itself.
    """

    def __init__(self, collections: Sequence[str], shared: str | None = None) -> None:
        """``collections`` are their names."""
        self._registry = CollectorRegistry()
        self._shared = shared
        if shared and not _has_room(shared, _BYTES + len(collections) * _BYTES_OF_COLLECTION):
            self._shared = None
            values.ValueClass = values.MutexValue
        self._requests = Counter(
            "iss_http_requests",
            "Number of requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "iss_http_request_seconds",
            "Seconds from the request's headers to the end of the response.",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._images = Gauge(
            "iss_images",
            "Number of indexed images.",
            ["collection"],
            registry=self._registry,
            multiprocess_mode="mostrecent",
        )
        self._available = Gauge(
            "iss_collection_available",
            "Whether the collection can be used: 1 or 0.",
            ["collection"],
            registry=self._registry,
            multiprocess_mode="mostrecent",
        )
        self._jobs = Gauge(
            "iss_jobs",
            "Number of recent jobs by state.",
            ["collection", "kind", "state"],
            registry=self._registry,
            multiprocess_mode="mostrecent",
        )
        self._synced = Gauge(
            "iss_synced_timestamp_seconds",
            "Time the last successful sync ended (Unix time); 0 if there was none.",
            ["collection"],
            registry=self._registry,
            multiprocess_mode="mostrecent",
        )
        self._waiting = Gauge(
            "iss_requests_at_work",
            "Number of requests in progress or waiting.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )

        # what they count in is opened now: the folder may be cleaned away later
        self._requests.labels("GET", "/metrics", "200")
        self._seconds.labels("/metrics")
        self._names = list(collections)
        self.collections({})
        self.jobs([])

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """A request is answered."""
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _METHODS and route != "other" else "other"
        self._requests.labels(method, route, str(status)).inc()
        if not route.endswith("/events"):  # these take as long as what they tell of
            self._seconds.labels(route).observe(seconds)

    def collections(self, counts: Mapping[str, int]) -> None:
        """Those that can be used have so many images."""
        for name in self._names:
            self._images.labels(name).set(counts.get(name, 0))
            self._available.labels(name).set(name in counts)

    def jobs(self, jobs: Sequence[Job]) -> None:
        """The last jobs are these, the newest first."""
        found = Tally((job.collection, job.kind, job.state) for job in jobs)
        for place in product(self._names, get_args(JobKind), get_args(JobState)):
            self._jobs.labels(*place).set(found[place])
        for name in self._names:
            ended = [job.finished for job in jobs if _is_synced(job, name) and job.finished]
            self._synced.labels(name).set(max(ended).timestamp() if ended else 0)

    def waiting(self, count: int) -> None:
        """So many requests are at work."""
        self._waiting.set(count)

    def text(self) -> bytes:
        """All measurements, as Prometheus reads them."""
        registry = self._registry
        if self._shared and os.path.exists(_files(self._shared)[0]):
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=self._shared)  # type: ignore[no-untyped-call]  # theirs
        return generate_latest(registry)


def _is_synced(job: Job, collection: str) -> bool:
    return (job.collection, job.kind, job.state) == (collection, "sync", "done")


def _files(folder: str) -> list[str]:
    """Those of prometheus_client that this process counts in."""
    return [os.path.join(folder, f"{kind}_{os.getpid()}.db") for kind in _KINDS]


def _has_room(folder: str, size: int) -> bool:
    """Take the room that this process counts in.

    It is mapped into memory: the system ends who writes there when the drive has no room for it.
    """
    made = []
    try:
        for path in _files(folder):
            with open(path, "xb") as file:
                made.append(path)
                file.write(bytes(size))
    except OSError as error:
        _log.warning("the metrics of this process are not shared with the others: %s", error)
        for path in made:
            with suppress(OSError):
                os.remove(path)
        return False
    return True
