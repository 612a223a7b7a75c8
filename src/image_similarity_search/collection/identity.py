"""What a collection is made with, and the refusal of anything else."""

from __future__ import annotations

import logging
import os
import time
from contextlib import closing, suppress
from dataclasses import replace

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.catalog.values import Identity
from image_similarity_search.catalog.whereabouts import FILE_NAME, url_of
from image_similarity_search.collection.store_keeper import FILE_NAME as STORE_FILE_NAME
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.base import Encoder, flaw_of
from image_similarity_search.encoders.devices import Device
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.encoders.table import ENCODERS
from image_similarity_search.encoders.text import TextEncoder
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionLockedError,
    CollectionMismatchError,
    CollectionNotFoundError,
    ConfigError,
    EncoderNotHereError,
    StoreMismatchError,
    UnknownEncoderError,
    unwritable,
)
from image_similarity_search.stores.index_file import is_ours
from image_similarity_search.stores.kinds import check_kind
from image_similarity_search.types import METRICS, UNKNOWN_ENCODER, Metric

_ELSEWHERE = (
    "Use another index folder (--index-dir) to index with other settings, or omit the option to"
    " use the stored ones."
)

_CREATION_SECONDS = 10.0  # how long another process may take to make the same collection
_BETWEEN_TRIES = 0.05

_log = logging.getLogger(__name__)


def identity_of(
    encoder: Encoder, metric: Metric | None, index: str | None, store: str | None = None
) -> Identity:
    """The identity of a new collection; defaults stand in for None.

    Raises:
        ConfigError: no such index, or ``store`` is no URL of an engine.
    """
    identity = Identity(
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        dim=int(encoder.dim),
        metric=metric or "cosine",
        index="auto" if index is None else index,
        encoder_spec=spec_text(encoder),
        store=store_url(store),
    )
    check_index(identity.index, identity)
    return identity


def store_url(store: str | None) -> str:
    """The URL of an engine as a catalog keeps it; empty for the embedded store.

    Raises:
        ConfigError: it is none.
    """
    if store is None:
        return ""
    from image_similarity_search.stores.engines import EMBEDDED, Address

    return "" if store == EMBEDDED else str(Address.parse(store))


def check_index(index: str, made: Identity) -> None:
    """Refuse a kind of index that the store of such a collection can't have, by a ConfigError."""
    if made.store:
        from image_similarity_search.stores.engines import check_kind as check_engine_kind

        check_engine_kind(index, made.metric)
    else:
        check_kind(index, made.dim, made.metric)


def spec_text(encoder: Encoder) -> str:
    """With what an encoder can be made again, for a catalog to keep; empty where nothing can."""
    spec = getattr(encoder, "spec", None)
    return spec.to_json() if isinstance(spec, EncoderSpec) and spec.model else ""


def created(folder: str, identity: Identity, url: str = "", *, thumbnails: bool) -> Catalog:
    """The catalog of a new collection; the one that another process made just before, if so.

    It is a shared one at ``url``, if that is given.
    """
    with unwritable(folder):
        os.makedirs(folder, exist_ok=True)
    deadline = time.monotonic() + _CREATION_SECONDS
    while True:
        with suppress(CollectionNotFoundError):  # also where its maker has the lock, and goes on
            return Catalog(folder, url)
        try:
            with writer_lock(folder):
                return _made(folder, identity, url, thumbnails=thumbnails)
        except CollectionLockedError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_BETWEEN_TRIES)


def _made(folder: str, identity: Identity, url: str, *, thumbnails: bool) -> Catalog:
    """The same, for who has the writer's lock."""
    with suppress(CollectionNotFoundError):
        return Catalog(folder, url)
    catalog = Catalog.create(folder, identity, url)
    if not thumbnails:
        with catalog.transaction():
            catalog.switches.set_thumbnails(on=False)
    return catalog


def refuse_lost(folder: str, *, create: bool) -> None:
    """Say that a catalog was lost where its store is there: an error, or a warning if one is made.

    Raises:
        CollectionCorruptError: it was, and none is to be made.
    """
    if not is_ours(os.path.join(folder, STORE_FILE_NAME)):
        return
    lost = CollectionCorruptError(
        url_of(folder) or os.path.join(folder, FILE_NAME),
        "it is missing or empty, although its search index exists",
        "restore a copy of it if you have one, or index again",
    )
    if not create:
        raise lost
    _log.warning("%s: creating a new one", lost)


def refuse_other_thumbnails(catalog: Catalog, thumbnails: bool | None) -> None:
    """Raise CollectionMismatchError where a collection does with thumbnails as was not asked."""
    if thumbnails is not None:
        words = {True: "on", False: "off"}
        asked = words[thumbnails]
        remedy = f"Change it with 'iss thumbnails --{asked}'."
        _refuse("thumbnails setting", words[catalog.switches.thumbnails], asked, remedy)


def refuse_taken(identity: Identity) -> None:
    """Refuse to make a new collection whose place in its engine is taken.

    Raises:
        StoreMismatchError: something is there.
        StoreUnavailableError: the engine can't be reached.
    """
    if not identity.store:
        return
    from image_similarity_search.stores.engines import Address, open_engine

    with closing(open_engine(Address.parse(identity.store))) as engine:
        if engine.find():
            raise StoreMismatchError(identity.store, "another collection")


