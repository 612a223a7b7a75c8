"""Collections of any size of embeddings that were grown from real ones, made fast.

The rows are those that indexing would have written, checksums and all, in a few statements for
thousands of images: whoever opens the collection can't tell. There are no picture files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from image_similarity_search import Collection, Encoder, vectors
from image_similarity_search.catalog.checksums import Checksums
from image_similarity_search.catalog.database import Database
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.catalog.meta import Meta
from image_similarity_search.catalog.whereabouts import FILE_NAME
from image_similarity_search.types import FloatArray, Metric

_PER_FOLDER = 1000
_ROOT = b"/grown"


def fill(
    folder: Path,
    blocks: Iterable[FloatArray],
    index: str = "auto",
    metric: Metric = "cosine",
    encoder: Encoder | None = None,
) -> None:
    """Make a collection in ``folder`` that holds these embeddings; its store is not made yet."""
    with Collection.open(folder, encoder=encoder, index=index, metric=metric, create=True):
        pass
    database = Database(str(folder / FILE_NAME))
    try:
        with writer_lock(str(folder)):
            _Filling(database).run(blocks)
    finally:
        database.close()


class _Filling:
    """Rows for an empty catalog, all of generation 1."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._meta = Meta(database)
        self._checksums = Checksums(self._meta.read()["id"])
        self._count = 0

    def run(self, blocks: Iterable[FloatArray]) -> None:
        checksum = self._checksums.of("roots", 1, _ROOT)
        with self._database.transaction():
            self._database.write("INSERT INTO roots VALUES (1, ?, ?)", (_ROOT, checksum))
            self._meta.write({"generation": "1"})
        for block in blocks:
            with self._database.transaction():
                self._put(block)
        self._database.make_durable()

    def _put(self, block: FloatArray) -> None:
        units, norms = vectors.pack(block)
        folders, images, embeddings = [], [], []
        for unit, norm in zip(units, norms.tolist(), strict=True):
            number, self._count = self._count, self._count + 1
            id_, folder_id = number + 1, number // _PER_FOLDER + 1
            if number % _PER_FOLDER == 0:
                values = (folder_id, 1, b"%05d" % folder_id)
                folders.append((*values, self._checksums.of("folders", *values)))
            data = unit.tobytes()
            embedding_crc32 = self._checksums.of_embedding(id_, norm, data)
            image = (
                *(id_, folder_id, b"%08d.jpg" % number, 100_000, 0, number.to_bytes(16, "big")),
                *(640, 480, "indexed", None, 1, "{}", embedding_crc32),
            )
            images.append((*image, self._checksums.of_image((*image, 0))))
            embeddings.append((id_, norm, embedding_crc32, data))
        for table, rows in (("folders", folders), ("images", images), ("embeddings", embeddings)):
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                self._database.write_many(f"INSERT INTO {table} VALUES ({marks})", rows)


def size_on_disk(folder: Path) -> int:
    """Bytes of the files of a collection."""
    return sum(os.path.getsize(path) for path in folder.iterdir())
