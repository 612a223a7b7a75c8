"""The kinds of index: which FAISS index each of them is, and how many vectors it is trained on.

``exact`` needs no word here. ``hnsw``, ``ivf``, ``ivf-pq`` and ``ivf-rabitq`` are names of factory
strings that fit the vectors; any other kind is a factory string itself.
"""

from __future__ import annotations

import re
from math import ceil, sqrt
from typing import Any

from image_similarity_search.errors import ConfigError
from image_similarity_search.stores.faiss_library import faiss_library, faiss_metric
from image_similarity_search.stores.turn import set_turn
from image_similarity_search.types import FloatArray, Metric

NAMED = ("auto", "exact", "hnsw", "ivf", "ivf-pq", "ivf-rabitq")
EXPECTED = f"one of {', '.join(NAMED)}, or a FAISS factory string such as IVF1024,Flat or HNSW32"

_PER_CENTROID = 39  # fewer vectors to train a centroid on than this, and FAISS warns
_SAMPLED_PER_CENTROID = 64
_FEWEST_LISTS, _MOST_LISTS = 64, 2048
_LARGEST_NUMBER = 2**20  # in a factory string: what it asks for takes memory before any vector
_MOST_LINKS = 1024  # of an image in a graph, eight bytes each

SCANNED_LISTS = 16  # of a one-bit scan: enough to share out, too few to take time of their own
DIMENSIONS_A_CODE = 4  # of a one-bit scan by codes, which have as many bits
_EF_CONSTRUCTION, _EF_SEARCH = 80, 128
_LEAST_PROBED, _PROBED_SHARE = 16, 8  # lists: at least, and one of so many

# FAISS has many more; these are those whose searches and adds are checked by the tests
_FLAT = ("IndexFlat", "IndexHNSWFlat", "IndexIVFFlat")
_ONE_CODE = ("IndexHNSWSQ", "IndexHNSWPQ", "IndexScalarQuantizer", "IndexPQ", "IndexPQFastScan")
_RABITQ = ("IndexRaBitQ", "IndexRaBitQFastScan", "IndexIVFRaBitQ", "IndexIVFRaBitQFastScan")
_IN_LISTS = ("IndexIVFScalarQuantizer", "IndexIVFPQ", "IndexIVFPQFastScan")
_USABLE = (*_FLAT, *_ONE_CODE, *_RABITQ, *_IN_LISTS)


def check_kind(kind: str, dim: int, metric: Metric) -> None:
    """Refuse a kind that can't be made for vectors of ``dim`` compared by ``metric``.

    Raises:
        ConfigError: there is none of this name, or it can't be made.
        StoreUnavailableError: FAISS can't be imported; not for a kind that has a name.
    """
    if not isinstance(kind, str):
        raise ConfigError("index", kind, EXPECTED)
    if kind in ("auto", "exact"):
        return
    if kind in ("ivf-pq", "ivf-rabitq") and metric == "l1":
        raise ConfigError("index", kind, f"a kind that supports l1; {EXPECTED}")
    if kind not in NAMED:
        new_index(kind, dim, metric)


def new_index(kind: str, dim: int, metric: Metric, count: int = 0) -> Any:
    """An empty index of a kind other than ``auto`` and ``exact``, made for ``count`` vectors.

    Raises:
        ConfigError: it can't be made.
    """
    faiss = faiss_library()
    text = _factory_string(kind, dim, count)
    _check_numbers(kind, text)
    try:
        index = faiss.index_factory(dim, text, faiss_metric(metric))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].rpartition(": ")[2]
        raise ConfigError("index", kind, f"{EXPECTED} (FAISS: {reason})") from error
    inner = innermost(index)
    name = class_name(inner)
    if name not in _USABLE:
        raise ConfigError("index", kind, f"{EXPECTED}; a FAISS {name} is not supported")
    lists = faiss.downcast_index(inner.quantizer) if hasattr(inner, "nlist") else None
    plain = name in _FLAT and inner is index and class_name(lists) in ("IndexFlat", "NoneType")
    if metric == "l1" and not plain:
        raise ConfigError("index", kind, f"a kind that supports l1, unlike {name}; {EXPECTED}")
    if inner.metric_type != faiss_metric(metric):
        raise ConfigError("index", kind, f"a kind that supports {metric}, unlike {name}")
    _tune(inner)
    return index


