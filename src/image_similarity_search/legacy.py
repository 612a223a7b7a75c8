"""The class that the well-known recipe has, over a ``Collection``."""

from __future__ import annotations

import logging
import os
from itertools import islice
from typing import Self, TypedDict

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.places import relative
from image_similarity_search.collection import DEFAULT_INDEX_DIR, Collection
from image_similarity_search.collection.queries import Query, checked_path
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.devices import Device
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.errors import (
    CollectionLockedError,
    CollectionMismatchError,
    CollectionNotFoundError,
    CollectionUnwritableError,
    FolderNotFoundError,
    ImageUnreadableError,
    SourceUnavailableError,
)
from image_similarity_search.galleries import shown_as
from image_similarity_search.types import Metric

_LOOKED_AT = 1000  # images

_log = logging.getLogger(__name__)


class SimilarImage(TypedDict):
    """One result: a path below the folder that was given, and a score up to 1.0."""

    path: str
    score: float


class ImageSimilaritySearch:
    """Finds the pictures of a folder that look like a given one.

    The index in ``index_dir`` is made at the first start. Later starts load it and bring it up
    to date with the folder: only new and changed pictures are encoded. A folder that is not
    there (an unplugged disk, say) leaves the index as it is.

    Args:
        image_dir: the folder of pictures.
        index_dir: where the index is kept.
        model: the encoder's name, an ONNX file, a spec, or an encoder; by default what the index
            was made with.
        metric: ``cosine``, ``l2``, ``l1`` or ``ip``; by default what the index was made with.
        index: the kind of store, such as ``ivf`` or a FAISS factory string; the same.
        device: ``auto``, ``cpu``, ``cuda`` or ``openvino``.

    Raises:
        FolderNotFoundError: there is neither the folder nor an index of it.
        CollectionMismatchError: the index was made with another model, metric or kind of store,
            or it is of another folder.

    Example:
        >>> searcher = ImageSimilaritySearch("images")  # doctest: +SKIP
        >>> searcher.find_similar("query.jpg", k=5)  # doctest: +SKIP
        [{'path': 'images/a.jpg', 'score': 0.93}, ...]
    """

    def __init__(
        self,
        image_dir: str | os.PathLike[str],
        index_dir: str | os.PathLike[str] = DEFAULT_INDEX_DIR,
        *,
        model: str | EncoderSpec | Encoder | None = None,
        metric: Metric | None = None,
        index: str | None = None,
        device: Device = "auto",
    ) -> None:
        self.image_dir = checked_path(image_dir)
        stored = is_address(self.image_dir)
        self._root = self.image_dir if stored else os.path.realpath(self.image_dir)
        there = stored or os.path.isdir(self._root)
        try:
            self.collection = Collection.open(
                index_dir, encoder=model, metric=metric, index=index, device=device, create=there
            )
        except CollectionNotFoundError as error:
            raise FolderNotFoundError(
                self.image_dir, "no such folder, and no index of it"
            ) from error
        try:
            self._refuse_another_folder()
            if there:
                self._bring_up_to_date()
        except BaseException:
            self.close()
            raise

    def find_similar(self, query: Query, k: int = 5) -> list[SimilarImage]:
        """The ``k`` pictures most like ``query``, the most alike first.

        A notebook shows the list as a gallery.

        Args:
            query: what ``Collection.search`` takes: a path, a file's bytes, a PIL image, a
                uint8 RGB array ``(h, w, 3)``, the id of an image of the index, or a ``Text``.
            k: how many, at most.

        Raises:
            ImageNotFoundError: there is no such file, or no image of this id.
            ImageUnreadableError: it is no picture.
            ConfigError: it is nothing that can be searched by, or ``k`` is less than 1.
        """
        hits = self.collection.search(query, k)
        found: list[SimilarImage] = [
            {"path": self._as_given(hit.path), "score": hit.score} for hit in hits
        ]
        return shown_as(found, hits, key=lambda item: item["path"])

    def add_image_to_index(self, image: str | os.PathLike[str]) -> None:
        """Add one picture, from wherever it lies.

        Raises:
            ImageNotFoundError: there is no such file.
            ImageUnreadableError: it is no picture.
        """
        (record,) = self.collection.add(image)
        if record.state == "skipped":
            raise ImageUnreadableError(record.path, record.reason or "not a picture")

    def close(self) -> None:
        """Close the index; closing twice is fine."""
        self.collection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        """Of which folder it is, and what it searches in."""
        return f"<{type(self).__name__} of {self.image_dir!r} in {self.collection!r}>"

    def _bring_up_to_date(self) -> None:
        try:
            self.collection.sync(self._root)
        except (
            CollectionLockedError,
            CollectionUnwritableError,
            SourceUnavailableError,
        ) as error:
            _log.warning("%s; searching continues with the present index", error)

    def _refuse_another_folder(self) -> None:
        for root in self.collection.roots():
            below = relative(root, self._root) is not None  # it becomes part of this folder
            there = is_address(root) or os.path.isdir(root)
            if not below and (there or not self._was_moved_here(root)):
                raise CollectionMismatchError(
                    "folder",
                    root,
                    self._root,
                    "Give each folder its own index_dir, or use Collection, which can hold"
                    " several folders.",
                )

    def _was_moved_here(self, root: str) -> bool:
        """Whether a folder that is gone looks like the one that was given."""
        inner = (relative(record.path, root) for record in islice(self.collection, _LOOKED_AT))
        return any(path and os.path.exists(os.path.join(self._root, path)) for path in inner)

    def _as_given(self, path: str) -> str:
        """A path as the user would write it: below ``image_dir`` as that was given."""
        inner = relative(path, self._root)
        if inner is None or is_address(path):
            return path
        return os.path.join(self.image_dir, *inner.split("/"))
