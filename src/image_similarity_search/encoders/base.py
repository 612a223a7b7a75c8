"""What an encoder is."""

from __future__ import annotations

from numbers import Integral
from typing import Protocol, runtime_checkable

from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.types import FloatArray, PixelArray


@runtime_checkable
class Encoder(Protocol):
    """Turns pictures into embeddings.

    ``testing.check_encoder`` tells whether an object keeps these promises.
    """

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        ...

    @property
    def preprocessing(self) -> Preprocessing:
        """What it wants to see of a picture; applied before ``encode`` is called."""
        ...

    @property
    def fingerprint(self) -> str:
        """Two encoders with equal fingerprints promise equal embeddings.

        It must change whenever anything that changes an embedding does (weights, preprocessing).
        """
        ...

    def encode(self, pixels: PixelArray) -> FloatArray:
        """Embed ``(n, crop, crop, 3)`` uint8 RGB pixels as ``(n, dim)`` finite float32.

        A picture's embedding must not depend on the others of its batch. ``n`` may be 0.
        Called by one thread at a time, unless the encoder has an attribute ``thread_safe`` that
        is true: then by as many as there are processors, so each call should use but one.

        Those of this package have two attributes more: ``spec``, with which ``registry.create``
        makes the same encoder again (a collection remembers it), and ``device``.
        """
        ...


def flaw_of(encoder: object) -> str:
    """What keeps an object from being an encoder at first sight, in words; empty for nothing."""
    if isinstance(encoder, type):
        return "it is a class, not an instance"
    for name in ("name", "fingerprint"):
        value = getattr(encoder, name, None)
        if not isinstance(value, str) or not value:
            return f"{name} is {value!r}, not a text"
    dim = getattr(encoder, "dim", None)
    if not isinstance(dim, Integral) or dim < 1:
        return f"dim is {dim!r}, not a whole number above 0"
    if not isinstance(getattr(getattr(encoder, "preprocessing", None), "crop", None), int):
        return "preprocessing is not a Preprocessing"
    return "" if callable(getattr(encoder, "encode", None)) else "there is no method encode"
