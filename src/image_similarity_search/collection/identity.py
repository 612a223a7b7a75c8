"""What a collection is made with, and the refusal of anything else."""

from __future__ import annotations

import logging
import os

from image_similarity_search.catalog.catalog import FILE_NAME, Catalog
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.catalog.values import Identity
from image_similarity_search.collection.store_keeper import FILE_NAME as STORE_FILE_NAME
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionMismatchError,
    CollectionNotFoundError,
    CollectionUnwritableError,
    ConfigError,
    EncoderUnavailableError,
    UnknownEncoderError,
)
from image_similarity_search.stores.kinds import check_kind
from image_similarity_search.types import METRICS, Metric

_ELSEWHERE = "Give another index folder to index with it, or leave it out to use what is stored."

_CREATION_SECONDS = 10.0  # how long another process may take to make the same collection

_log = logging.getLogger(__name__)


def identity_of(
    encoder: str | Encoder | None, metric: Metric | None, index: str | None
) -> tuple[Encoder, Identity]:
    """The encoder and the identity of a new collection; defaults stand in for None.

    Raises:
        ConfigError: no such metric or index.
        UnknownEncoderError: no such encoder.
        EncoderUnavailableError: it needs something that is missing.
    """
    check_metric(metric)
    if encoder is None or isinstance(encoder, str):
        encoder = registry.create(encoder or registry.DEFAULT_ENCODER)
    identity = Identity(
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        dim=encoder.dim,
        metric=metric or "cosine",
        index=index or "auto",
    )
    check_kind(identity.index, identity.dim, identity.metric)
    return encoder, identity


def created(folder: str, identity: Identity) -> Catalog:
    """The catalog of a new collection; the one that another process made just before, if so."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise CollectionUnwritableError(folder, error.strerror or str(error)) from error
    with writer_lock(folder, wait=_CREATION_SECONDS):
        try:
            return Catalog(folder)
        except CollectionNotFoundError:
            return Catalog.create(folder, identity)


def refuse_lost(folder: str, *, create: bool) -> None:
    """Say that a catalog was lost where its store is there: an error, or a warning if one is made.

    Raises:
        CollectionCorruptError: it was, and none is to be made.
    """
    if not os.path.exists(os.path.join(folder, STORE_FILE_NAME)):
        return
    lost = CollectionCorruptError(
        os.path.join(folder, FILE_NAME),
        "it is missing or empty, though its store is there",
        "put a copy of it back if there is one, or index again",
    )
    if not create:
        raise lost
    _log.warning("%s: a new one is made", lost)


def check_metric(metric: str | None) -> None:
    """Refuse a metric that there is not, with a ConfigError."""
    if metric is not None and metric not in METRICS:
        raise ConfigError("metric", metric, f"one of {', '.join(METRICS)}")


def refuse_other(
    stored: Identity, encoder: str | Encoder | None, metric: Metric | None, index: str | None
) -> None:
    """Raise CollectionMismatchError where something else is asked than what is stored."""
    check_metric(metric)
    if isinstance(encoder, str):
        _refuse("model", stored.encoder, encoder, _ELSEWHERE)
    elif encoder is not None:
        _refuse_encoder(stored, encoder, _ELSEWHERE)
    if metric is not None:
        _refuse("metric", stored.metric, metric, _ELSEWHERE)
    if index is not None:
        check_kind(index, stored.dim, stored.metric)
        _refuse("index", stored.index, index, f"Change it with 'iss rebuild --index {index}'.")


def checked_encoder(stored: Identity) -> Encoder:
    """The encoder that a collection was made with.

    Raises:
        EncoderUnavailableError: it is somebody's own: hand it to ``Collection.open``.
        CollectionMismatchError: the one of this name has another fingerprint or dimension now.
    """
    try:
        encoder = registry.create(stored.encoder)
    except UnknownEncoderError as error:
        raise EncoderUnavailableError(
            stored.encoder,
            "it has no row in the table of encoders",
            "Open the collection from Python: Collection.open(..., encoder=YOUR_ENCODER).",
        ) from error
    _refuse_encoder(stored, encoder, "The model changed since: index again, in another folder.")
    return encoder


def _refuse_encoder(stored: Identity, encoder: Encoder, remedy: str) -> None:
    _refuse("model", stored.fingerprint, encoder.fingerprint, remedy)
    _refuse("dimension", stored.dim, encoder.dim, remedy)


def _refuse(what: str, stored: object, given: object, remedy: str) -> None:
    if stored != given:
        raise CollectionMismatchError(what, stored, given, remedy)
