"""What needs a package that does not come with the rest says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from image_similarity_search.errors import ConfigError


@contextmanager
def extra(name: str, used_by: str) -> Iterator[None]:
    """Import inside what ``pip install 'image-similarity-search[name]'`` brings.

    Raises:
        ConfigError: it is missing: what it is, what it is ``used_by``, and how to install it.
    """
    try:
        yield
    except ImportError as error:
        if error.name is None or error.name.startswith("image_similarity_search"):
            raise  # it is no package that is missing
        install = f"pip install 'image-similarity-search[{name}]'"
        said = f"{used_by} needs {error.name}, which is not installed: {install}"
        raise ConfigError(used_by, error.name, install, said) from None
