"""The place of one collection in a Milvus server.

What a collection is called there is an alias. Behind it stands one of a name of its own, made
aside and filled before the alias leads to it: whoever searches meanwhile sees the former one.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

from image_similarity_search.errors import StoreMismatchError
from image_similarity_search.stores.engines import milvus_label
from image_similarity_search.stores.engines.base import EngineStore, Label
from image_similarity_search.stores.engines.milvus_connection import MilvusConnection
from image_similarity_search.stores.engines.milvus_kinds import KINDS, METRIC_TYPES, check_kind
from image_similarity_search.stores.engines.milvus_label import Written
from image_similarity_search.stores.engines.milvus_store import ID, VECTOR, MilvusStore

_LOAD_SECONDS = 600.0  # a large collection that was not in memory

_log = logging.getLogger(__name__)


class MilvusEngine:
    """One collection's place; ``Engine`` says what can be done there."""

    def __init__(self, connection: MilvusConnection) -> None:
        self._connection = connection
        self._alias = connection.address.name
        self._prefix = f"{self._alias}_iss_"

    def find(self) -> EngineStore | None:
        """The store that is in place, ready to be searched; None where there is none.

        Raises:
            StoreMismatchError: a collection is there that this package did not make.
            StoreUnavailableError: the server can't be reached.
        """
        found = self._connection.description(self._alias)
        if found is None:
            return None
        collection = str(found["collection_name"])
        written = milvus_label.read(found.get("properties", {}))
        if written is None or collection == self._alias:
            raise StoreMismatchError(
                str(self._connection.address), "a collection that this program did not create"
            )
        if not _is_as_written(found, written):
            raise StoreMismatchError(
                str(self._connection.address),
                f"a collection whose schema differs from its label ({written.label})",
            )
        self._load(collection)
        return MilvusStore(self._connection, self._alias, collection, written)

    def begun(self, label: Label) -> EngineStore:
        """A store to be filled, beside the one in place: one begun before, or a new one.

        Others of this collection that were begun are dropped.
        """
        going_on = None
        for collection, found, written in self._aside(label.identity):
            usable = written.label == label and _is_as_written(found, written)
            if going_on is None and usable and written.filled:
                _log.info("%s: continuing with %s", self._connection.address, collection)
                going_on = MilvusStore(self._connection, collection, collection, written)
            else:
                self._connection.call("drop_collection", collection)
        if going_on is None:
            return self._made(label)
        self._load(going_on.collection)
        return going_on

    def put_in_place(self, store: EngineStore) -> None:
        """Search ``store`` from now on, at once and for everybody; the former one is dropped."""
        if not isinstance(store, MilvusStore):
            raise TypeError(store)
        former = self._connection.description(self._alias)
        change = "create_alias" if former is None else "alter_alias"
        self._connection.call(change, store.collection, self._alias)
        if former is not None and former["collection_name"] != store.collection:
            self._connection.call("drop_collection", former["collection_name"])

    def drop(self, identity: str) -> None:
        """Drop what is there of the collection ``identity``, in place or begun."""
        found = self._connection.description(self._alias)
        written = milvus_label.read(found.get("properties", {})) if found else None
        if found and written and written.label.identity == identity:
            self._connection.call("drop_alias", self._alias)
            self._connection.call("drop_collection", found["collection_name"])
        for collection, _, _ in self._aside(identity):
            self._connection.call("drop_collection", collection)

    def close(self) -> None:
        """Leave the server."""
        self._connection.close()

    def _made(self, label: Label) -> MilvusStore:
        check_kind(label.kind, label.metric)
        kind, milvus = KINDS[label.kind], self._connection.milvus
        schema = milvus.MilvusClient.create_schema(
            auto_id=False, enable_dynamic_field=False, description=f"embeddings, {label.encoder}"
        )
        schema.add_field(ID, milvus.DataType.INT64, is_primary=True)
        schema.add_field(VECTOR, milvus.DataType.FLOAT_VECTOR, dim=label.dim)
        index = milvus.MilvusClient.prepare_index_params()
        index.add_index(
            VECTOR,
            index_type=kind.index_type,
            metric_type=METRIC_TYPES[label.metric],
            params=kind.build,
        )
        collection, written = f"{self._prefix}{uuid.uuid4().hex[:12]}", Written(label)
        self._connection.call(
            "create_collection",
            collection,
            schema=schema,
            consistency_level="Strong",
            properties=written.properties(),
        )
        self._connection.call("create_index", collection, index)
        self._load(collection)
        return MilvusStore(self._connection, collection, collection, written)

    def _load(self, collection: str) -> None:
        """Have the server hold it in memory, where searches find it; done already, mostly."""
        state = self._connection.call("get_load_state", collection)
        if "Loaded" not in str(state.get("state")) or "NotLoad" in str(state.get("state")):
            self._connection.call("load_collection", collection, timeout=_LOAD_SECONDS)

    def _aside(self, identity: str) -> list[tuple[str, dict[str, Any], Written]]:
        """The collections of ``identity`` that were begun, and are not in place."""
        found = []
        for collection in self._connection.call("list_collections"):
            if not collection.startswith(self._prefix):
                continue
            known = self._connection.description(collection)
            written = milvus_label.read(known.get("properties", {})) if known else None
            if known and written and written.label.identity == identity and not known["aliases"]:
                found.append((collection, known, written))
        return found


def _is_as_written(found: dict[str, Any], written: Written) -> bool:
    """Whether a collection has the form that its label says."""
    forms = {field["name"]: field.get("params", {}).get("dim") for field in found["fields"]}
    known = written.label.kind in KINDS
    return known and forms == {ID: None, VECTOR: written.label.dim}
