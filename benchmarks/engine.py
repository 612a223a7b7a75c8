"""What a collection costs in an engine: moving it there, memory, searches, changes.

    milvus-server --data DIR --proxy-port 19530 & echo $!
    python benchmarks/engine.py INDEX_DIR milvus://127.0.0.1:19530/measured [--server PID]

The collection, one of ``synthetic.build`` or any other, is copied, and the copy is moved. PID is
that of the server or of what started it, for its memory. The last lines are JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from image_similarity_search import Collection
from image_similarity_search.stores.engines import Address, open_engine

_QUERIES = 50
_RECALL_QUERIES = 100
_SETTLED_SECONDS = 12.0  # after a change searches are strongly consistent for 10


def engine(index_dir: str, url: str, server: int | None, kind: str) -> dict[str, Any]:
    """Times in ms and s, memory in MiB; a minute or two at 100,000 images."""
    with tempfile.TemporaryDirectory() as work:
        copy = os.path.join(work, "index")
        shutil.copytree(index_dir, copy)
        with Collection.open(copy) as collection:
            return _measured(collection, url, server, kind)


def _measured(collection: Collection, url: str, server: int | None, kind: str) -> dict[str, Any]:
    count = len(collection)
    drawn = np.random.default_rng(0).choice(count, _QUERIES, replace=False)
    ids = np.array([record.id for record in collection], dtype=np.int64)
    queries = [int(id_) for id_ in ids[drawn]]
    figures: dict[str, Any] = {"images": count, "dim": collection.info().dim, "index": kind}
    figures["load_average"] = round(os.getloadavg()[0], 1)
    figures["embedded"] = collection.info().store
    figures["embedded_search_p50_ms"] = _p50_ms(collection, queries)
    embedded = [_ids(collection, query) for query in queries]
    figures["server_before_mib"] = _server_mib(server)
    began = time.perf_counter()
    collection.move(url, index=kind)
    figures["move_s"] = time.perf_counter() - began
    figures["moved_per_s"] = count / figures["move_s"]
    figures["server_after_mib"] = _server_mib(server)
    figures["strong_search_p50_ms"] = _p50_ms(collection, queries[:10])
    time.sleep(_SETTLED_SECONDS)
    figures["search_p50_ms"] = _p50_ms(collection, queries)
    figures["as_embedded"] = statistics.mean(
        len(set(_ids(collection, query)) & set(found)) / max(1, len(found))
        for query, found in zip(queries, embedded, strict=True)
    )
    figures["recall_at_10"] = collection.measure_recall(10, _RECALL_QUERIES).recall
    figures["server_at_end_mib"] = _server_mib(server)
    figures["remove_one_s"] = _seconds(lambda: collection.remove(queries[0]))
    opened = open_engine(Address.parse(url))
    found = opened.find()
    if found:
        opened.drop(found.label.identity)
    opened.close()
    return figures


def _ids(collection: Collection, query: int) -> list[int]:
    return [hit.id for hit in collection.search(query, k=10)]


def _p50_ms(collection: Collection, queries: list[int]) -> float:
    return 1e3 * statistics.median(
        _seconds(lambda query=query: collection.search(query, k=10))  # type: ignore[misc]
        for query in queries
    )


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _server_mib(process: int | None) -> float | None:
    """Memory of a process and those that it started."""
    if process is None:
        return None
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True, check=True
    )
    rows = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    return sum(rss for pid, parent, rss in rows if process in (pid, parent)) / 1024


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("index_dir")
    parser.add_argument("url")
    parser.add_argument("--server", type=int)
    parser.add_argument("--index", default="auto")
    asked = parser.parse_args()
    print(json.dumps(engine(asked.index_dir, asked.url, asked.server, asked.index), indent=2))


if __name__ == "__main__":
    main()