def check_encoder(name: str, encoder: object) -> None:
    """Refuse what is given as the argument ``name``, and no encoder, with a ConfigError."""
    if encoder is None or isinstance(encoder, str | EncoderSpec):
        return
    if flaw := flaw_of(encoder):
        expected = "the name of an encoder, an EncoderSpec, or an encoder object"
        said = f"{name} is {encoder!r}; expected {expected}: {flaw}"
        raise ConfigError(name, encoder, expected, said)


def check_metric(metric: str | None) -> None:
    """Refuse a metric that there is not, with a ConfigError."""
    if metric is not None and metric not in METRICS:
        raise ConfigError("metric", metric, f"one of {', '.join(METRICS)}")


def refuse_other(
    stored: Identity, metric: Metric | None, index: str | None, store: str | None = None
) -> None:
    """Raise CollectionMismatchError where another metric, index or store is asked for."""
    if store is not None and (url := store_url(store)) != stored.store:
        from image_similarity_search.stores.engines import EMBEDDED

        words = (stored.store or EMBEDDED, url or EMBEDDED)
        _refuse("store", *words, f"Change it with 'iss move --to {words[1]}'.")
    if metric is not None:
        _refuse("metric", stored.metric, metric, _ELSEWHERE)
    if index is not None:
        check_index(index, stored)
        _refuse("index", stored.index, index, f"Change it with 'iss rebuild --index {index}'.")


def refuse_other_runtime(stored: Identity, device: Device) -> None:
    """Raise CollectionMismatchError where a device is asked for that gives other embeddings."""
    # without a spec the encoder is an object of the caller's own, and runs where that says
    if device == "openvino" and stored.encoder_spec and not stored_spec(stored).runtime:
        _refuse("runtime", "ONNX Runtime", "OpenVINO", _ELSEWHERE)


def matching_encoder(
    stored: Identity, asked: str | EncoderSpec | Encoder | None, device: Device
) -> Encoder | None:
    """The encoder that is asked for, or None where that is the stored one, not yet made.

    Only a model or weights in another file than before are made here, to be compared.

    Raises:
        CollectionMismatchError: it gives other embeddings than the stored one.
        EncoderUnavailableError: a file is missing.
    """
    if asked is None:
        return None
    if not isinstance(asked, str | EncoderSpec):
        _refuse_encoder(stored, asked, _ELSEWHERE)
        return asked
    spec, known = registry.resolved(asked), stored_spec(stored)
    moved = _is_file(spec.model) and _is_file(known.model)
    same_model = moved or spec.model in (None, known.model)
    given = spec.filled_from(known) if same_model else spec
    if given == known:
        return None
    if stored.fingerprint:  # otherwise any may be tried: see ``binding``
        for what in ("resize", "crop", "interpolation", "fit"):
            if (value := getattr(given, what)) is not None:
                _refuse(what, getattr(known, what) or "the encoder's default", value, _ELSEWHERE)
        if not same_model:
            _refuse("model", known.model, given.model, _ELSEWHERE)
    encoder = registry.create(given, device)
    _refuse_encoder(stored, encoder, _ELSEWHERE)
    return encoder


def checked_encoder(stored: Identity, device: Device) -> Encoder:
    """The encoder that a collection was made with.

    Raises:
        EncoderNotHereError: it is somebody's own: hand it to ``Collection.open``.
        EncoderUnavailableError: something it needs is missing.
        CollectionMismatchError: the one of this name has another fingerprint or dimension now.
    """
    try:
        encoder = registry.create(stored_spec(stored), device)
    except UnknownEncoderError as error:
        raise _not_made_here(stored.encoder) from error
    _refuse_encoder(
        stored, encoder, "The model has changed since: index again in another index folder."
    )
    return encoder


def _not_made_here(name: str) -> EncoderNotHereError:
    hand_over = "Collection.open(..., encoder=YOUR_ENCODER)"
    if name == UNKNOWN_ENCODER:
        return EncoderNotHereError(
            name,
            "the embeddings were imported without naming the model that made them",
            f"Name the model (--model NAME), or give the encoder in Python: {hand_over}."
            " Searching by an image of the collection needs neither: --id N.",
        )
    problem = "it is not a built-in model"
    return EncoderNotHereError(name, problem, f"Open the collection from Python: {hand_over}.")


def text_encoder(stored: Identity) -> TextEncoder:
    """What embeds texts for a collection.

    Raises:
        EncoderUnavailableError: its encoder has no text tower, or something it needs is missing.
    """
    return registry.create_text(stored_spec(stored), stored.dim)


def has_text(stored: Identity) -> bool:
    """Whether a collection can be searched by text."""
    return registry.has_text(stored_spec(stored))


def stored_spec(stored: Identity) -> EncoderSpec:
    """How the encoder of a collection was made, as far as that is known."""
    if stored.encoder_spec:
        spec = EncoderSpec.from_json(stored.encoder_spec)
        return replace(spec, fit=spec.fit or "crop")  # of which nothing was said, once
    spec = EncoderSpec(stored.encoder)
    row = ENCODERS.get(stored.encoder)
    return spec.made_with(row.preprocessing) if row else spec


def _is_file(model: str | None) -> bool:
    return model is not None and model not in ENCODERS and registry.is_onnx_file(model)


def _refuse_encoder(stored: Identity, encoder: Encoder, remedy: str) -> None:
    if stored.fingerprint:  # else the embeddings are compared: see ``binding``
        _refuse("model", stored.fingerprint, encoder.fingerprint, remedy)
    _refuse("dimension", stored.dim, encoder.dim, f"That is what {encoder.name} has. {remedy}")


def _refuse(what: str, stored: object, given: object, remedy: str) -> None:
    if stored != given:
        raise CollectionMismatchError(what, stored, given, remedy)
