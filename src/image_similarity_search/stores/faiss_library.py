"""FAISS as this package uses it: imported late, few threads for little work, none that spins."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.types import Metric

# a scan of fewer values than this takes milliseconds; on a busy machine waking and awaiting
# other threads was measured to take longer
_ONE_THREAD_VALUES = 2**25
_ONE_THREAD_BITS = 2**26  # the same of a scan of bits

_WAITING = "OMP_WAIT_POLICY"  # of threads for each other: OpenMP reads it once, when it is loaded


def faiss_library() -> Any:
    """The module ``faiss``, imported when first asked for.

    Untyped: its stubs, where it has any, don't know what it adds to its C++ classes.

    Raises:
        StoreUnavailableError: it can't be imported.
    """
    try:
        if "faiss" in sys.modules:
            return import_module("faiss")  # another thread may have begun to import it
        with _threads_that_sleep():
            return import_module("faiss")
    except ImportError as error:
        raise StoreUnavailableError(
            f"FAISS can't be imported ({error}): pip install faiss-cpu"
        ) from error


@contextmanager
def _threads_that_sleep() -> Iterator[None]:
    """Have threads that wait sleep, unless the environment says otherwise.

    Usually they spin, for milliseconds: those that share a processor keep each other from working.
    """
    said = _WAITING in os.environ or "GOMP_SPINCOUNT" in os.environ
    if not said:
        os.environ[_WAITING] = "passive"
    try:
        yield
    finally:
        if not said:
            os.environ.pop(_WAITING, None)  # another thread may have been as quick


def faiss_metric(metric: Metric) -> int:
    """FAISS's number for ``metric`` on comparable vectors."""
    faiss = faiss_library()
    codes: dict[Metric, int] = {
        "cosine": faiss.METRIC_INNER_PRODUCT,  # of unit vectors
        "ip": faiss.METRIC_INNER_PRODUCT,
        "l2": faiss.METRIC_L2,
        "l1": faiss.METRIC_L1,
    }
    return codes[metric]


@contextmanager
def fitting_threads(queries: int, values: int, *, in_lists: bool = False) -> Iterator[None]:
    """Let FAISS scan ``values`` values for some queries with one thread, or as it likes.

    It shares out queries, not the vectors of one: more threads than queries are of no use. Only
    ``in_lists`` of bits it shares out these.
    """
    faiss = faiss_library()
    before = faiss.omp_get_max_threads()
    few = _ONE_THREAD_BITS if in_lists else _ONE_THREAD_VALUES
    if values < few or (queries == 1 and not in_lists):
        faiss.omp_set_num_threads(1)  # OpenMP keeps this setting per calling thread
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
