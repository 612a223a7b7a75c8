"""The kinds of index that Milvus has, as one small table."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Any

from image_similarity_search.errors import ConfigError
from image_similarity_search.stores.depths import ROUNDING_MARGIN
from image_similarity_search.types import Metric

MOST_RESULTS = 16_384
"""Milvus gives no more to one query."""

_MOST_EF = 32_768


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the table.

    Attributes:
        index_type: Milvus's name.
        build: its parameters for building.
        is_exact: whether every vector is compared.
        rerank: how many candidates for each hit, since vectors are not kept in full.
    """

    index_type: str
    build: dict[str, Any] = field(default_factory=dict)
    is_exact: bool = False
    rerank: int = 1

    @property
    def lists(self) -> int:
        """Into how many lists it is divided; 0 when it is not."""
        return int(self.build.get("nlist", 0))

    def search(self, k: int, *, whole: bool = False, probed: float | None = None) -> dict[str, Any]:
        """Parameters to search for ``k``, in this share of the lists or the usual.

        With ``whole`` without passing anything over.
        """
        if self.index_type == "HNSW":
            return {"ef": _MOST_EF if whole else min(_MOST_EF, max(200, 2 * k))}
        if not self.lists:
            return {}
        share = 1.0 if whole else probed
        return {"nprobe": _PROBED if share is None else ceil(share * self.lists)}

    def candidates(self, k: int, depth: float = 1.0) -> int:
        """How many to re-rank for ``k`` hits, ``depth`` times the usual."""
        return max(k, ceil(depth * self.rerank * k)) + ROUNDING_MARGIN


_LISTS, _PROBED = 1024, 64
_HNSW = Kind("HNSW", {"M": 24, "efConstruction": 200})

KINDS: dict[str, Kind] = {
    "auto": _HNSW,
    "exact": Kind("FLAT", is_exact=True),
    "hnsw": _HNSW,
    "ivf": Kind("IVF_FLAT", {"nlist": _LISTS}),
    "ivf-sq8": Kind("IVF_SQ8", {"nlist": _LISTS}, rerank=3),
}

METRIC_TYPES: dict[Metric, str] = {"cosine": "IP", "ip": "IP", "l2": "L2"}
"""Milvus's names; vectors that are compared by cosine have unit length."""


def check_kind(kind: str, metric: Metric) -> None:
    """Refuse what Milvus can't do.

    Raises:
        ConfigError: it has no such index, or does not compare by ``metric``.
    """
    if metric not in METRIC_TYPES:
        raise ConfigError(
            "metric", metric, f"a metric that Milvus supports: {', '.join(METRIC_TYPES)}"
        )
    if kind not in KINDS:
        raise ConfigError("index", kind, f"a kind that Milvus supports: {', '.join(KINDS)}")
