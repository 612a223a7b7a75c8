"""An export as two files: the embeddings as a NumPy array, and what they are of as JSON.

``X.npy`` has a float32 array ``(n, dim)``, ``X.json`` the header and one image on each line, in the
order of the rows. JSON of another layout (written anew by another program) is read as well, but not
line by line.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import IO, Any, TextIO

import numpy as np

from image_similarity_search.collection.interchange.layout import (
    NO_EXPORT,
    OF_YOUR_OWN,
    ROWS_AT_ONCE,
    Header,
    Part,
    header_from,
    record_as_dict,
    record_from,
)

_FLOAT = np.dtype("<f4")
_LARGEST_NORM = float(np.finfo(_FLOAT).max)
_IMAGES = '"images": ['  # the end of the first line; after it, an image on each line
_END = "]}"


def paths_of(path: str) -> tuple[str, str]:
    """The ``.npy`` and the ``.json`` of the export that one of them is given of."""
    stem = os.path.splitext(path)[0]
    return f"{stem}.npy", f"{stem}.json"


def write(array: IO[bytes], text: TextIO, header: Header, parts: Iterable[Part]) -> None:
    """Write an export into two open files; ``text`` needs nothing but ASCII."""
    shape = (header.count, header.identity.dim)
    np.lib.format.write_array_header_1_0(
        array, {"descr": _FLOAT.str, "fortran_order": False, "shape": shape}
    )
    text.write(json.dumps(header.as_dict())[:-1] + f", {_IMAGES}\n")
    crc, before = 0, ""
    for part in parts:
        data = np.ascontiguousarray(part.embeddings, dtype=_FLOAT).tobytes()
        crc = zlib.crc32(data, crc)
        array.write(data)
        for record, norm in zip(part.records, part.norms, strict=True):
            text.write(before + json.dumps(record_as_dict(record) | {"norm": float(norm)}))
            before = ",\n"
    text.write(f'{before[1:]}], "embeddings_crc32": {crc}}}\n')


class NpyExport:
    """An export of two files, open for reading.

    Attributes:
        header: what it says of itself.

    Raises:
        ValueError: they are no export, or damaged.
        OSError: one can't be read.
    """

    def __init__(self, path: str) -> None:
        array_path, text_path = paths_of(path)
        with ExitStack() as files:
            self._array = files.enter_context(open(array_path, "rb"))
            self._text = files.enter_context(_opened_text(text_path))
            self._begin()
            self._files = files.pop_all()

    def _begin(self) -> None:
        first = self._text.readline()
        self._whole: dict[str, Any] | None = None
        if first.rstrip().endswith(_IMAGES):
            values = _parsed(first + _END)
        else:
            values = self._whole = _parsed(first + self._text.read())
        self.header = header_from(values)
        expected = (self.header.count, self.header.identity.dim)
        self._check_array(expected)

    def _check_array(self, expected: tuple[int, int]) -> None:
        try:
            version = np.lib.format.read_magic(self._array)
            if version != (1, 0):
                raise ValueError(f"version {version}, expected (1, 0)")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(self._array)
        except Exception as error:  # of a damaged header NumPy raises what its parser does
            raise ValueError(f"its array can't be read ({error})") from error
        if shape != expected or fortran or dtype != _FLOAT:
            raise ValueError(
                f"its array is {dtype} of shape {shape}, expected {_FLOAT} of {expected}"
            )
        size = os.fstat(self._array.fileno()).st_size
        whole = self._array.tell() + expected[0] * expected[1] * _FLOAT.itemsize
        if size != whole:
            raise ValueError(f"its array has {size:,} bytes, expected {whole:,}")

    def parts(self) -> Iterator[Part]:
        """Its images, some at a time; ``ValueError`` where it is damaged."""
        dim, count, crc = self.header.identity.dim, 0, 0
        images = self._images()
        while values := list(islice(images, ROWS_AT_ONCE)):
            data = self._array.read(len(values) * dim * _FLOAT.itemsize)
            crc, count = zlib.crc32(data, crc), count + len(values)
            if count > self.header.count:
                raise ValueError(f"it has more images than {self.header.count:,}")
            yield Part(
                [record_from(image) for image in values],
                np.frombuffer(data, _FLOAT).reshape(-1, dim),
                np.array([_norm(image) for image in values], dtype=np.float32),
            )
        if count != self.header.count:
            raise ValueError(f"it has {count:,} images, expected {self.header.count:,}")
        if crc != self._expected_crc:
            raise ValueError("its array has a wrong checksum: it is damaged, or of another export")

    def close(self) -> None:
        """Close both files."""
        self._files.close()

    def _images(self) -> Iterator[dict[str, Any]]:
        """The images, and then ``_expected_crc``, as the text has them."""
        if self._whole is not None:
            images = self._whole.get("images")
            yield from images if isinstance(images, list) else []
            self._expected_crc = self._whole.get("embeddings_crc32")
            return
        for line in self._text:
            if line.startswith("]"):
                self._expected_crc = _parsed('{"images": [' + line).get("embeddings_crc32")
                return
            yield _parsed(line.rstrip().removesuffix(","))
        raise ValueError("it ends early")


def _opened_text(path: str) -> TextIO:
    try:
        # another program may have written bytes of paths as they are
        return open(path, encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError as error:
        raise ValueError(
            f"{path} is missing, which 'iss export' writes next to it; {OF_YOUR_OWN}"
        ) from error


def _parsed(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON, or damaged ({error})") from error
    if not isinstance(values, dict):
        raise ValueError(NO_EXPORT)
    return values


def _norm(image: dict[str, Any]) -> float:
    norm = image.get("norm")
    if not isinstance(norm, int | float) or not 0 <= norm <= _LARGEST_NORM:
        raise ValueError(f"image {image.get('id')!r} has the norm {norm!r}")
    return norm