def _check_numbers(kind: str, text: str) -> None:
    """Refuse numbers of a factory string that FAISS believes, and crashes by, or takes memory."""
    if not all(1 <= int(number) <= _LARGEST_NUMBER for number in re.findall(r"\d+", text)):
        raise ConfigError("index", kind, f"numbers from 1 to {_LARGEST_NUMBER:,} in it")
    links = [int(number) for number in re.findall(r"HNSW(\d+)", text)]
    if not all(2 <= number <= _MOST_LINKS for number in links):
        raise ConfigError("index", kind, f"HNSW of 2 to {_MOST_LINKS:,} links")


def one_bit_scan(dim: int, metric: Metric, *, by_codes: bool) -> Any:
    """An empty index of one bit for each dimension of vectors that are turned at random first.

    The bits are signs (RaBitQ; Gao and Long, SIGMOD 2024), or codes of four bits that stand for
    ``DIMENSIONS_A_CODE`` together (André et al., VLDB 2015), which must divide ``dim`` then. It is
    trained on some hundred vectors like those to come. All of its lists are looked at: there are
    lists only because FAISS shares these out among threads, for one query too.
    """
    bits = f"PQ{dim // DIMENSIONS_A_CODE}x4fs" if by_codes else "RaBitQfs"
    text = f"RR{dim},IVF{SCANNED_LISTS},{bits}"
    index = faiss_library().index_factory(dim, text, faiss_metric(metric))
    inner = innermost(index)
    inner.cp.min_points_per_centroid = 1  # or FAISS talks about it
    if by_codes:
        inner.pq.cp.min_points_per_centroid = 1
    probe(inner, None)
    return index


def train(index: Any, sample: FloatArray) -> None:
    """Train an index on ``sample`` ``(n, dim)``. What turns vectors at random does so in blocks."""
    for transform in transforms(index):
        if isinstance(transform, faiss_library().RandomRotationMatrix):
            set_turn(transform)
    index.train(sample)


def is_one_bit_scan(index: Any) -> bool:
    """Whether ``index`` keeps a bit or more a dimension of vectors that are turned at random."""
    faiss = faiss_library()
    rotated = any(isinstance(one, faiss.RandomRotationMatrix) for one in transforms(index))
    return rotated and (class_name(innermost(index)) in _RABITQ or keeps_codes(index))


def keeps_codes(index: Any) -> bool:
    """Whether its bits, one or more a dimension, are codes that stand for several together."""
    inner = innermost(index)
    by_fours = class_name(inner) == "IndexIVFPQFastScan"
    return by_fours and int(inner.pq.dsub) <= DIMENSIONS_A_CODE


def class_name(index: Any) -> str:
    """The FAISS class of ``index``; what is made as IndexFlatIP is read back as IndexFlat."""
    name = type(index).__name__
    return "IndexFlat" if name in ("IndexFlatIP", "IndexFlatL2") else name


def innermost(index: Any) -> Any:
    """The index behind the transformations of vectors, if there are any."""
    faiss = faiss_library()
    while isinstance(index, faiss.IndexPreTransform):
        index = faiss.downcast_index(index.index)
    return index


def transforms(index: Any) -> list[Any]:
    """The transformations of vectors in front of ``innermost(index)``, in order."""
    faiss = faiss_library()
    found = []
    while isinstance(index, faiss.IndexPreTransform):
        chain = index.chain
        found += [faiss.downcast_VectorTransform(chain.at(at)) for at in range(chain.size())]
        index = faiss.downcast_index(index.index)
    return found


def keeps_all(index: Any) -> bool:
    """Whether vectors are kept as they are, so that only ones not looked at can be missed."""
    return class_name(index) in _FLAT


