"""Where a cluster is, as text."""

from __future__ import annotations

import re

from image_similarity_search.errors import ConfigError

_ADDRESS = re.compile(r"ray(://[^\s/@]+:\d+)?")


def checked_cluster(on: str) -> str:
    """``ray``, or ``ray://HOST:PORT``.

    Raises:
        ConfigError: it is neither.
    """
    if not isinstance(on, str) or not _ADDRESS.fullmatch(on):
        expected = (
            "ray://HOST:PORT (the cluster's client port), or ray: the cluster of this computer,"
            " or a new one on it alone"
        )
        raise ConfigError("on", on, expected)
    return on
