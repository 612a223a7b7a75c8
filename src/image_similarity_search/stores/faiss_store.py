"""The store that comes with the package: FAISS, in memory.

``exact`` compares with every vector. ``auto`` does so while there are few; beyond that it turns
vectors at random and keeps one bit per dimension, scans all of these and leaves the last word to an
exact re-rank: a thirtieth of the memory, a fifteenth of the time. Without the turn, the bits of a
few dimensions would tell most. It is trained in a fraction of a second on what it holds when it
changes, and when it is made anew, as while it is small each time that it has grown to four times as
much: then it is decided whether the bits are signs (RaBitQ) or codes of four dimensions, too. The
other kinds are those of ``kinds``. What must be trained is exact until it is.

Behind these bits ``keep_half_bytes`` puts four for each dimension, which leave less to re-rank.

A deleted vector is *buried*: its id becomes FAISS's own "no result", -1, and searches pass over
it. Really removing one rewrites the whole index (seconds at a million), so that is done for many
at a time. Graphs and lists can't even do that: they say that they are ``outdated``, and whoever
has the vectors makes them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.errors import (
    ConfigError,
    StoreTrainingError,
    StoreUnavailableError,
)
from image_similarity_search.stores import depths, kinds
from image_similarity_search.stores.checked import checked_ids, checked_rows
from image_similarity_search.stores.faiss_library import (
    faiss_library,
    faiss_metric,
    fitting_threads,
)
from image_similarity_search.stores.half_bytes import HalfBytes, most
from image_similarity_search.stores.one_bit import TRAINED_ON, trained_scan
from image_similarity_search.stores.scan import Scan
from image_similarity_search.types import METRICS, NEW, FloatArray, IdArray, Metric, Moment

FLAT_LIMIT = 5_000  # up to this many vectors ``auto`` compares with every one of them, in full

ONE_BIT = "1-bit scan + exact re-rank"
"""What ``auto`` is beyond that, in words."""

_NOBODY = -1  # the id of a buried vector
_BURIED_LEAST = 256  # fewer buried vectors than this are never worth removing
_BURIED_SHARE = 0.01  # of all vectors; more buried ones than this are removed
_OUTDATED_SHARE = 0.2  # of all vectors; more that can't be removed than this make it outdated
_OUTGROWN = 4  # times as many vectors as it was trained for make it outdated too
_ENOUGH = 50_000  # vectors ``auto`` was trained for: those to come will hardly be unlike all these

_MANY_ROWS = 1024  # fewer than this are put in by one thread

_FEW_ROWS = 256  # whose half bytes keep a search waiting for a few milliseconds

_LABELS_AT_ONCE = 2**22  # results held while searching: 12 bytes each
_TABLE_SHARE = 8  # ids as far apart as this make a table of all that may be larger than they are


class FaissStore:
    """Embeddings in a FAISS index in this process's memory.

    Args:
        dim: length of a vector.
        metric: ``cosine``, ``l2``, ``l1`` or ``ip``.
        kind: ``exact``, or ``auto``: exact while there are few vectors, then a one-bit scan
            (for ``cosine`` and ``l2``; the others stay exact). It changes by itself, never back.
            ``hnsw``, ``ivf``, ``ivf-pq``, ``ivf-rabitq`` or a FAISS factory string: what needs
            training is exact until ``train``.
        flat_limit: the most vectors that ``auto`` keeps in full.

    Attributes:
        moment: of the catalog, that the store reflects; ``NEW`` at first.
        metric: as given.
        kind: as given.
        trained_for: for how many vectors it was trained; 0 when it was not.
        searches: how many queries it was searched for.

    Raises:
        ConfigError: an argument has a value that is not allowed.
        StoreUnavailableError: FAISS can't be imported.
    """

    def __init__(
        self, dim: int, metric: Metric, kind: str = "auto", *, flat_limit: int = FLAT_LIMIT
    ) -> None:
        if dim < 1:
            raise ConfigError("dim", dim, "at least 1")
        if metric not in METRICS:
            raise ConfigError("metric", metric, f"one of {', '.join(METRICS)}")
        kinds.check_kind(kind, dim, metric)
        faiss = faiss_library()
        self.moment: Moment = NEW
        self.metric = metric
        self.kind = kind
        self._dim = dim
        self._flat_limit = flat_limit
        self.trained_for = 0
        self.training_needed = 0
        self.searches = 0
        self._depth = 1.0
        self._half_bytes: HalfBytes | None = None
        self._highest = _NOBODY  # of all ids that were put in
        self._buried = 0
        self._live: NDArray[np.bool_] | None = None
        self._hold(faiss.IndexIDMap(faiss.IndexFlat(dim, faiss_metric(metric))))
        if kind not in ("auto", "exact"):
            chosen = kinds.new_index(kind, dim, metric)
            self.training_needed = kinds.training_needed(chosen)
            if not self.training_needed:
                self._hold(faiss.IndexIDMap(chosen))

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._dim

    @property
    def index(self) -> Any:
        """The ``faiss.IndexIDMap`` itself; buried vectors have the id -1."""
        return self._index

    @property
    def is_exact(self) -> bool:
        """Whether every vector is compared in full now."""
        return self._exact

    def sample_size(self, count: int) -> int:
        """How many of ``count`` vectors ``train`` wants; 0 when it is not to be called."""
        if self.may_outgrow:
            return min(count, TRAINED_ON) if count > self._flat_limit else 0
        if not self.training_needed or count < self.training_needed:
            return 0
        return kinds.sample_size(kinds.new_index(self.kind, self._dim, self.metric, count), count)

    def train(self, sample: FloatArray, count: int) -> None:
        """Train for ``count`` vectors, of which ``sample`` is a part; what it held is gone.

        Raises:
            StoreTrainingError: the sample is too small.
            StoreUnavailableError: FAISS can't train it on this sample.
        """
        faiss = faiss_library()
        sample = checked_rows("sample", sample, self._dim)
        if self.may_outgrow:
            if not len(sample):
                raise StoreTrainingError(self.kind, 1, 0)
            self._hold_one_bit_scan(sample, count)
            return
        index = kinds.new_index(self.kind, self._dim, self.metric, count)
        needed = kinds.training_needed(index)
        if len(sample) < needed:
            raise StoreTrainingError(self.kind, needed, len(sample))
        try:
            kinds.train(index, sample)
        except RuntimeError as error:
            raise StoreUnavailableError(f"FAISS can't train {self.kind}: {error}") from error
        self._hold(faiss.IndexIDMap(index))
        self.trained_for = count

    def outdated(self, count: int) -> bool:
        """Whether it should be made anew, of ``count`` vectors that it is to hold.

        It answers rightly even so, but slowly: it can be trained now, was trained for far fewer
        vectors, or holds many deleted ones that it can't remove.
        """
        if self._buried > max(_BURIED_LEAST, _OUTDATED_SHARE * self._index.ntotal):
            return True
        if not self.trained_for and not self.may_outgrow:
            return 0 < self.training_needed <= count
        if self.may_outgrow and not self.is_exact and not 0 < self.trained_for <= _ENOUGH:
            return False  # a file of a former version does not say for how many
        return count >= _OUTGROWN * max(1, self.trained_for or self._flat_limit)

    @property
    def lists(self) -> int:
        """Into how many lists the index is divided; 0 when it is not."""
        return int(getattr(kinds.innermost(self._vectors()), "nlist", 0))

    def look_at(self, probed: float | None, depth: float) -> None:
        """Let searches look at this share of the lists, and ``depth`` times the usual candidates.

        None is the usual share. An index without lists, or an exact one, passes over what it has
        not.
        """
        self._depth = depth
        kinds.probe(kinds.innermost(self._vectors()), probed)

    def adopt(self, index: Any, trained_for: int = 0) -> None:
        """Hold what ``index`` (another store's) holds, instead of what is there now.

        Raises:
            StoreUnavailableError: it is not an index that this store could have made.
        """
        faiss = faiss_library()
        if not isinstance(index, faiss.IndexIDMap):
            raise StoreUnavailableError(f"a {type(index).__name__} does not store ids")
        vectors = faiss.downcast_index(index.index)
        if _names(vectors) not in self._possible(trained_for):
            raise StoreUnavailableError(f"a {_names(vectors)[1]} is not of kind {self.kind}")
        if index.d != self._dim or vectors.d != self._dim:
            raise StoreUnavailableError(f"the index has dimension {index.d}, not {self._dim}")
        if vectors.metric_type != faiss_metric(self.metric):
            raise StoreUnavailableError(f"the index does not use the metric {self.metric}")
        count = index.id_map.size()
        if not count == index.ntotal == vectors.ntotal:
            raise StoreUnavailableError(f"{count} ids for {vectors.ntotal} vectors")
        self._hold(index)
        self.trained_for = trained_for

    def __len__(self) -> int:
        """How many vectors it holds."""
        return int(self._index.ntotal) - self._buried

    def upsert(self, ids: IdArray, rows: FloatArray) -> None:
        """Put ``rows`` ``(n, dim)`` under ``ids`` ``(n,)``; an id that is there is replaced.

        Ids are 0 or more. Of an id given twice the last row counts. ``n`` may be 0.

        Raises:
            StoreDimensionError: the rows have another dimension.
            ConfigError: not one id per row, or a negative id.
        """
        rows = checked_rows("rows", rows, self._dim)
        ids = checked_ids(ids, len(rows))
        if not len(ids):
            return
        last = _last_of_each(ids)
        if len(last) < len(ids):
            ids, rows = ids[last], rows[last]
        if ids.min() <= self._highest:  # new images have higher ids than all before
            self.delete(ids)
        if self.is_exact and self.may_outgrow and len(self) + len(ids) > self._flat_limit:
            self._change_to_one_bit(rows)
        orders = self._orders
        with fitting_threads(1 if len(ids) < _MANY_ROWS else len(ids), rows.size * self._dim):
            self._index.add_with_ids(rows, ids)
        if self._index.ntotal > most(self._dim):
            self._half_bytes = None
        elif self._half_bytes and orders:
            self._half_bytes.add(rows)
        self._highest = max(self._highest, int(ids.max()))

    def delete(self, ids: IdArray) -> int:
        """Take ``ids`` out; those not there are passed over. Returns how many were there."""
        if not len(ids):
            return 0
        held = self._ids()
        gone = np.isin(held, ids) & (held != _NOBODY)
        count = int(np.count_nonzero(gone))
        if count:
            held[gone] = _NOBODY
            self._buried += count
            self._live = None
        many = self._buried > max(_BURIED_LEAST, _BURIED_SHARE * len(held))
        if many and kinds.can_remove(self._vectors()):
            self._index.remove_ids(np.array([_NOBODY], dtype=np.int64))
            self._buried = 0
            self._live = None
        return count

    @property
    def wants_half_bytes(self) -> bool:
        """Whether this is ``auto``, scans bits, and has room for the half bytes that it lacks.

        Only of unit vectors do they tell enough.
        """
        scans = self.kind == "auto" and self._scans_bits and len(self) > 0
        room = self.metric == "cosine" and self._index.ntotal <= most(self._dim)
        return scans and room and not self._orders

    def keep_half_bytes(self, read: Callable[[IdArray], FloatArray]) -> None:
        """Have half bytes of some more vectors, which ``read`` gives, one for each of some ids.

        When there are those of all, a search puts candidates in order by them, and fewer of these
        need an exact re-rank. It is to be called while ``wants_half_bytes``.
        """
        ids, live = self._ids(), self._living()
        if self._half_bytes is None:
            drawn = np.random.default_rng(0).choice(ids[live], min(TRAINED_ON, len(self)), False)
            self._half_bytes = HalfBytes(read(drawn))
        part = slice(len(self._half_bytes), len(self._half_bytes) + _FEW_ROWS)
        rows = np.zeros((len(ids[part]), self._dim), dtype=np.float32)
        rows[live[part]] = read(ids[part][live[part]])
        self._half_bytes.add(rows)

    def forget_half_bytes(self) -> None:
        """Have none, as at first."""
        self._half_bytes = None

    @property
    def _orders(self) -> bool:
        """Whether there are half bytes of all vectors."""
        return self._half_bytes is not None and len(self._half_bytes) == self._index.ntotal

    def search(self, queries: FloatArray, k: int, allowed: IdArray | None = None) -> list[IdArray]:
        """The ids of the ``k`` nearest to each of ``queries`` ``(q, dim)``, nearest first.

        With ``allowed``, only among these ids. Fewer than ``k`` come back only where there are
        fewer. While ``is_exact``, nothing nearer is missed but for ties: which of the equally
        distant ones (to float32 rounding) come back at the border is arbitrary.

        Raises:
            StoreDimensionError: the queries have another dimension.
            ConfigError: ``k`` is less than 1.
        """
        queries = checked_rows("queries", queries, self._dim)
        self.searches += len(queries)
        if k < 1:
            raise ConfigError("k", k, "at least 1")
        ids = self._ids()
        wanted, available = self._living(), len(self)
        if allowed is not None:
            wanted = wanted & _among(ids, allowed, self._highest)
            available = int(np.count_nonzero(wanted))
        k = min(k, available)
        if not k:
            return [np.empty(0, dtype=np.int64) for _ in queries]
        # a part of a graph or of the lists may hold few of the allowed ones: look at all of it
        whole = allowed is not None
        if self._half_bytes is None or not self._orders:
            return [ids[positions] for positions in self._nearest(queries, k, k, wanted, whole)]
        deep = min(ceil(depths.behind_half_bytes(k, len(self), self._depth)), available)
        found = self._nearest(queries, deep, deep, wanted, whole)
        nearest, pairs = self._half_bytes.nearest, zip(queries, found, strict=True)
        return [ids[nearest(query, positions, k)] for query, positions in pairs]

    def candidates(self, k: int) -> int:
        """How many to search for so that an exact re-rank of them finds the ``k`` nearest."""
        if self.is_exact:
            return k + depths.ROUNDING_MARGIN
        if self._orders:  # half bytes tell nearly all: what a shallow search saves, the scan does
            return ceil(max(1.0, self._depth) * depths.of_half_bytes(k, len(self)))
        if self._keeps_all:
            usual: float = k + depths.ROUNDING_MARGIN
        elif self._scans_bits and depths.one_bit_tells(self.metric):
            usual = depths.of_bits(k, len(self), by_codes=self._scans_codes)
        else:
            usual = depths.of_codes(k, len(self), self.metric)
        return max(k, ceil(self._depth * usual))  # a shallow search has ``k`` hits, too

    def memory_bytes(self) -> int:
        """About how much memory the index takes."""
        ids = int(self._index.ntotal) * np.dtype(np.int64).itemsize
        halves = self._half_bytes.memory_bytes() if self._half_bytes else 0
        return kinds.memory_bytes(self._vectors()) + ids + halves

    def describe(self) -> str:
        """What it is, in a few words for people."""
        if self.kind == "exact":
            return "exact (FAISS Flat)"
        if self.kind == "auto":
            bits = "PQfs" if self._scans_codes else "RaBitQfs"
            return f"auto ({'FAISS Flat, exact' if self.is_exact else f'{bits}, {ONE_BIT}'})"
        if self.training_needed and not self.trained_for:
            return f"{self.kind} (FAISS Flat until {self.training_needed:,} vectors)"
        return f"{self.kind} ({kinds.describe(self._vectors())})"

    def _nearest(
        self, queries: FloatArray, k: int, fetch: int, wanted: NDArray[np.bool_], whole: bool
    ) -> Iterator[IdArray]:
        """Positions of the ``k`` nearest wanted vectors to each query, looking at ``fetch``."""
        scan = self._whole_scan if whole else self._scan
        if not scan.takes_filter:  # more is fetched, by the share that is wanted
            share = np.count_nonzero(wanted) / len(wanted)
            by_chance = k + 3 * sqrt(k)  # so that seldom fewer than k of these are wanted
            fetch = min(len(wanted), max(fetch, ceil(by_chance / share)))
        step = max(1, _LABELS_AT_ONCE // fetch)
        for start in range(0, len(queries), step):
            block = queries[start : start + step]
            for query, found in zip(block, scan.positions(block, fetch, wanted), strict=True):
                positions = found[found >= 0]
                positions = positions[wanted[positions]][:k]
                if len(positions) == k:
                    yield positions
                elif whole and fetch == len(wanted):  # FAISS gave up: the rest, in any order
                    rest = np.setdiff1d(np.flatnonzero(wanted), positions)
                    yield np.append(positions, rest[: k - len(positions)])
                else:
                    more = min(2 * fetch, len(wanted))
                    yield next(self._nearest(query[None], k, more, wanted, whole=True))

    def _change_to_one_bit(self, coming: FloatArray) -> None:
        """Replace the flat index by a one-bit one, trained on what is held and what comes."""
        former, live = self._index, self._living()
        step = max(1, (len(live) + len(coming)) // TRAINED_ON)
        held = [rows[::step].copy() for _, rows in _in_full(former, live)]
        sample = np.concatenate([*held, coming[::step]])
        self._hold_one_bit_scan(sample, len(self) + len(coming))
        for ids, rows in _in_full(former, live):
            self._index.add_with_ids(rows, ids)

    def _hold_one_bit_scan(self, sample: FloatArray, count: int) -> None:
        """Keep an empty one, trained on ``sample`` ``(n, dim)`` for ``count`` vectors."""
        self._hold(faiss_library().IndexIDMap(trained_scan(self.metric, sample)))
        self.trained_for = count

    def _possible(self, trained_for: int) -> list[tuple[str, str]]:
        """The classes of index that this store may have made."""
        if self.kind not in ("auto", "exact") and not (self.training_needed and not trained_for):
            return [_names(kinds.new_index(self.kind, self._dim, self.metric))]
        made = [("IndexFlat", "IndexFlat")]
        if self.may_outgrow:
            scans = ("IndexIVFRaBitQFastScan", "IndexIVFPQFastScan")
            made += [("IndexPreTransform", scan) for scan in scans]
        return made

    @property
    def may_outgrow(self) -> bool:
        """Whether this store changes to a one-bit scan when there is much to hold."""
        return self.kind == "auto" and depths.one_bit_tells(self.metric)

    def _vectors(self) -> Any:
        """The index of vectors inside the one that keeps their ids."""
        faiss = faiss_library()
        return faiss.downcast_index(self._index.index)

    def _hold(self, index: Any) -> None:
        """Keep ``index`` from now on."""
        self._index = index
        vectors = self._vectors()
        self._exact = isinstance(vectors, faiss_library().IndexFlat)
        self._keeps_all = kinds.keeps_all(vectors)
        self._scans_bits = kinds.is_one_bit_scan(vectors)
        self._scans_codes = kinds.keeps_codes(vectors)
        self._scan, self._whole_scan = Scan(vectors, whole=False), Scan(vectors, whole=True)
        ids = self._ids()
        self._highest = int(ids.max(initial=_NOBODY))
        self._buried = int(np.count_nonzero(ids == _NOBODY))
        self._live = self._half_bytes = None

    def _ids(self) -> IdArray:
        """FAISS's own ids by position, not a copy; -1 where a vector is buried.

        Until something is added or removed: then FAISS may move them.
        """
        faiss = faiss_library()
        count = self._index.id_map.size()
        if not count:
            return np.empty(0, dtype=np.int64)
        ids: IdArray = faiss.rev_swig_ptr(self._index.id_map.data(), count)
        return ids

    def _living(self) -> NDArray[np.bool_]:
        """Which positions are not buried; computed once after a change."""
        live = self._live
        if live is None or len(live) != self._index.ntotal:
            live = self._live = self._ids() != _NOBODY
        return live


def _in_full(index: Any, live: NDArray[np.bool_]) -> Iterator[tuple[IdArray, FloatArray]]:
    """The ids and vectors of a flat ``faiss.IndexIDMap`` that live, a part at a time."""
    faiss = faiss_library()
    all_ids: IdArray = faiss.vector_to_array(index.id_map)
    for start in range(0, len(all_ids), _MANY_ROWS):
        at = slice(start, start + _MANY_ROWS)
        rows = index.index.reconstruct_n(start, len(all_ids[at]))[live[at]]
        if len(rows):
            yield all_ids[at][live[at]], rows


def _among(ids: IdArray, allowed: IdArray, highest: int) -> NDArray[np.bool_]:
    """``np.isin(ids, allowed)``, of ids up to ``highest`` and nobody's; -1 is not allowed."""
    if highest > _TABLE_SHARE * len(ids):
        return np.isin(ids, allowed)
    table = np.zeros(highest + 2, dtype=np.bool_)  # the last is nobody's, at -1
    table[allowed[allowed <= highest]] = True
    return table[ids]


def _names(vectors: Any) -> tuple[str, str]:
    """The class of an index, and that of what its transformations lead to."""
    return kinds.class_name(vectors), kinds.class_name(kinds.innermost(vectors))


def _last_of_each(ids: IdArray) -> IdArray:
    """Positions of each id's last occurrence, in order."""
    _, from_the_end = np.unique(ids[::-1], return_index=True)
    return np.sort(len(ids) - 1 - from_the_end)
