"""What a search costs, and what it finds, among a hundred thousand and a million images.

    python benchmarks/searching.py COUNT SCRATCH PICTURES [PICTURES ...]

Collections of embeddings that were grown from those of pictures, through ``Collection`` and its
parts, one query at a time with everything in memory. ``flat`` is the same collection with the kind
``exact``, in the same process: every time is told with its ratio to that. Queries are pictures that
are not in the collection, by their embedding; ``by_id`` are images of it, as ``Collection.search``
takes them.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import filling
import numpy as np
from embeddings import RealEmbeddings, encoded, grown

from image_similarity_search import Collection, vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.building import built_store
from image_similarity_search.collection.filtering import Filtering
from image_similarity_search.collection.keeping import Keeper
from image_similarity_search.collection.search import Searcher
from image_similarity_search.collection.store_keeper import StoreKeeper
from image_similarity_search.collection.tuning import quickest
from image_similarity_search.stores.faiss_store import FaissStore
from image_similarity_search.types import FloatArray

_K = 10
_BATCH = 256
_BY_ID = 200


def made(folder: Path, count: int, pictures: Sequence[str]) -> FloatArray:
    """The collection of ``count`` in ``folder``, made if it is not there; returns the queries."""
    kept = folder.parent / "embeddings.npz"
    if kept.exists():
        with np.load(kept) as arrays:
            real = RealEmbeddings(arrays["base"], arrays["queries"])
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        real = encoded(pictures)
        np.savez(kept, base=real.base, queries=real.queries)
    if not folder.exists():
        filling.fill(folder, grown(real.base, count))
        with Collection.open(folder) as collection:
            collection.rebuild()
    return vectors.comparable(real.queries, "cosine")


def searching(
    folder: str, queries: FloatArray, kinds: Sequence[str], recalls: Sequence[float] = ()
) -> dict[str, Any]:
    """Recall and time of each kind, beside ``flat``; at a million it takes 6 GB and minutes.

    The last of the kinds is also looked through as for these ``recalls``. The kinds are made in
    memory, of the catalog: the collection itself does not change.
    """
    with closing(Catalog(folder)) as catalog:
        figures: dict[str, Any] = {"images": catalog.counts().indexed, "queries": len(queries)}
        best: list[set[int]] = []
        for kind in ("exact", *kinds):
            begin = time.perf_counter()
            searcher, keeper = _in_memory(catalog, folder, kind)
            name = "flat" if kind == "exact" else kind.replace(",", "_").replace("-", "_")
            figures[f"{name}_build_s"] = time.perf_counter() - begin
            for recall in (None, *(recalls if kind == kinds[-1] else ())):
                with keeper.current() as store:
                    if recall:
                        name = f"{name}_{recall:g}".replace("0.", "")
                        tuning = quickest(catalog, searcher, store, recall)
                        store.look_at(tuning.probed, tuning.depth)
                warm(searcher, keeper, queries[0])
                with keeper.current() as store:
                    figures[f"{name}_store"] = store.describe()
                    figures[f"{name}_candidates"] = store.candidates(_K)
                answers, times = _one_by_one(searcher, queries)
                best = best or [set(one) for one in answers]
                found = [len(near & set(some)) for near, some in zip(best, answers, strict=True)]
                one, many = float(np.median(times)), _together(searcher, figures["images"])
                figures |= {
                    f"{name}_recall_at_10": sum(found) / (_K * len(queries)),
                    f"{name}_p50_ms": one,
                    f"{name}_p99_ms": float(np.percentile(times, 99)),
                    f"{name}_batch_ms": many,
                    f"{name}_batch_ratio": one / many,
                    f"{name}_flat_ratio": figures.get("flat_p50_ms", one) / one,
                }
    return figures


def warm(searcher: Searcher, keeper: Keeper, query: FloatArray) -> None:
    """Search until what a process does once for its later searches is done."""
    while True:
        with keeper.current() as store:
            if not (isinstance(store, FaissStore) and store.wants_half_bytes):
                return
        searcher.nearest(query, _K, None, None)


def by_id(folder: str) -> dict[str, Any]:
    """Memory and time of a process that opens the collection and searches; in a fresh process."""
    begin = time.perf_counter()
    with Collection.open(folder) as collection:
        ids = np.random.default_rng(0).choice(len(collection), _BY_ID, replace=False) + 1
        collection.search(int(ids[0]))
        opened = time.perf_counter() - begin
        warm(collection._searcher, collection._keeper, collection._searcher.stored([1])[0])
        times = [_ms(lambda id_=id_: collection.search(int(id_))) for id_ in ids]  # type: ignore[misc]
        memory = _memory_mib()  # of single searches
        drawn = np.random.default_rng(1).choice(len(collection), _BATCH, replace=False) + 1
        batch = min(_ms(lambda: collection.search_many(drawn.tolist())) for _ in range(3)) / _BATCH
        report = collection.measure_recall(_K)
    return {
        "images": len(ids),
        "open_and_first_search_s": opened,
        "by_id_p50_ms": float(np.median(times)),
        "by_id_p99_ms": float(np.percentile(times, 99)),
        "by_id_recall_at_10": report.recall,
        "batch_ms": batch,
        "batch_ratio": float(np.median(times)) / batch,
        **memory,
    }


def _in_memory(catalog: Catalog, folder: str, kind: str) -> tuple[Searcher, StoreKeeper]:
    """A searcher by a store of another kind than the collection's, which no file is written of."""
    keeper = _Aside(catalog, str(Path(folder) / "aside"), kind)  # where no store is
    return Searcher(catalog, keeper, Filtering(catalog)), keeper


