"""What a collection is made with, and the refusal of anything else."""

from __future__ import annotations

import os
from dataclasses import replace

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.catalog.values import Identity
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.errors import (
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
        if stored.fingerprint:  # else any may be tried
            _refuse("model", stored.encoder, encoder, _ELSEWHERE)
    elif encoder is not None:
        _refuse_encoder(stored, encoder, _ELSEWHERE)
    if metric is not None:
        _refuse("metric", stored.metric, metric, _ELSEWHERE)
    if index is not None:
        check_kind(index, stored.dim, stored.metric)
        _refuse("index", stored.index, index, f"Change it with 'iss rebuild --index {index}'.")


def matching_encoder(stored: Identity, asked: str | Encoder | None) -> Encoder | None:
    """The encoder that is asked for, or None where that is the stored one, not yet made."""
    if not isinstance(asked, str) or asked == stored.encoder:
        return asked if not isinstance(asked, str) else None
    return checked_encoder(replace(stored, encoder=asked))


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
    if stored.fingerprint:  # else the embeddings are compared: see ``binding``
        _refuse("model", stored.fingerprint, encoder.fingerprint, remedy)
    _refuse("dimension", stored.dim, encoder.dim, remedy)


def _refuse(what: str, stored: object, given: object, remedy: str) -> None:
    if stored != given:
        raise CollectionMismatchError(what, stored, given, remedy)