def can_remove(index: Any) -> bool:
    """Whether vectors can be removed from it, the positions of those behind moving up."""
    inner = innermost(index)
    return not (hasattr(inner, "nlist") or hasattr(inner, "hnsw"))


def memory_bytes(index: Any) -> int:
    """About how much memory the vectors of ``index`` take, and what leads to them."""
    faiss = faiss_library()
    inner = innermost(index)
    if inner is not index:
        matrices = (one for one in transforms(index) if hasattr(one, "A"))
        return memory_bytes(inner) + sum(4 * int(one.A.size()) for one in matrices)
    count = int(inner.ntotal)
    if hasattr(inner, "hnsw"):
        links = int(inner.hnsw.neighbors.size()) * 4 + int(inner.hnsw.offsets.size()) * 8
        return links + memory_bytes(faiss.downcast_index(inner.storage))
    if hasattr(inner, "nlist"):
        return count * (int(inner.code_size) + 8) + int(inner.nlist * inner.d * 4)
    return count * int(inner.code_size)


def describe(index: Any) -> str:
    """What it is, in a few words for people."""
    inner = innermost(index)
    words = f"FAISS {class_name(inner).removeprefix('Index')}"
    if hasattr(inner, "nlist"):
        words += f", {inner.nprobe:,} of {inner.nlist:,} lists searched"
    return words if keeps_all(index) else f"{words} + exact re-rank"


def training_needed(index: Any) -> int:
    """The fewest vectors to train ``index`` on; 0 when it needs none."""
    if index.is_trained:
        return 0
    inner = innermost(index)
    centroids = [getattr(inner, "nlist", 1)]
    if hasattr(inner, "pq"):
        centroids.append(inner.pq.ksub)
    if isinstance(inner, faiss_library().IndexHNSWPQ):
        centroids.append(256)
    least = 0
    for transform in transforms(index):
        if hasattr(transform, "niter_pq"):
            centroids.append(256)  # OPQ trains a product quantiser of its own
        least = max(least, int(transform.d_in))
    return max(_PER_CENTROID * max(centroids), least)


def sample_size(index: Any, count: int) -> int:
    """How many of ``count`` vectors to train ``index`` on."""
    generous = training_needed(index) * _SAMPLED_PER_CENTROID // _PER_CENTROID
    return min(count, generous)


def _factory_string(kind: str, dim: int, count: int) -> str:
    if kind == "hnsw":
        return "HNSW32"
    if kind == "ivf":
        return f"IVF{_lists(count)},Flat"
    if kind == "ivf-pq":
        return f"IVF{_lists(count)},PQ{_sub_vectors(dim)}"
    if kind == "ivf-rabitq":
        return f"RR{dim},IVF{_lists(count)},RaBitQfs"
    return kind


def _lists(count: int) -> int:
    """About twice the root of ``count``, if these can be trained; a power of two."""
    lists = _FEWEST_LISTS
    most = min(_MOST_LISTS, 2 * sqrt(count), count / _PER_CENTROID)
    while 2 * lists <= most:
        lists *= 2
    return lists


def _sub_vectors(dim: int) -> int:
    """How many bytes stand for a vector: one for eight values, or as ``dim`` can be divided."""
    return next(parts for parts in range(1, dim + 1) if dim % parts == 0 and 8 * parts >= dim)


def probe(inner: Any, share: float | None) -> None:
    """Let a search look at this share of the lists, if there are any; None: at the usual one."""
    if hasattr(inner, "nlist"):
        usual = max(_LEAST_PROBED, inner.nlist // _PROBED_SHARE)
        wanted = usual if share is None else ceil(share * inner.nlist)
        inner.nprobe = max(1, min(inner.nlist, wanted))


def _tune(inner: Any) -> None:
    """How much of it a search looks at; FAISS's own defaults miss too much."""
    probe(inner, None)
    if hasattr(inner, "do_polysemous_training"):
        inner.do_polysemous_training = False  # takes many times the training, and goes unused
    if hasattr(inner, "hnsw"):
        inner.hnsw.efConstruction = _EF_CONSTRUCTION
        inner.hnsw.efSearch = _EF_SEARCH