class _Aside(StoreKeeper):
    """Keeps a store of one kind in memory, whatever the catalog says."""

    def __init__(self, catalog: Catalog, folder: str, kind: str) -> None:
        super().__init__(catalog, folder)
        self._store = built_store(catalog, kind)
        self._changes = 0


def _one_by_one(searcher: Searcher, queries: FloatArray) -> tuple[list[list[int]], list[float]]:
    """The ids that each search finds, and its milliseconds."""
    answers, times = [], []
    searcher.nearest(queries[0], _K, None, None)  # the first one allocates
    for query in queries:
        begin = time.perf_counter()
        hits = searcher.nearest(query, _K, None, None)
        times.append(1e3 * (time.perf_counter() - begin))
        answers.append([hit.id for hit in hits])
    return answers, times


def _together(searcher: Searcher, count: int) -> float:
    """Milliseconds of an image among many that are searched by at once."""
    ids = (np.random.default_rng(1).choice(count, _BATCH, replace=False) + 1).tolist()
    rows = searcher.stored(ids)
    return min(_ms(lambda: searcher.nearest_to_each(rows, _K, None, ids)) for _ in range(3)) / (
        _BATCH
    )


def _ms(act: Callable[[], object]) -> float:
    begin = time.perf_counter()
    act()
    return 1e3 * (time.perf_counter() - begin)


def _memory_mib() -> dict[str, float]:
    """What Linux says is in memory of this process: all, and what is not read from files."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    names = {"VmRSS": "rss_mib", "RssAnon": "rss_anon_mib", "RssFile": "rss_file_mib"}
    return {name: int(fields[key].split()[0]) / 1024 for key, name in names.items()}


def main() -> None:
    """Measure what the command line names."""
    count, scratch, pictures = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    folder = scratch / f"grown-{count}"
    queries = made(folder, count, pictures)
    print(json.dumps({"open": by_id(str(folder))}, indent=2))
    print(json.dumps(searching(str(folder), queries, ("auto", "ivf-rabitq"), (0.95,)), indent=2))
    shutil.rmtree(folder / "aside", ignore_errors=True)


if __name__ == "__main__":
    main()
