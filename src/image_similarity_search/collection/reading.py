"""What a collection says of its images, and of itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from image_similarity_search import markup
from image_similarity_search.arguments import listed
from image_similarity_search.collection.description import described
from image_similarity_search.collection.lookup import ImageName, record_of
from image_similarity_search.collection.opened import OpenedCollection
from image_similarity_search.collection.queries import is_id
from image_similarity_search.collection.thumbnails import Make
from image_similarity_search.errors import ConfigError, ImageNotFoundError, ImageSearchError
from image_similarity_search.filters import Filter
from image_similarity_search.galleries import Gallery, Tile, gallery, size, tile_of
from image_similarity_search.reports import CollectionInfo, VerifyReport
from image_similarity_search.types import FloatArray, ImageRecord, Traits, checked_count


class ReadableCollection(OpenedCollection):
    """The use cases that look things up."""

    def __len__(self) -> int:
        """How many images can be found."""
        return self._catalog.count_found()

    def __repr__(self) -> str:
        """Where it is, and how many images can be found, as far as that can be told now."""
        try:
            found = f"{len(self):,} images"
        except ImageSearchError:
            found = "closed, or unreadable"
        return f"<{type(self).__name__} {self._folder!r}: {found}>"

    def __iter__(self) -> Iterator[ImageRecord]:
        """Every indexed image, in order of id."""
        return self._catalog.all_records()

    def __contains__(self, image: object) -> bool:
        """Whether an image can be found: given by its id or path, or as the record that it has."""
        if isinstance(image, ImageRecord):
            return self._catalog.record(image.id) == image
        name = int(image) if is_id(image) else image
        if not isinstance(name, int | str | os.PathLike):
            return False
        try:
            return record_of(self._catalog, name).state == "indexed"
        except (ImageNotFoundError, ConfigError):  # no image, or no path
            return False

    def get(self, image: int | str | os.PathLike[str]) -> ImageRecord:
        """The record of the image of this id or path, skipped ones too.

        Raises:
            ImageNotFoundError: there is none.
        """
        return record_of(self._catalog, image)

    def embeddings(self, images: Sequence[ImageName]) -> FloatArray:
        """The stored embeddings ``(n, dim)``, float32, of images given by id or path, in order.

        They are what ``embed`` gave, rounded to float16 as unit vectors, with their length.

        Raises:
            ImageNotFoundError: one of them is not in the collection, or skipped.
            ConfigError: ``images`` is one, and not a list of some.
        """
        names = listed("images", images, "a list of ids or paths, also of one")
        found = self._searcher.embeddings([record_of(self._catalog, name).id for name in names])
        return found.comparable("ip")

    def thumbnail(self, image: int | str | os.PathLike[str], *, make: Make | None = None) -> bytes:
        """A small upright JPEG of the image of this id or path, its longer side some 256 pixels.

        Where none was kept it is made of the file, in this process, or by ``make``.

        Raises:
            ImageNotFoundError: there is no such image, or its file is gone.
            ImageUnreadableError: its file is no picture.
        """
        return self._thumbnails.of(image, make)

    def images(
        self, where: Filter | None = None, *, after: int = 0, offset: int = 0, limit: int = 100
    ) -> list[ImageRecord]:
        """The first ``limit`` images with an id greater than ``after``, in order of id.

        The next page is asked for by the id of the last image of this one; ``offset`` passes
        over so many images, to begin anywhere.

        Raises:
            FolderNotFoundError, ConfigError: as ``search`` does of ``where``; or ``after`` or
                ``offset`` is less than 0, or ``limit`` less than 1.
        """
        return Gallery(self._filtering.page(where, after, offset, limit), self._tile)

    def count(self, where: Filter | None = None) -> int:
        """How many images ``where`` lets through; without it, how many can be found.

        Raises:
            FolderNotFoundError, ConfigError: as ``search`` does of ``where``.
        """
        return self._filtering.count(where)

    def traits(self, image: int | str | os.PathLike[str]) -> Traits | None:
        """What the file of an image says of itself, and its colours.

        None where that was not read: the next ``sync`` of its folder does.

        Raises:
            ImageNotFoundError: there is no such image.
        """
        return self._catalog.traits.of(record_of(self._catalog, image).id)

    def cameras(self) -> dict[str, int]:
        """How many images each camera took, as their files say, in order of the cameras."""
        return self._catalog.traits.cameras()

    def tags(self) -> dict[str, int]:
        """How many images have each tag, in order of the tags."""
        return self._catalog.tags.counts()

    def roots(self) -> list[str]:
        """The folders that were indexed."""
        return sorted(self._catalog.places.roots().values())

    def skipped(self, *, after: int = 0) -> Iterator[ImageRecord]:
        """The bad files with an id greater than ``after``, each with its reason, in order of id.

        Raises:
            ConfigError: ``after`` is not a whole number, 0 or more.
        """
        after = checked_count("after", after, "a whole number, 0 or more", least=0)
        return self._catalog.all_records(skipped=True, after=after)

    def info(self) -> CollectionInfo:
        """What the collection is made of."""
        return described(self._folder, self._catalog, self._keeper)

    def verify(self, *, files: bool = False) -> VerifyReport:
        """Check all that is stored, and with ``files`` that the image files are as indexed."""
        from image_similarity_search.collection.verify import verified

        self._check_open()
        return verified(self._folder, files=files)

    def _repr_html_(self) -> str:
        info = self.info()
        words = f"{info.indexed:,} images of {info.encoder} in {info.index_dir}"
        return f"<p>{markup.text(words)}</p>" + gallery([*map(self._tile, self.images(limit=12))])

    def _tile(self, record: ImageRecord) -> Tile:
        """How a notebook shows an image."""
        return tile_of(record, size(record.width, record.height), self._thumbnails.look)
