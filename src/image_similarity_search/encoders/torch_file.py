"""Weights in a file of torch (``.pth``), read without torch and without running what is in it.

Such a file is a pickle, which can name any function to be called. Here only those few names
mean something that describe a tensor; any other ends the reading. The forms are those of
``torch.save``: a zip archive (since torch 1.6), and before that pickles one after the other.
Whatever a file says, no more memory is taken than a small multiple of its size.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from image_similarity_search import plain_pickle

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older form
_PROTOCOL = 1001  # the second
_AXES = 32  # of a tensor: as many as NumPy has had always

_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "<?",
}


@dataclass(slots=True)
class _Storage:
    """A run of numbers that tensors are views of; in the older form it is filled at the end."""

    dtype: np.dtype[Any]
    length: int
    values: NDArray[Any] | None = None


@dataclass(slots=True)
class _View:
    """A tensor, as a pickle describes it."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> NDArray[Any]:
        """The numbers, once the storage has its values."""
        values = self.storage.values
        reach = sum((side - 1) * step for side, step in zip(self.shape, self.strides, strict=True))
        count = prod(self.shape)  # a stride of 0 can make much of little
        fits = values is not None and count <= len(values)
        if values is None or not fits or (count and self.offset + reach >= len(values)):
            raise ValueError("a tensor reaches beyond its numbers")
        size = values.itemsize
        return np.lib.stride_tricks.as_strided(
            values[self.offset :], self.shape, [step * size for step in self.strides]
        )


@dataclass(frozen=True, slots=True)
class _StorageType:
    name: str


@dataclass(slots=True)
class _Reading:
    """The storages that a file's pickle names, and how many bytes they may have together."""

    room: int
    load: Callable[[str, np.dtype[Any], int], NDArray[Any]] | None
    storages: dict[str, _Storage] = field(default_factory=dict)

    def pickled(self, file: IO[bytes]) -> Any:
        """What one pickle holds, with a view for each tensor."""
        return plain_pickle.load(file, _NAMED, self.storage)

    def storage(self, reference: Any) -> _Storage:
        """The storage that a pickle refers to."""
        if not (isinstance(reference, tuple) and len(reference) >= 5):
            raise ValueError("it refers to something that is not a tensor")
        kind, storage_type, key, _, length = reference[:5]
        known = isinstance(storage_type, _StorageType) and isinstance(key, str)
        if kind != "storage" or not known or not isinstance(length, int) or length < 0:
            raise ValueError("it refers to something that is not a tensor")
        if len(reference) > 5 and reference[5] is not None:
            raise ValueError("a storage is a part of another")
        if key not in self.storages:
            dtype = np.dtype(_DTYPES[storage_type.name])
            self.room -= length * dtype.itemsize
            if self.room < 0:
                raise ValueError("it has fewer numbers than it declares: it is damaged")
            values = self.load(key, dtype, length) if self.load else None
            self.storages[key] = _Storage(dtype, length, values)
        return self.storages[key]


def read_torch_file(path: str) -> dict[str, NDArray[Any]]:
    """The tensors in a file of torch, by name; what else is in it is passed over.

    Raises:
        ValueError: it is no such file, is damaged, or holds something other than plain data.
        OSError: it can't be read.
    """
    try:
        with open(path, "rb") as file:
            content = _from_zip(file) if zipfile.is_zipfile(file) else _from_stream(file)
    except (ValueError, OSError):
        raise
    except Exception as error:  # of zipfile, which raises many kinds
        raise ValueError(
            f"not a torch file, or damaged ({type(error).__name__}: {error})"
        ) from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not tensors by name")
    return {str(name): value.array() for name, value in content.items() if isinstance(value, _View)}


def _ordered_dict(pairs: Any = ()) -> dict[Any, Any]:
    flat = [part for key, value in pairs for part in (key, value)]
    if pairs:
        pairs.clear()  # moved, not copied: a pickle can hand over one long list a million times
    return plain_pickle.text_keys(flat)


def _rebuilt_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    sides = isinstance(shape, tuple) and isinstance(strides, tuple)
    if not (isinstance(storage, _Storage) and sides and len(shape) == len(strides) <= _AXES):
        raise ValueError("a tensor is invalid")
    for value in (offset, *shape, *strides):
        if not (isinstance(value, int) and 0 <= value < 1 << 62):
            raise ValueError("a tensor is invalid")
    return _View(storage, offset, shape, strides)


def _rebuilt_parameter(data: Any, *_: Any) -> Any:
    return data


_NAMED: dict[str, object] = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _rebuilt_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuilt_tensor,
    "torch._utils._rebuild_parameter": _rebuilt_parameter,
    **{f"torch.{name}": _StorageType(name) for name in _DTYPES},
}


def _from_zip(file: IO[bytes]) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = [item for item in archive.namelist() if item.endswith("/data.pkl")]
        if len(names) != 1:
            raise ValueError(f"not a torch file: {len(names)} of its parts are called data.pkl")
        folder = names[0].removesuffix("data.pkl")
        order = folder + "byteorder"
        if order in archive.namelist() and _stored(archive, order, 16) != b"little":
            raise ValueError("its numbers are big-endian")

        def load(key: str, dtype: np.dtype[Any], length: int) -> NDArray[Any]:
            values = _stored(archive, f"{folder}data/{key}", length * dtype.itemsize)
            if len(values) != length * dtype.itemsize:
                raise ValueError(f"a tensor has {len(values):,} bytes: it is damaged")
            return np.frombuffer(values, dtype)

        reading = _Reading(os.fstat(file.fileno()).st_size, load)
        return reading.pickled(BytesIO(_stored(archive, names[0], plain_pickle.LARGEST)))


def _stored(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """A part of the archive, as torch writes it: not compressed, so never more than there is."""
    try:
        entry = archive.getinfo(name)
    except KeyError as error:
        raise ValueError(f"it has no part {name[:80]!r}: it is damaged") from error
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > limit:
        raise ValueError(f"its part {name[:80]!r} is compressed, or larger than it may be")
    return archive.read(entry)


def _from_stream(file: IO[bytes]) -> Any:
    reading = _Reading(os.fstat(file.fileno()).st_size, None)
    file.seek(0)
    try:
        known = reading.pickled(file) == _MAGIC and reading.pickled(file) == _PROTOCOL
    except ValueError:
        known = False
    if not known:
        raise ValueError("not a torch file, or a truncated one")
    system = reading.pickled(file)
    if not (isinstance(system, dict) and system.get("little_endian") is True):
        raise ValueError("its numbers are big-endian")
    content = reading.pickled(file)
    keys = reading.pickled(file)
    for key in keys if isinstance(keys, list) else ():
        storage = reading.storages.get(key) if isinstance(key, str) else None
        if storage is None:
            raise ValueError("it has numbers without a tensor: it is damaged")
        size = storage.length * storage.dtype.itemsize
        if file.read(8) != struct.pack("<q", storage.length) or len(data := file.read(size)) < size:
            raise ValueError("it ends early")
        storage.values = np.frombuffer(data, storage.dtype)
    return content
