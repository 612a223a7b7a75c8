"""What one node of an engine does: vectors a second, memory, searches, for a kind of index.

    .venv-engine/bin/python benchmarks/run.py --only 'engine-*' --cache /tmp/embeddings

``make test-engine`` makes that environment, which holds the server. It runs with Milvus's own
settings, on loopback, with a collection of one shard.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from bench.registry import Figures
from milvus_server import MilvusServer, milvus_server

from image_similarity_search.stores.engines import Address, Label, open_engine
from image_similarity_search.stores.engines.milvus_store import MilvusStore
from image_similarity_search.types import FloatArray, IdArray

_AT_ONCE = 4096
_CLIENTS = 4
_K = 10
_SETTLED_SECONDS = 12  # after a change searches are strongly consistent for 10
_INDEX_SECONDS = 1500
_CHECKPOINT_SECONDS = 80  # a server that was killed earlier reads all changes anew


def can_be_measured() -> bool:
    """Whether the server and its client are installed."""
    return find_spec("milvus") is not None and find_spec("pymilvus") is not None


def measured(rows: FloatArray, queries: FloatArray, kind: str, scratch: Path) -> Figures:
    """Put unit vectors ``(n, dim)`` into a server of its own, and search for ``queries``.

    The server is restarted when its index is built: what it has more in memory when that is
    loaded, and was searched, is what it takes to search, and not what building took.
    """
    with (
        milvus_server(scratch / f"engine-{kind}", eager=False) as server,
        closing(open_engine(Address.parse(server.url()))) as engine,
    ):
        store = engine.begun(Label("0" * 32, "measured", rows.shape[1], "cosine", kind))
        assert isinstance(store, MilvusStore)
        insert_s = _seconds(lambda: _inserted(store, rows))
        built_s = _seconds(lambda: _built(server, store.collection, len(rows)))
        building = server.memory_mib()
        time.sleep(_CHECKPOINT_SECONDS)
        server.kill()
        server.start()
        empty = server.memory_mib()
        load_s = _seconds(lambda: _loaded(server, store, queries[0], len(rows)))
        time.sleep(_SETTLED_SECONDS)
        figures = _searches(store, rows, queries)
        memory = server.memory_mib()
    return {
        "images": len(rows), "dim": rows.shape[1], "insert_per_s": len(rows) / insert_s,
        "index_s": built_s, "building_mib": building, "load_s": load_s, "empty_mib": empty,
        "searching_mib": memory, "bytes_per_image": (memory - empty) * 2**20 / len(rows),
    } | figures  # fmt: skip


def _inserted(store: MilvusStore, rows: FloatArray) -> None:
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        store.upsert(np.arange(start, start + len(part)), part)


def _built(server: MilvusServer, collection: str, count: int) -> None:
    """Have it write what it holds, build the index of that, and let go of it."""
    with closing(_client(server)) as client:
        client.flush(collection)
        name = client.list_indexes(collection)[0]
        deadline = time.monotonic() + _INDEX_SECONDS
        while int(client.describe_index(collection, name)["indexed_rows"]) < count:
            assert time.monotonic() < deadline, "the index is not built"
            time.sleep(1)
        client.release_collection(collection)


def _loaded(server: MilvusServer, store: MilvusStore, query: FloatArray, count: int) -> None:
    """Have it take everything into memory, and wait until it finds that."""
    from pymilvus.exceptions import MilvusException

    deadline = time.monotonic() + _INDEX_SECONDS
    with closing(_client(server)) as client:
        while True:
            try:
                client.load_collection(store.collection)
                break
            except MilvusException:  # parts of it are still to come up
                assert time.monotonic() < deadline, "it does not load"
                time.sleep(0.2)
    assert len(store.search(query[None], _K)[0]) == _K
    assert len(store) == count


def _searches(store: MilvusStore, rows: FloatArray, queries: FloatArray) -> Figures:
    fetched = store.candidates(_K) + 1
    found = [store.search(query[None], fetched)[0] for query in queries]
    best = [np.argpartition(-(rows @ query), _K)[:_K] for query in queries]
    alone = [_seconds(partial(store.search, query[None], fetched)) for query in queries]
    products = [_seconds(partial(np.matmul, rows, query)) for query in queries]
    with ThreadPoolExecutor(_CLIENTS) as pool:
        asked = [query[None] for query in queries] * _CLIENTS
        together_s = _seconds(lambda: list(pool.map(lambda row: store.search(row, fetched), asked)))
    flat_ms = _percentile_ms(products, 50)
    return {
        "queries": len(queries), "recall_at_10": _share_of(best, found),
        "p50_ms": _percentile_ms(alone, 50), "p99_ms": _percentile_ms(alone, 99),
        "clients": _CLIENTS, "queries_per_s": len(asked) / together_s,
        "product_p50_ms": flat_ms, "product_ratio": flat_ms / _percentile_ms(alone, 50),
    }  # fmt: skip


def _share_of(best: list[IdArray], found: list[IdArray]) -> float:
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(best, found, strict=True)]))


def _client(server: MilvusServer) -> Any:
    from pymilvus import MilvusClient

    return MilvusClient(Address.parse(server.url()).uri, dedicated=True)


def _percentile_ms(seconds: list[float], share: float) -> float:
    return 1e3 * float(np.percentile(seconds, share))


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
