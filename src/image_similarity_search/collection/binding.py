"""Finding out whether an encoder is the one that made embeddings which were taken over.

Such a collection knows its encoder's name and no fingerprint. When an encoder is to be used with
it, the pictures of some images are encoded again; if that gives what is stored, the encoder is the
one, and its fingerprint is recorded.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from image_similarity_search import vectors
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.identity import spec_text
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import (
    CollectionLockedError,
    CollectionMismatchError,
    CollectionUnwritableError,
    ImageError,
)
from image_similarity_search.images import decode
from image_similarity_search.images.plain import plain_rgb
from image_similarity_search.types import ImageRecord, PixelArray

_COMPARED = 8  # images
_LEAST_COSINE = 0.99
_STRETCH = 1.25  # times as long; embeddings of so high a cosine differ far less
_LOOKED_AT_ONCE = 256  # records

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Agreement:
    """The stored embedding of an image, and the one that its picture has now.

    ``stretch`` is how many times as long the present one is.
    """

    path: str
    cosine: float
    stretch: float


class Binding:
    """The encoder of the collection in ``folder``, where that is not known for certain."""

    def __init__(self, catalog: Catalog, folder: str) -> None:
        self._catalog = catalog
        self._folder = folder
        self._confirmed = False

    def confirm(self, embedder: Embedder, *, writing: bool = False) -> None:
        """Refuse an encoder that gives other embeddings than those which were taken over.

        One that does not is recorded, if the catalog can be written to now. Nothing is done where
        the collection knows its encoder's fingerprint. ``writing`` says that the caller holds the
        writer lock.

        Raises:
            CollectionMismatchError: it does, of some pictures whose files are still unchanged.
        """
        if self._catalog.identity.fingerprint:
            return
        first = not self._confirmed
        if first:
            self._check(embedder)
            self._confirmed = True
        if first or writing:
            self._record(embedder.encoder, writing)

    def _check(self, embedder: Embedder) -> None:
        name = embedder.encoder.name
        samples = _samples(self._catalog, embedder.encoder)
        found = [_agreement(self._catalog, embedder, *sample) for sample in samples]
        if not found:
            if self._catalog.counts().indexed:
                _log.warning(
                    "every file of this collection changed since it was imported: that its"
                    " embeddings were made by %s can't be verified; assuming they were",
                    name,
                )
            return
        if any(one.cosine < _LEAST_COSINE for one in found):
            raise _other_model(found, name)
        stretch = float(np.median([one.stretch for one in found]))
        if self._catalog.identity.metric != "cosine" and not 1 / _STRETCH < stretch < _STRETCH:
            raise _other_lengths(stretch, name)

    def _record(self, encoder: Encoder, writing: bool) -> None:
        try:
            with nullcontext() if writing else writer_lock(self._folder):
                stored = self._catalog.read_identity()
                if not stored.fingerprint:
                    known = replace(
                        stored,
                        encoder=encoder.name,
                        fingerprint=encoder.fingerprint,
                        encoder_spec=spec_text(encoder),
                    )
                    with self._catalog.transaction():
                        self._catalog.set_identity(known)
        except (CollectionLockedError, CollectionUnwritableError) as error:
            _log.info("the encoder can't be recorded now: %s", error)
        recorded = self._catalog.identity.fingerprint
        if recorded and recorded != encoder.fingerprint:
            remedy = "Another process recorded it just before: open the collection again."
            raise CollectionMismatchError("model", recorded, encoder.fingerprint, remedy)


def _samples(catalog: Catalog, encoder: Encoder) -> Iterator[tuple[ImageRecord, list[PixelArray]]]:
    """Images from all over the collection whose files are unchanged, and what may be seen there."""
    ids = np.random.default_rng(0).permutation(catalog.indexed_ids())
    count = 0
    for start in range(0, len(ids), _LOOKED_AT_ONCE):
        for image in catalog.records(ids[start : start + _LOOKED_AT_ONCE]).values():
            if views := _views(image, encoder.preprocessing):
                yield image, views
                count += 1
                if count == _COMPARED:
                    return


def _views(image: ImageRecord, preprocessing: Preprocessing) -> list[PixelArray]:
    """The picture as it is seen here, and as by a program that takes pixels as they are."""
    if image.content_hash is None or not os.path.isfile(image.path):
        return []
    try:
        data = decode.read_file(image.path)
        if decode.content_hash(data) != image.content_hash:
            return []
        seen = decode.decode(data, name=image.path, min_side=preprocessing.resize).image
    except ImageError:
        return []
    plain = plain_rgb(data)
    return [preprocessing.view(picture) for picture in (seen, plain) if picture is not None]


def _agreement(
    catalog: Catalog, embedder: Embedder, image: ImageRecord, views: list[PixelArray]
) -> _Agreement:
    stored = catalog.embeddings.of(np.array([image.id]))
    row = stored.comparable("cosine")[0]
    units, norms = vectors.pack(np.nan_to_num(embedder.embed(views)))
    distances = vectors.distances(row, vectors.unpack(units, norms, "cosine"), "cosine")
    best = int(distances.argmin())
    stretch = float(norms[best]) / max(float(stored.norms[0]), 1e-30)
    return _Agreement(image.path, 1 - float(distances[best]), stretch)


def _other_lengths(stretch: float, name: str) -> CollectionMismatchError:
    return CollectionMismatchError(
        "length of embeddings",
        "different from the model's: perhaps they were normalised",
        f"{name}, whose embeddings are {stretch:.3g} times as long,",
        "Import the embeddings again with --metric cosine (metric=), which compares"
        " directions only.",
    )


def _other_model(found: list[_Agreement], name: str) -> CollectionMismatchError:
    worst = min(found, key=lambda one: one.cosine)
    others = [one for one in found if one.cosine < _LEAST_COSINE]
    return CollectionMismatchError(
        "model",
        f"another one (of {len(found)} pictures that were encoded again, {len(others)} have other"
        f" embeddings than the stored ones: cosine {worst.cosine:.3f} for {worst.path}, expected"
        f" {_LEAST_COSINE} or more)",
        name,
        "Name the model that made the embeddings (--model, encoder=), or index the pictures"
        " again in another index folder.",
    )
