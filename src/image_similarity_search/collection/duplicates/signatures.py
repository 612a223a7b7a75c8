"""Reading the signatures of many images, in worker processes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.collection.duplicates.looking import looked_at
from image_similarity_search.collection.duplicates.signing import COLOUR_SIDE, SIDE, SIGNATURE_BYTES
from image_similarity_search.types import IdArray, ImageRecord, PixelArray

_WORK = "image_similarity_search.collection.duplicates.signing:answer"


@dataclass(frozen=True, slots=True)
class Signatures:
    """What images look like, small: uint8 ``grey`` ``(n, 32, 32)``, ``colours`` ``(n, 4, 4, 3)``.

    ``rows`` has the position of an image by its id; ``unreadable`` the reasons of those without.
    """

    grey: PixelArray
    colours: PixelArray
    rows: dict[int, int]
    unreadable: dict[int, str]

    @property
    def ids(self) -> IdArray:
        """The ids ``(n,)`` by position."""
        return np.fromiter(self.rows, dtype=np.int64, count=len(self.rows))


def read_signatures(records: Iterable[ImageRecord], count: int, time_limit: float) -> Signatures:
    """The signatures of the files of at most ``count`` images, whatever their state.

    Raises:
        WorkerUnavailableError: no process can be started.
        SourceUnavailableError: object storage in which files lie can't be reached.
    """
    data: NDArray[np.uint8] = np.empty((count, SIGNATURE_BYTES), dtype=np.uint8)
    rows: dict[int, int] = {}
    unreadable: dict[int, str] = {}
    for id_, answer in looked_at(_WORK, records, time_limit):
        if answer.failure:
            unreadable[id_] = "decoding it ends the process, or takes too long"
        elif len(answer.parts[-1]) == SIGNATURE_BYTES:
            data[len(rows)] = np.frombuffer(answer.parts[-1], dtype=np.uint8)
            rows[id_] = len(rows)
        else:
            unreadable[id_] = answer.parts[-1].decode()
    kept = data[: len(rows)]
    grey, colours = kept[:, : SIDE * SIDE], kept[:, SIDE * SIDE :]
    return Signatures(
        grey.reshape(-1, SIDE, SIDE),
        colours.reshape(-1, COLOUR_SIDE, COLOUR_SIDE, 3),
        rows,
        unreadable,
    )
