"""The file systems of fsspec that object storage is reached through, one of each scheme."""

from __future__ import annotations

import functools
from typing import Any

from image_similarity_search.addresses import scheme_of
from image_similarity_search.errors import SourceUnavailableError

_PACKAGES = {"s3": ("s3fs", "s3"), "gs": ("gcsfs", "gs"), "az": ("adlfs", "az")}
"""By scheme: what fsspec needs for it, and the extra of this package that brings it."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {
        "max_concurrency": 1,  # of the parts of one object, which are held in memory
        "config_kwargs": {"max_pool_connections": 64},  # of which each reads another
    },
    "gs": {},
    "az": {},
}


@functools.lru_cache(maxsize=len(_PACKAGES))
def file_system(scheme: str) -> Any:
    """The file system of a scheme. Settings and credentials are those that its package finds.

    Raises:
        SourceUnavailableError: the package is missing, or can't do with what it finds.
    """
    package, extra = _PACKAGES[scheme]
    try:
        import fsspec

        # listings are read a page at a time, and never twice: nothing is gained by keeping them
        return fsspec.filesystem(scheme, use_listings_cache=False, **_OPTIONS[scheme])
    except ImportError as error:
        raise SourceUnavailableError(
            f"{scheme}://",
            f"reading it needs the package {package}, which is not installed: pip install"
            f" 'image-similarity-search[{extra}]'",
        ) from error
    except Exception as error:  # each package has its own; its text may hold a secret
        raise SourceUnavailableError(
            f"{scheme}://", f"{package} is not configured correctly ({type(error).__name__})"
        ) from None


def file_system_of(address: str) -> Any:
    """The file system in which an address lies; raises as ``file_system``."""
    return file_system(scheme_of(address))
