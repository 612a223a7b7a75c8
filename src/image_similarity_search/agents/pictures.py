"""Pictures that an agent names by their paths, read only inside the folders that are allowed."""

from __future__ import annotations

import os
from collections.abc import Sequence

from image_similarity_search.addresses import is_address
from image_similarity_search.collection import Collection
from image_similarity_search.collection.orientations import Way
from image_similarity_search.errors import FolderNotFoundError, ImageNotFoundError
from image_similarity_search.images.decode import content_hash
from image_similarity_search.service.files import read_inside
from image_similarity_search.service.roots import Roots
from image_similarity_search.types import FloatArray, ImageRecord, Region


class Pictures:
    """Reads and decodes pictures for an agent, by the limits of uploads; close it.

    Inside the indexed folders, and those given besides; links are followed as far as they stay
    within. What is read is decoded in processes of its own.
    """

    def __init__(self, collection: Collection, folders: Sequence[str]) -> None:
        """Pictures of ``collection``, and of ``folders``.

        Raises:
            FolderNotFoundError: one of these is none.
        """
        for folder in folders:
            if not os.path.isdir(folder):
                raise FolderNotFoundError(folder, "no such folder")
        self._collection = collection
        self._folders = [os.path.realpath(folder) for folder in folders]
        self._uploads = collection.uploads()

    def close(self) -> None:
        """End the processes."""
        self._uploads.close()

    def embedding(self, path: str, region: Region | None, ways: Sequence[Way]) -> FloatArray:
        """The embeddings ``(ways, dim)`` of a picture, or of a part of it.

        Raises:
            ImageNotFoundError: there is no such file in a folder that is allowed.
            ImageError: it is no picture, has too many pixels, or takes too long.
        """
        return self._uploads.embed(self._read(path), region, ways).result()

    def thumbnail(self, record: ImageRecord) -> bytes:
        """A small upright JPEG of an image of the collection.

        Raises:
            ImageError: it has none, and its file can't be read, or lies in no indexed folder.
        """
        return self._collection.thumbnail(record.id, make=self._make)

    def _make(self, record: ImageRecord) -> tuple[str, bytes]:
        data = self._read(record.path)
        return content_hash(data), self._uploads.thumbnail(data)

    def _read(self, path: str) -> bytes:
        allowed = Roots([*self._collection.roots(), *self._folders])
        if not (is_address(path) or os.path.isabs(path)):
            raise ImageNotFoundError(path, "give the absolute path of the file")
        try:
            return read_inside(path, allowed)
        except ImageNotFoundError as error:
            places = ", ".join(allowed.by_name.values()) or "none"
            # the same words whether it is there or not: nothing is told of other folders
            reason = f"no such picture in the allowed folders ({places})"
            raise ImageNotFoundError(path, reason) from error
