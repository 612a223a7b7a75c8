"""The table ``embeddings``: each one checked whenever it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from image_similarity_search.catalog.any_database import AnyDatabase
from image_similarity_search.catalog.checksums import Checksums
from image_similarity_search.catalog.parts import Row
from image_similarity_search.catalog.values import Embeddings
from image_similarity_search.errors import CollectionCorruptError
from image_similarity_search.types import HalfArray, IdArray

UNIT_DTYPE = np.dtype("<f2")

_PUT = (
    "INSERT INTO embeddings (image_id, norm, crc32, unit) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (image_id) DO UPDATE"
    " SET norm = excluded.norm, crc32 = excluded.crc32, unit = excluded.unit"
)


class EmbeddingTable:
    """The embeddings of one catalog, of length ``dim``."""

    def __init__(self, database: AnyDatabase, checksums: Checksums, dim: int) -> None:
        self._database = database
        self._checksums = checksums
        self._dim = dim

    def of(self, ids: IdArray) -> Embeddings:
        """Those of these ids that there are, in no particular order.

        Raises, as all that reads them does:
            CollectionCorruptError: one of them is not as it was written.
        """
        rows = self._database.rows(
            "SELECT image_id, norm, unit, crc32 FROM embeddings"  # noqa: S608 - constants
            f" WHERE image_id {self._database.sql.in_ids}",
            (json.dumps(ids.tolist()),),
        )
        return self._checked(rows)

    def in_order(self, ids: IdArray) -> Embeddings:
        """Those of all of these ids, in their order.

        Raises:
            CollectionCorruptError: one of them is missing, or not as it was written.
        """
        found = self.of(ids)
        at = {id_: place for place, id_ in enumerate(found.ids.tolist())}
        try:
            places = [at[id_] for id_ in ids.tolist()]
        except KeyError as id_:
            reason = f"image {id_} has no embedding"
            raise CollectionCorruptError(self._database.path, reason) from None
        return Embeddings(ids, found.units[places], found.norms[places])

    def count(self) -> int:
        """How many there are; ``Catalog.check_count`` compares that with what there should be."""
        as_table = self._database.sql.as_table
        count: int = self._database.value(f"SELECT count(*) FROM embeddings {as_table}")  # noqa: S608 - constants
        return count

    def since(self, generation: int, *, after: int = -1) -> Iterator[Embeddings]:
        """Those that are new or changed since ``generation``, a part at a time.

        They come in order of id; with ``after``, only those of a greater one.
        """
        sql = (
            "SELECT image_id, norm, unit, embeddings.crc32 FROM images"
            " JOIN embeddings ON image_id = images.id"
            " WHERE state = 'indexed' AND generation > ? AND images.id > ?"
            " ORDER BY images.id LIMIT ?"
        )
        for rows in self._database.parts(sql, generation, after=after):
            yield self._checked(rows)

    def of_few_since(self, generation: int) -> Embeddings:
        """The same at once and in no particular order, by an index: quick where they are few."""
        rows = self._database.rows(
            "SELECT image_id, norm, unit, embeddings.crc32"  # noqa: S608 - constants
            f" FROM images {self._database.sql.by_generation}"
            " JOIN embeddings ON image_id = images.id"
            " WHERE state = 'indexed' AND generation > ?",
            (generation,),
        )
        return self._checked(rows)

    def put(self, id_: int, unit: HalfArray, norm: float) -> int:
        """Keep the embedding of an image; call within a transaction. Returns its checksum."""
        data, norm = unit.astype(UNIT_DTYPE).tobytes(), float(norm)
        crc32 = self._checksums.of_embedding(id_, norm, data)
        self._database.write(
            _PUT,
            (id_, norm, crc32, data),
        )
        return crc32

    def problem_of(self, row: Row) -> str | None:
        """What is wrong with a row ``(image_id, norm, unit, crc32)``, or None."""
        id_, norm, unit, crc32 = row
        typed = isinstance(norm, float) and isinstance(unit, bytes)
        if not typed or self._checksums.of_embedding(id_, norm, unit) != crc32:
            return f"the embedding of image {id_} has a wrong checksum"
        if len(unit) != self._dim * UNIT_DTYPE.itemsize:
            return f"the embedding of image {id_} has {len(unit)} bytes, of {self._dim} dimensions"
        return None

    def _checked(self, rows: list[Row]) -> Embeddings:
        for row in rows:
            problem = self.problem_of(row)
            if problem:
                raise CollectionCorruptError(self._database.path, problem)
        return Embeddings(
            ids=np.array([row[0] for row in rows], dtype=np.int64),
            units=np.frombuffer(b"".join(row[2] for row in rows), UNIT_DTYPE).reshape(
                -1, self._dim
            ),
            norms=np.array([row[1] for row in rows], dtype=np.float32),
        )
