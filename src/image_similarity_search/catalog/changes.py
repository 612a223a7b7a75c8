"""Images that are put into the catalog, moved within it and removed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Set

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.embeddings import EmbeddingTable
from image_similarity_search.catalog.etags import with_etag
from image_similarity_search.catalog.forgotten import ForgottenTags
from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.removals import Removals
from image_similarity_search.catalog.rows import ImageRow, Rows
from image_similarity_search.catalog.tags import TAGS
from image_similarity_search.catalog.traits import TraitTable
from image_similarity_search.catalog.values import NOTES, FileStat, Picture, displaced_name
from image_similarity_search.types import Traits


class Changes:
    """The changes to the images of one catalog, each within a transaction.

    ``generation`` is the one that the transaction makes.
    """

    generation = 0

    def __init__(
        self,
        database: AnyDatabase,
        rows: Rows,
        embeddings: EmbeddingTable,
        traits: TraitTable,
        removals: Removals,
        forgotten: ForgottenTags,
    ) -> None:
        self._database = database
        self._rows = rows
        self._embeddings = embeddings
        self._traits = traits
        self._removals = removals
        self._forgotten = forgotten

    def look_ahead(self, contents: Iterable[str], places: Iterable[Place]) -> None:
        """These contents and places will be asked for, one after the other."""
        self._rows.look_ahead(
            [bytes.fromhex(content) for content in contents],
            [(place.folder_id, os.fsencode(place.name)) for place in places],
        )

    def put(self, place: Place, stat: FileStat, picture: Picture) -> int:
        """Record an indexed image, new or changed; returns its id.

        One without tags gets those of a forgotten image of the same content.
        """
        image = self._row_for(place, stat)
        content = bytes.fromhex(picture.content_hash)
        image = image._replace(
            content_hash=content,
            width=picture.width,
            height=picture.height,
            metadata=self._with_former_tags(image, content),
        )
        crc32 = self._embeddings.put(image.id, picture.unit, picture.norm)
        self._rows.update_image(image._replace(embedding_crc32=crc32))
        if picture.traits is None:
            self._traits.forget([image.id])
        else:
            self._traits.put(image.id, picture.traits)
        return image.id

    def put_skipped(
        self, place: Place, stat: FileStat, content_hash: str | None, reason: str
    ) -> int:
        """Record a bad file; an embedding that it had is taken away. Returns its id.

        Its tags stay, and are remembered by its former content: that may be back elsewhere.
        """
        digest = bytes.fromhex(content_hash) if content_hash else None
        reason = reason.replace("\0", "\ufffd")  # a library may put one in; PostgreSQL takes none
        if known := self._rows.image_at(place.folder_id, os.fsencode(place.name)):
            self._forgotten.remember([known.id], self.generation)
        image = self._row_for(place, stat)
        self._rows.update_image(image._replace(content_hash=digest, state="skipped", reason=reason))
        self._removals.take_away([image.id], self.generation)
        self._traits.forget([image.id])
        return image.id

    def move(self, id_: int, place: Place, stat: FileStat) -> int | None:
        """The file of an image is now elsewhere, or was touched; its content is the same.

        An image that was recorded at that place is displaced: it gets a name that no file has,
        until its file is found elsewhere too, or it is removed. Returns its id, if there is one.
        """
        name = os.fsencode(place.name)
        moved = self._rows.image_of(id_)
        there = self._rows.image_at(place.folder_id, name)
        displaced = there.id if there and there.id != id_ else None
        if there and displaced is not None:
            self._rows.update_image(there._replace(name=displaced_name(displaced)))
        if moved:
            self._rows.update_image(
                moved._replace(
                    folder_id=place.folder_id,
                    name=name,
                    size=stat.size,
                    mtime_ns=stat.mtime_ns,
                    metadata=with_etag(moved.metadata, stat.etag),
                )
            )
        return displaced

    def put_traits(self, id_: int, traits: Traits) -> None:
        """Record what the file of an image says, which was indexed before without."""
        self._traits.put(id_, traits)
        self._rows.edited.add(NOTES)

    def remove(self, ids: Iterable[int], *, handed_on: Set[int] = frozenset()) -> None:
        """Forget these images, but not their tags, except where these were ``handed_on``."""
        gone = [int(id_) for id_ in ids]
        self._forgotten.remember([id_ for id_ in gone if id_ not in handed_on], self.generation)
        self._removals.take_away(gone, self.generation)
        self._database.write_many("DELETE FROM images WHERE id = ?", ((id_,) for id_ in gone))

    def _with_former_tags(self, image: ImageRow, content: bytes) -> str:
        """The metadata of an image, with the tags of a forgotten one where it has none."""
        metadata = json.loads(image.metadata)
        if TAGS in metadata:
            self._forgotten.drop(image.id, content)
            return image.metadata
        tags = self._forgotten.take(content, image.name)
        return json.dumps(metadata | {TAGS: tags}) if tags else image.metadata

    def _row_for(self, place: Place, stat: FileStat) -> ImageRow:
        """The row of the image at ``place``, which is made if it is new, with all else unset."""
        name = os.fsencode(place.name)
        known = self._rows.image_at(place.folder_id, name)
        image = ImageRow(
            id=known.id if known else 0,
            folder_id=place.folder_id,
            name=name,
            size=stat.size,
            mtime_ns=stat.mtime_ns,
            generation=self.generation,
            metadata=with_etag(known.metadata if known else "{}", stat.etag),
        )
        return image if known else image._replace(id=self._rows.insert_image(image))
