"""Where a store, caught up, would hold something else than the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.history import TOO_OLD
from image_similarity_search.collection.filling import label_of
from image_similarity_search.errors import StoreError
from image_similarity_search.stores.engines import Address, EngineStore, open_engine
from image_similarity_search.types import FloatArray, IdArray, Moment

_TOLERANCE = 1e-4  # of a vector's length: another processor may have rounded otherwise
_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Held:
    """What a store holds.

    Attributes:
        path: where it is, for messages.
        moment: of the catalog, that it reflects.
        ids: of all its vectors, in any order.
        rows: the vectors with their ids, a part at a time; none where they are not kept in full.
    """

    path: str
    moment: Moment
    ids: IdArray
    rows: Iterable[tuple[IdArray, FloatArray]]


def contradictions(held: Held, catalog: Catalog, checked: dict[str, int]) -> Iterator[str]:
    """What is wrong, in words; within a snapshot of the catalog.

    Of a store that is too old to catch up nothing: it is made anew when it is used.
    """
    if why := catalog.history.why_not(held.moment):
        if why != TOO_OLD:
            was, now = held.moment.generation, catalog.generation
            yield f"{held.path} is of generation {was}, the catalog of {now}: {why}"
        return
    removed = catalog.removals.since(held.moment.generation)
    parts = [part.ids for part in catalog.embeddings.since(held.moment.generation)]
    changed = np.concatenate([np.empty(0, dtype=np.int64), *parts])
    ids = held.ids
    if len(np.unique(ids)) < len(ids):
        yield f"{held.path} holds an image twice"
    then = np.union1d(np.setdiff1d(ids, removed), changed)
    indexed = catalog.indexed_ids()
    for id_ in np.setdiff1d(then, indexed)[:3]:
        yield f"{held.path} holds image {id_}, which is not in the catalog"
    for id_ in np.setdiff1d(indexed, then)[:3]:
        yield f"{held.path} lacks image {id_}"
    same = np.setdiff1d(np.intersect1d(ids, indexed), np.union1d(removed, changed))
    for id_ in _differing(held, catalog, same, checked):
        yield f"{held.path} holds another vector of image {id_}"


def _differing(
    held: Held, catalog: Catalog, among: IdArray, checked: dict[str, int]
) -> Iterator[int]:
    for ids, rows in held.rows:
        found = catalog.embeddings.of(ids[np.isin(ids, among)])
        order = np.argsort(ids)
        stored = rows[order[np.searchsorted(ids, found.ids, sorter=order)]]
        expected = found.comparable(catalog.identity.metric)
        scale = np.maximum(np.abs(expected).max(axis=1, initial=0), np.finfo(np.float32).tiny)
        apart = np.abs(stored - expected).max(axis=1, initial=0) > _TOLERANCE * scale
        checked["compared"] = checked.get("compared", 0) + len(found.ids)
        yield from found.ids[apart].tolist()


def engine_contradictions(
    store: EngineStore, catalog: Catalog, checked: dict[str, int]
) -> list[str]:
    """The same of a store in an engine; it is read as a whole."""
    ids = np.concatenate([np.empty(0, dtype=np.int64), *store.ids()])
    checked["vectors"] = len(ids)
    rows = (store.vectors(ids[at : at + _ROWS]) for at in range(0, len(ids), _ROWS))
    held = Held(catalog.identity.store or "the engine", store.moment, ids, rows)
    return list(contradictions(held, catalog, checked))


def engine_problems(catalog: Catalog, checked: dict[str, int]) -> Iterator[str]:
    """What is wrong with what the catalog's engine holds; nothing is changed there.

    Where nothing is, or what is made anew when it is used next, there is nothing to compare.
    """
    url = catalog.identity.store
    try:
        with closing(open_engine(Address.parse(url))) as engine, catalog.snapshot():
            store = engine.find()
            if store is None:
                return
            if store.label.identity != catalog.identity.id:
                yield f"{url} holds another collection ({store.label.encoder})"
                return
            if store.label == label_of(catalog):
                yield from engine_contradictions(store, catalog, checked)
    except StoreError as error:
        yield f"{error}; it was not compared"
