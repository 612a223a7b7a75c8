"""The parts of a collection that is open, and what its use cases share."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Self

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.asking import Asker
from image_similarity_search.collection.binding import Binding
from image_similarity_search.collection.copies import with_copies
from image_similarity_search.collection.embedding import Embedder
from image_similarity_search.collection.filtering import Filtering
from image_similarity_search.collection.identity import (
    checked_encoder,
    stored_spec,
    text_encoder,
)
from image_similarity_search.collection.keepers import keeper_for
from image_similarity_search.collection.pipeline import Decoders, Load
from image_similarity_search.collection.search import Searcher
from image_similarity_search.collection.thumbnails import Thumbnails
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.devices import Device
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.encoders.text import TextEncoder
from image_similarity_search.errors import CollectionClosedError
from image_similarity_search.types import FloatArray, checked_seconds

if TYPE_CHECKING:  # what few processes need, they import when they do
    from image_similarity_search.collection.explaining.explainer import Explainer


class OpenedCollection:
    """Encoder, catalog and store of one collection, kept together."""

    def __init__(
        self,
        folder: str,
        catalog: Catalog,
        encoder: Encoder | None,
        device: Device,
        decoders: Decoders,
        wait: float = 0.0,
    ) -> None:
        """For ``open``."""
        self._closed = False
        self._folder = folder
        self._device = device
        self._wait = wait
        self._embedding = Embedder(encoder) if encoder else None
        self._text: TextEncoder | None = None
        self._making_text = threading.Lock()  # which may be fetched: pictures do not wait for it
        self._making = threading.Lock()
        self._decoders = decoders
        self._use(catalog)

    def _use(self, catalog: Catalog) -> None:
        """Be the collection of this catalog."""
        self._catalog = catalog
        self._binding = Binding(catalog, self._folder)
        self._filtering = Filtering(catalog)
        self._thumbnails = Thumbnails(catalog, self._folder)
        self._search_by_store()

    def _search_by_store(self) -> None:
        """Search with the store that the catalog names."""
        self._keeper = keeper_for(self._catalog, self._folder)
        self._searcher = Searcher(self._catalog, self._keeper, self._filtering)
        self._asker = Asker(
            self._catalog, self._searcher, self._thumbnails, self._embedder_to_search, self._texts
        )

    def close(self) -> None:
        """Close the files and end the processes; closing twice is fine.

        What is asked afterwards raises CollectionClosedError. An encoder that was got before works.
        """
        self._closed = True
        self._decoders.close()
        self._let_go()

    def _let_go(self) -> None:
        """Close the catalog, and what follows it."""
        self._thumbnails.close()
        self._keeper.close()
        self._catalog.close()

    def is_in_place(self) -> bool:
        """Whether what is open is still what lies in its folder: cheap, for who keeps it open.

        Reading goes on without the files, as far as they were read: what is found then is of old.

        Raises:
            CollectionUnavailableError: its catalog is shared, and can't be reached.
        """
        return not self._keeper.is_left and self._catalog.is_in_place()

    def _check_open(self) -> None:
        """Raise CollectionClosedError where it was closed: for what needs no catalog."""
        if self._closed:
            raise CollectionClosedError(self._catalog.path)

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def encoder(self) -> Encoder:
        """The encoder, made at its first use.

        Raises:
            CollectionClosedError: the collection was closed.
            CollectionMismatchError: the one of this name gives other embeddings.
        """
        return self._embedder().encoder

    def _embedder(self, *, writing: bool = False) -> Embedder:
        self._check_open()
        with self._making:
            if self._embedding is None:
                self._embedding = Embedder(checked_encoder(self._catalog.identity, self._device))
            self._binding.confirm(self._embedding, writing=writing)
            return self._embedding

    def _embedder_to_search(self) -> Embedder:
        """The encoder, for who needs the store next: that is loaded meanwhile."""
        spec = stored_spec(self._catalog.identity)
        if self._embedding is None and registry.runs_by_onnx(spec, self._device):
            self._keeper.begin_to_load(after="onnxruntime")  # whose session is built without Python
        return self._embedder()

    @cached_property
    def _explainer(self) -> Explainer:
        from image_similarity_search.collection.explaining.explainer import Explainer

        return Explainer(self._embedder, self._catalog.identity.metric)

    def _texts(self, texts: Sequence[str]) -> FloatArray:
        """The embeddings ``(n, dim)`` of texts.

        Raises:
            EncoderUnavailableError: there is no text tower, or something it needs is missing.
        """
        self._check_open()
        with self._making_text:
            if self._text is None:
                self._text = text_encoder(self._catalog.identity)
        return self._text.encode(texts)

    def _prepared(self, time_limit: float) -> tuple[Embedder, Load]:
        """What encodes pictures for the catalog, and what reads and decodes their files."""
        if self._embedding is None:
            self._decoders.prepare()  # which takes about as long as to make the encoder
        embedder = self._embedder(writing=True)
        return embedder, self._loading(embedder.encoder.preprocessing, time_limit)

    @contextmanager
    def _prepared_on(self, on: str | None, time_limit: float) -> Iterator[tuple[Embedder, Load]]:
        """As ``_prepared``; with ``on``, a cluster does it, to the end of the block."""
        if on is None:
            yield self._prepared(time_limit)
            return
        from image_similarity_search.collection.cluster.address import checked_cluster
        from image_similarity_search.collection.cluster.connection import connected
        from image_similarity_search.collection.cluster.loading import loading_on, task_for

        address = checked_cluster(on)
        time_limit = checked_seconds("time_limit", time_limit)
        embedder = self._embedder(writing=True)
        thumbnails, identity = self._thumbnails.wanted, self._catalog.identity
        with connected(address) as cluster:
            task = task_for(cluster, identity, embedder.encoder, time_limit, thumbnails=thumbnails)
            yield embedder, loading_on(cluster, task)

    def _loading(self, preprocessing: Preprocessing, time_limit: float) -> Load:
        """What reads and decodes files."""
        time_limit = checked_seconds("time_limit", time_limit)
        load = partial(
            self._decoders.load_all,
            preprocessing=preprocessing,
            time_limit=time_limit,
            thumbnails=self._thumbnails.wanted,
        )
        return with_copies(load, time_limit)

    @contextmanager
    def _writing(self, turn: AbstractContextManager[None] | None = None) -> Iterator[None]:
        """Hold the write lock (by default the shared one), and check that nothing was replaced."""
        with turn or self._catalog.turns.beside(self._wait):
            self._catalog.check_in_place()
            self._keeper.check_place()
            self._thumbnails.prepare()
            try:
                yield
            finally:
                self._catalog.make_durable()
