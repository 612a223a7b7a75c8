"""Weights in a file of torch (``.pth``), read without torch and without running what is in it.

Such a file is a pickle, which can name any function to be called. Here only those few names
mean something that describe a tensor; any other ends the reading. The forms are those of
``torch.save``: a zip archive (since torch 1.6), and before that pickles one after the other.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older form
_PROTOCOL = 1001  # the second
_LARGEST_PICKLE = 64 << 20  # bytes: names and shapes, not the numbers

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
        empty = prod(self.shape) == 0
        least = min((*self.shape, *self.strides, self.offset, 0))
        if values is None or least < 0 or not (empty or self.offset + reach < len(values)):
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
    """What one file's pickle may call, and the storages that it named."""

    load: Callable[[str, np.dtype[Any], int], NDArray[Any]] | None
    storages: dict[str, _Storage] = field(default_factory=dict)

    def unpickler(self, file: IO[bytes]) -> pickle.Unpickler:
        """Reads one pickle from ``file``."""
        reading = self

        class Unpickler(pickle.Unpickler):
            def find_class(self, module: str, name: str) -> Any:
                return _allowed(module, name)

            def persistent_load(self, reference: Any) -> _Storage:
                return reading.storage(reference)

        return Unpickler(file)

    def storage(self, reference: Any) -> _Storage:
        """The storage that a pickle refers to."""
        if not (isinstance(reference, tuple) and len(reference) >= 5):
            raise ValueError("it refers to something that is no tensor")
        kind, storage_type, key, _, length = reference[:5]
        known = isinstance(storage_type, _StorageType) and isinstance(key, str)
        if kind != "storage" or not known or not isinstance(length, int):
            raise ValueError("it refers to something that is no tensor")
        if len(reference) > 5 and reference[5] is not None:
            raise ValueError("a storage is a part of another")
        if key not in self.storages:
            dtype = np.dtype(_DTYPES[storage_type.name])
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
    except Exception as error:  # a pickle that makes no sense raises anything
        raise ValueError(
            f"no file of torch, or damaged ({type(error).__name__}: {error})"
        ) from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not tensors by name")
    return {str(name): value.array() for name, value in content.items() if isinstance(value, _View)}


def _allowed(module: str, name: str) -> Any:
    """What a name in a pickle stands for."""
    if (module, name) == ("collections", "OrderedDict"):
        return OrderedDict
    if (module, name) in (
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_tensor"),
    ):
        return _rebuilt_tensor
    if (module, name) == ("torch._utils", "_rebuild_parameter"):
        return _rebuilt_parameter
    if module == "torch" and name in _DTYPES:
        return _StorageType(name)
    raise ValueError(f"it would call {module}.{name}, which is not plain data; nothing was run")


def _rebuilt_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    numbers = (offset, *shape, *strides)
    if not isinstance(storage, _Storage) or not all(isinstance(value, int) for value in numbers):
        raise ValueError("a tensor makes no sense")
    return _View(storage, offset, tuple(shape), tuple(strides))


def _rebuilt_parameter(data: Any, *_: Any) -> Any:
    return data


_CALLED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuilt_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuilt_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuilt_parameter,
}


def _from_zip(file: IO[bytes]) -> Any:
    with zipfile.ZipFile(file) as archive:
        (name,) = (item for item in archive.namelist() if item.endswith("/data.pkl"))
        folder = name.removesuffix("data.pkl")
        if archive.getinfo(name).file_size > _LARGEST_PICKLE:
            raise ValueError("its list of tensors is far too long")
        order = folder + "byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ValueError("its numbers are big-endian")

        def load(key: str, dtype: np.dtype[Any], length: int) -> NDArray[Any]:
            entry = archive.getinfo(f"{folder}data/{key}")
            if entry.file_size != length * dtype.itemsize:
                raise ValueError(f"{entry.filename} has {entry.file_size:,} bytes")
            return np.frombuffer(archive.read(entry), dtype)

        with archive.open(name) as data:
            return _Reading(load).unpickler(data).load()


def _from_stream(file: IO[bytes]) -> Any:
    reading = _Reading(None)
    file.seek(0)
    if reading.unpickler(file).load() != _MAGIC or reading.unpickler(file).load() != _PROTOCOL:
        raise ValueError("no file of torch")
    system = reading.unpickler(file).load()
    if not system.get("little_endian"):
        raise ValueError("its numbers are big-endian")
    content = reading.unpickler(file).load()
    for key in reading.unpickler(file).load():
        storage = reading.storages[key]
        (length,) = struct.unpack("<q", file.read(8))
        data = file.read(storage.length * storage.dtype.itemsize)
        if length != storage.length or len(data) != length * storage.dtype.itemsize:
            raise ValueError("it ends early")
        storage.values = np.frombuffer(data, storage.dtype)
    return content
