"""Reading the signatures of many images, in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.collection.duplicates.colours import colourfulness
from image_similarity_search.collection.duplicates.signing import (
    COLOUR_SIDE,
    SIDE,
    SIGNATURE_BYTES,
    unpacked_holdings,
)
from image_similarity_search.collection.looking import looked_at
from image_similarity_search.duplicates import NO_HOLDINGS, Holdings
from image_similarity_search.types import FloatArray, IdArray, ImageRecord, PixelArray

_WORK = "image_similarity_search.collection.duplicates.signing:answer"


@dataclass(frozen=True, slots=True)
class Signatures:
    """What images look like, small: uint8 ``grey`` ``(n, 32, 32)``, ``colours`` ``(n, 8, 8, 3)``.

    That is over white. ``rows`` has the position of an image by its id; ``unreadable`` the reasons
    of those without; ``alpha`` ``(32, 32)``, by position, is there of those that are not opaque.
    ``holdings`` are of those files, by id, that hold more than one picture.
    """

    grey: PixelArray
    colours: PixelArray
    rows: dict[int, int]
    unreadable: dict[int, str]
    alpha: dict[int, PixelArray]
    holdings: dict[int, Holdings]

    @property
    def ids(self) -> IdArray:
        """The ids ``(n,)`` by position."""
        return np.fromiter(self.rows, dtype=np.int64, count=len(self.rows))

    def colourfulness(self, ids: Iterable[int]) -> dict[int, float]:
        """How much colour there is in some images, by their ids; without those not looked at."""
        return {id_: colourfulness(self.colours[self.rows[id_]]) for id_ in ids if id_ in self.rows}

    def over_black(self, rows: Sequence[int]) -> tuple[PixelArray, PixelArray]:
        """``grey`` and ``colours`` of some positions, as these images look over black."""
        opaque = np.full((SIDE, SIDE), 255, dtype=np.uint8)
        ground = 255.0 - np.stack([self.alpha.get(row, opaque) for row in rows])
        part = SIDE // COLOUR_SIDE
        coarse = ground.reshape(-1, COLOUR_SIDE, part, COLOUR_SIDE, part).mean(axis=(2, 4))
        at = list(rows)
        return _less(self.grey[at], ground), _less(self.colours[at], coarse[..., None])


def _less(pixels: PixelArray, white: FloatArray) -> PixelArray:
    return np.asarray(np.clip(np.rint(pixels - white), 0, 255), dtype=np.uint8)


def read_signatures(
    records: Iterable[ImageRecord], count: int, time_limit: float, step: Callable[[int], None]
) -> Signatures:
    """The signatures of the files of at most ``count`` images, whatever their state.

    ``step`` is called as each of them was read.

    Raises:
        WorkerUnavailableError: no process can be started.
        SourceUnavailableError: object storage in which files lie can't be reached.
    """
    data: NDArray[np.uint8] = np.empty((count, SIGNATURE_BYTES), dtype=np.uint8)
    rows: dict[int, int] = {}
    unreadable: dict[int, str] = {}
    alpha: dict[int, PixelArray] = {}
    holdings: dict[int, Holdings] = {}
    for id_, answer in looked_at(_WORK, records, time_limit):
        step(1)
        if answer.failure:
            unreadable[id_] = "decoding it crashes the process or takes too long"
        elif len(answer.parts[-1]) >= SIGNATURE_BYTES:
            signature = np.frombuffer(answer.parts[-1], dtype=np.uint8)
            data[len(rows)] = signature[:SIGNATURE_BYTES]
            if len(signature) > SIGNATURE_BYTES:
                alpha[len(rows)] = signature[SIGNATURE_BYTES:].reshape(SIDE, SIDE)
            rows[id_] = len(rows)
            if (held := unpacked_holdings(answer.parts[0])) != NO_HOLDINGS:
                holdings[id_] = held
        else:
            unreadable[id_] = answer.parts[-1].decode()
    kept = data[: len(rows)]
    grey, colours = kept[:, : SIDE * SIDE], kept[:, SIDE * SIDE :]
    return Signatures(
        grey.reshape(-1, SIDE, SIDE),
        colours.reshape(-1, COLOUR_SIDE, COLOUR_SIDE, 3),
        rows,
        unreadable,
        alpha,
        holdings,
    )
