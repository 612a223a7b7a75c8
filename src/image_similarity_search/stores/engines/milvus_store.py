"""Embeddings in a collection of a Milvus server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from image_similarity_search.errors import ConfigError
from image_similarity_search.stores.checked import checked_ids, checked_rows
from image_similarity_search.stores.engines.base import Filled, Label
from image_similarity_search.stores.engines.milvus_connection import MilvusConnection
from image_similarity_search.stores.engines.milvus_kinds import KINDS, METRIC_TYPES, MOST_RESULTS
from image_similarity_search.stores.engines.milvus_label import Written
from image_similarity_search.types import FloatArray, IdArray, Moment

ID, VECTOR = "id", "embedding"

_BYTES_AT_ONCE = 8 * 2**20  # in one message; a server takes 64 MiB
_IDS_AT_ONCE = 8192  # in one expression
_ALLOWED_AT_ONCE = 50_000  # the same, of a search: each takes a search of its own
_RESULTS_AT_ONCE = 2**18

# "Strong" waits for Milvus's next tick, 0.2 to 0.4 s. "Bounded" answers at once, from a state
# that is at most 5 s old (common.gracefulTime): once the last change is older, they see the same.
_UNSETTLED_SECONDS = 10.0


class MilvusStore:
    """The store that is called ``name`` there; ``Store`` says what it promises.

    Args:
        connection: the server.
        name: of the collection, or of the alias that stands for it.
        collection: the collection itself.
        written: what is written on it.
    """

    def __init__(
        self, connection: MilvusConnection, name: str, collection: str, written: Written
    ) -> None:
        self._connection = connection
        self._name = name
        self.collection = collection
        self._written = written
        self._kind = KINDS[written.label.kind]
        self._probed: float | None = None
        self._depth = 1.0
        self._count: int | None = None  # None: to be asked for
        self._changed_at = time.monotonic()  # as far as is known

    @property
    def label(self) -> Label:
        """Whose it is, and of which kind."""
        return self._written.label

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.label.dim

    @property
    def moment(self) -> Moment:
        """What it reflects of the catalog; kept in the engine."""
        return self._written.moment

    @moment.setter
    def moment(self, value: Moment) -> None:
        self._write(replace(self._written, moment=value, filled=None))

    @property
    def filled(self) -> Filled | None:
        """How far it is, while it is being filled; kept in the engine."""
        return self._written.filled

    @filled.setter
    def filled(self, value: Filled) -> None:
        self._write(replace(self._written, filled=value))

    @property
    def is_exact(self) -> bool:
        """Whether every vector is compared in full."""
        return self._kind.is_exact

    @property
    def lists(self) -> int:
        """Into how many lists the index is divided; 0 when it is not."""
        return self._kind.lists

    def look_at(self, probed: float | None, depth: float) -> None:
        """Let searches look at this share of the lists, and ``depth`` times the usual candidates.

        None is the usual share. An index passes over what it has not.
        """
        self._probed, self._depth = probed, depth

    def __len__(self) -> int:
        """How many vectors it holds; asked of the engine after each change."""
        if self._count is None:
            found = self._call(
                "query", filter="", output_fields=["count(*)"], consistency_level="Strong"
            )
            self._count = int(found[0]["count(*)"])
        return self._count

    def upsert(self, ids: IdArray, rows: FloatArray) -> None:
        """Put ``rows`` ``(n, dim)`` under ``ids`` ``(n,)``; an id that is there is replaced.

        Raises:
            StoreDimensionError: the rows have another dimension.
            ConfigError: not one id per row, or a negative id.
            StoreUnavailableError: the engine does not take them; some may be there.
        """
        rows = checked_rows("rows", rows, self.dim)
        ids = checked_ids(ids, len(rows))
        last = {id_: place for place, id_ in enumerate(ids.tolist())}  # of each id's rows
        places = list(last.items())
        step = max(1, _BYTES_AT_ONCE // (4 * self.dim))
        for start in range(0, len(places), step):
            part = [{ID: id_, VECTOR: rows[at]} for id_, at in places[start : start + step]]
            self._changing()
            self._call("upsert", data=part)

    def delete(self, ids: IdArray) -> int:
        """Take ``ids`` out; those not there are passed over. Returns how many were there."""
        there = self._existing(np.unique(ids))
        for start in range(0, len(there), _IDS_AT_ONCE):
            self._changing()
            self._call("delete", ids=there[start : start + _IDS_AT_ONCE].tolist())
        return len(there)

    def search(self, queries: FloatArray, k: int, allowed: IdArray | None = None) -> list[IdArray]:
        """The ids of the ``k`` nearest to each of ``queries`` ``(q, dim)``, nearest first.

        Raises:
            StoreDimensionError: the queries have another dimension.
            ConfigError: ``k`` is less than 1.
            StoreUnavailableError: the engine does not answer.
        """
        queries = checked_rows("queries", queries, self.dim)
        if k < 1:
            raise ConfigError("k", k, "at least 1")
        k = min(k, len(self) if allowed is None else len(allowed))
        if not k or not len(queries):
            return [np.empty(0, dtype=np.int64) for _ in queries]
        found: list[IdArray] = []
        step = max(1, _RESULTS_AT_ONCE // k)
        for start in range(0, len(queries), step):
            found += self._nearest(queries[start : start + step], k, allowed)
        return found

    def candidates(self, k: int) -> int:
        """How many to search for so that an exact re-rank of them finds the ``k`` nearest."""
        return self._kind.candidates(k, self._depth)

    def ids(self) -> Iterator[IdArray]:
        """All ids it holds, in order, a part at a time."""
        last = -1
        while True:
            found = self._query(f"{ID} > {last}", [ID], limit=MOST_RESULTS)
            if not found:
                return
            part = np.array([row[ID] for row in found], dtype=np.int64)
            yield part
            last = int(part[-1])

    def vectors(self, ids: IdArray) -> tuple[IdArray, FloatArray]:
        """The vectors of some ids, those that there are, in order of id."""
        found: list[dict[str, Any]] = []
        step = max(1, _BYTES_AT_ONCE // (4 * self.dim))
        for start in range(0, len(ids), step):
            among = _among(ids[start : start + step])
            found += self._query(among, [ID, VECTOR])
        found.sort(key=lambda row: row[ID])
        rows = np.array([row[VECTOR] for row in found], dtype=np.float32)
        return np.array([row[ID] for row in found], dtype=np.int64), rows.reshape(-1, self.dim)

    def describe(self) -> str:
        """What it is, in a few words for people."""
        return f"{self._connection.address} ({self.label.kind}: Milvus {self._kind.index_type})"

    def memory_bytes(self) -> int:
        """What it takes of this process's memory: next to nothing."""
        return 0

    def _nearest(self, queries: FloatArray, k: int, allowed: IdArray | None) -> list[IdArray]:
        if allowed is None:
            return [ids for ids, _ in self._scan(queries, k, "")]
        parts = [
            self._scan(queries, k, _among(allowed[start : start + _ALLOWED_AT_ONCE]))
            for start in range(0, len(allowed), _ALLOWED_AT_ONCE)
        ]
        if len(parts) == 1:
            return [ids for ids, _ in parts[0]]
        merged = []
        for answers in zip(*parts, strict=True):
            ids = np.concatenate([ids for ids, _ in answers])
            farness = np.concatenate([far for _, far in answers])
            merged.append(ids[np.argsort(farness, kind="stable")[:k]])
        return merged

    def _scan(
        self, queries: FloatArray, k: int, among: str, *, whole: bool = False
    ) -> list[tuple[IdArray, FloatArray]]:
        """For each query the nearest ids, and how far they are, in whatever unit."""
        metric_type = METRIC_TYPES[self.label.metric]
        limit = min(k, MOST_RESULTS)
        answers = self._call(
            "search",
            data=queries,
            limit=limit,
            filter=among,
            anns_field=VECTOR,
            search_params={
                "metric_type": metric_type,
                "params": self._kind.search(limit, whole=whole, probed=self._probed),
            },
            consistency_level=self._level(),
        )
        sign = -1 if metric_type == "IP" else 1  # the largest product is the nearest
        found = []
        for query, answer in zip(queries, answers, strict=True):
            ids = np.array(answer.ids, dtype=np.int64)
            far = sign * np.array(answer.distances, dtype=np.float32)
            if len(ids) < k:  # there are no more, or the index passed them over
                ids, far = self._completed(query, k, among, (ids, far), whole=whole)
            found.append((ids, far))
        return found

    def _completed(
        self,
        query: FloatArray,
        k: int,
        among: str,
        found: tuple[IdArray, FloatArray],
        *,
        whole: bool,
    ) -> tuple[IdArray, FloatArray]:
        """``found`` and as many more as are lacking, if there are any."""
        ids, far = found
        if not whole and not self._kind.is_exact:
            return self._scan(query[None], k, among, whole=True)[0]
        while len(ids) < k:
            lacking = k - len(ids)
            others = f"{ID} not in {ids.tolist()}" if len(ids) else f"{ID} >= 0"
            rest = f"({among}) and ({others})" if among else others
            if len(ids) % MOST_RESULTS == 0 and len(ids):  # only so many come at once
                more, distances = self._scan(query[None], lacking, rest, whole=True)[0]
            else:  # what the index can't reach, in any order
                rows = self._query(rest, [ID], limit=min(lacking, MOST_RESULTS))
                more = np.array([row[ID] for row in rows], dtype=np.int64)
                distances = np.full(len(more), np.inf, dtype=np.float32)
            if not len(more):
                break
            ids, far = np.append(ids, more), np.append(far, distances)
        return ids, far

    def _existing(self, ids: IdArray) -> IdArray:
        """Those of ``ids`` that it holds."""
        there = [
            row[ID]
            for start in range(0, len(ids), _IDS_AT_ONCE)
            for row in self._query(_among(ids[start : start + _IDS_AT_ONCE]), [ID])
        ]
        return np.array(there, dtype=np.int64)

    def _query(self, among: str, fields: list[str], limit: int | None = None) -> list[Any]:
        options = {} if limit is None else {"limit": limit}
        return list(
            self._call(
                "query", filter=among, output_fields=fields, consistency_level="Strong", **options
            )
        )

    def _level(self) -> str:
        unsettled = time.monotonic() - self._changed_at < _UNSETTLED_SECONDS
        return "Strong" if unsettled else "Bounded"

    def _changing(self) -> None:
        self._count = None
        self._changed_at = time.monotonic()

    def _write(self, written: Written) -> None:
        properties = written.properties()
        self._connection.call("alter_collection_properties", self.collection, properties)
        self._written = written

    def _call(self, method: str, **options: Any) -> Any:
        return self._connection.call(method, self._name, **options)


def _among(ids: IdArray) -> str:
    return f"{ID} in {ids.tolist()}"
