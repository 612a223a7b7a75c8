"""Arguments that may be several things: text is one of them, and never its letters."""

from __future__ import annotations

import os
from typing import Any

from image_similarity_search.errors import ConfigError


def listed(name: str, given: object, expected: str) -> list[Any]:
    """What the argument ``name`` holds, one by one.

    Raises:
        ConfigError: it is one thing: text, bytes, a path, or what can't be gone through.
    """
    try:
        if not isinstance(given, str | bytes | bytearray | memoryview | os.PathLike):
            found: list[Any] = list(given)  # type: ignore[call-overload]  # which is what is tried
            return found
    except TypeError:
        pass
    plain = given is None or isinstance(given, str | int | float | os.PathLike)
    raise ConfigError(name, given if plain else type(given).__name__, expected)


def several(name: str, given: object, kinds: type | tuple[type, ...], expected: str) -> list[Any]:
    """The same, of things of these ``kinds``; one that is given alone is one of them.

    Raises:
        ConfigError: it holds something of another kind.
    """
    found = [given] if isinstance(given, kinds) else listed(name, given, expected)
    for one in found:
        if not isinstance(one, kinds):
            raise ConfigError(name, one, expected)
    return found
