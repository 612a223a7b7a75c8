"""A connection to a Ray cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, TypeAlias

from image_similarity_search.collection.cluster.messages import Task
from image_similarity_search.collection.cluster.passing import Pass
from image_similarity_search.errors import ClusterUnavailableError

Answers: TypeAlias = Callable[[list[bytes]], Iterator[bytes]]
"""What has jobs answered."""

_ATTEMPTS = 3  # a client server that is busy gives up the process that it starts for a caller
_HALF = 0.5
_HEAD, _LITTLE = "node:__internal_head__", 0.001  # what Ray calls its first node, and some of it


class Cluster:
    """What files are encoded on.

    Attributes:
        address: where it is, as it was given.
        actors: how many encode at once: one for each GPU, or else for each processor.
        share: what Ray is told that each takes.
        processes: that decode, for each actor.
        device: where the encoder runs.
    """

    def __init__(self, address: str, ray: Any) -> None:
        self.address = address
        self._ray = ray
        resources = ray.cluster_resources()
        processors, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
        if not processors:
            raise ClusterUnavailableError(address, "no node of it has a free processor")
        self.actors = gpus or max(1, processors)
        self.processes = max(1, processors // self.actors)
        self.device = "auto" if gpus else "cpu"
        # half of what it takes: what is left finds room for the actors of a node that was lost
        self.share: dict[str, float] = {"num_cpus": _HALF}
        if gpus:
            self.share["num_gpus"] = 1

    @contextmanager
    def passing(self, task: Task) -> Iterator[Answers]:
        """What has jobs answered, as ``messages`` has both, to the end of the block.

        Raises:
            ClusterUnavailableError: (when it is used) the cluster fails.
        """
        # where the cluster is kept, too: without that there is none
        options = {"num_cpus": 0, "resources": {_HEAD: _LITTLE}}
        remote = self._ray.remote(**options)(Pass)
        driver = remote.remote(task, self.actors, self.share)

        def answers(jobs: list[bytes]) -> Iterator[bytes]:
            self._ray.get(driver.begin.remote(jobs))
            coming = driver.more.remote()
            while found := self._ray.get(coming):
                if isinstance(found, str):
                    raise ClusterUnavailableError(self.address, found)
                coming = driver.more.remote()  # while these are kept
                yield from found

        try:
            yield lambda jobs: self._translated(answers(jobs))
        finally:
            with suppress(Exception):
                self._ray.kill(driver)

    def _translated(self, answers: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from answers
        except ClusterUnavailableError:
            raise
        except Exception as error:  # of Ray, which has many
            raise ClusterUnavailableError(
                self.address, f"no answer ({type(error).__name__})"
            ) from error


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Connect to a cluster, to the end of the block; ``ray`` starts one here where there is none.

    Raises:
        ClusterUnavailableError: Ray is not installed, or the cluster can't be reached.
    """
    try:
        ray = import_module("ray")
    except ImportError as error:
        raise ClusterUnavailableError(
            address, "Ray is not installed: pip install 'image-similarity-search[ray]'"
        ) from error
    if ray.is_initialized():  # by the program that uses this package, which ends it, too
        yield Cluster(address, ray)
        return
    _connect(address, ray)
    try:
        yield Cluster(address, ray)
    finally:
        ray.shutdown()


def _connect(address: str, ray: Any) -> None:
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            ray.init(
                address=None if address == "ray" else address,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        except Exception as error:  # of many kinds, by what is wrong with the connection
            if not attempts_left or not isinstance(error, ConnectionAbortedError):
                raise ClusterUnavailableError(
                    address, f"it can't be reached ({type(error).__name__})"
                ) from error
        else:
            return
