"""What a store is given, checked."""

from __future__ import annotations

import numpy as np

from image_similarity_search.errors import ConfigError, StoreDimensionError
from image_similarity_search.types import FloatArray, IdArray


def checked_rows(name: str, rows: FloatArray, dim: int) -> FloatArray:
    """The argument ``name``, vectors ``(n, dim)``, as contiguous float32.

    Raises:
        StoreDimensionError: they have another dimension.
        ConfigError: it is no array of rows.
    """
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    if rows.ndim != 2:
        raise ConfigError(name, rows.shape, f"an array of shape (n, {dim})")
    if rows.shape[1] != dim:
        raise StoreDimensionError(dim, rows.shape[1])
    return rows


def checked_ids(ids: IdArray, count: int) -> IdArray:
    """The ids of ``count`` rows, as contiguous int64.

    Raises:
        ConfigError: not one id per row, or a negative id.
    """
    ids = np.ascontiguousarray(ids, dtype=np.int64)
    if ids.shape != (count,):
        raise ConfigError("ids", ids.shape, f"one id for each of {count} rows")
    if len(ids) and ids.min() < 0:
        raise ConfigError("ids", int(ids.min()), "ids of 0 or more")
    return ids
