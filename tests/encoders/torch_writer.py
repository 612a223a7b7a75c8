"""Writes files as ``torch.save`` does, without torch, and pickles of any instructions.

Each of the small functions gives the instructions that put one value on a pickle's stack.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from typing import Any, Literal

from numpy.typing import NDArray

Form = Literal["zip", "stream"]
FORMS: tuple[Form, ...] = ("zip", "stream")

STORAGES = {
    "<f8": "DoubleStorage",
    "<f4": "FloatStorage",
    "<f2": "HalfStorage",
    "<i8": "LongStorage",
    "<i4": "IntStorage",
    "|u1": "ByteStorage",
    "|b1": "BoolStorage",
}
ORDERED_DICT = b"ccollections\nOrderedDict\n"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def tuple_of(*values: bytes) -> bytes:
    return b"(" + b"".join(values) + b"t"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + tuple_of(*arguments) + b"R"


def mapping(items: Mapping[str, bytes]) -> bytes:
    """An OrderedDict, with the state that torch gives to that of a module."""
    pairs = b"".join(text(key) + value for key, value in items.items())
    state = b"}(" + text("_metadata") + call(ORDERED_DICT) + b"u"
    return call(ORDERED_DICT) + b"(" + pairs + b"u" + state + b"b"


def storage(key: str, kind: str, length: int, form: Form = "zip") -> bytes:
    """A reference to a storage; the older form has room for what it is a part of."""
    parts = (text("storage"), f"ctorch\n{kind}\n".encode(), text(key), text("cpu"), number(length))
    return tuple_of(*parts, *([b"N"] if form == "stream" else [])) + b"Q"


def tensor(source: bytes, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """A tensor that is a view of a storage; shape and strides in numbers, not bytes."""
    sides, steps = (tuple_of(*map(number, values)) for values in (shape, strides))
    return call(TENSOR, source, number(offset), sides, steps, b"\x89", call(ORDERED_DICT))


def pickled(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


def torch_zip(pickle: bytes, storages: Mapping[str, bytes], compression: int = 0) -> bytes:
    """The form since torch 1.6: a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/byteorder", "little")
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


def torch_stream(pickle: bytes, storages: Mapping[str, NDArray[Any]]) -> bytes:
    """The form before: five pickles, then the numbers of each storage behind their count."""
    system = b"}(" + text("protocol_version") + number(1001) + text("little_endian") + b"\x88u"
    keys = b"](" + b"".join(map(text, storages)) + b"e"
    numbers = [struct.pack("<q", values.size) + values.tobytes() for values in storages.values()]
    heads = [pickled(value) for value in (number(0x1950A86A20F9469CFC6C), number(1001), system)]
    return b"".join([*heads, pickle, pickled(keys), *numbers])


def saved(tensors: Mapping[str, NDArray[Any]], form: Form = "zip", around: str = "") -> bytes:
    """A file of torch with these tensors; views of one array share its storage.

    ``around`` is the key of a mapping that they are put in, as checkpoints have it.
    """
    storages: dict[str, NDArray[Any]] = {}
    described = {}
    for name, view in tensors.items():
        whole = view if view.base is None else view.base
        assert whole.flags.c_contiguous, "torch has its storages so"
        key = str(id(whole))
        storages[key] = whole.reshape(-1)
        source = storage(key, STORAGES[whole.dtype.str], whole.size, form)
        start = view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        strides = tuple(step // view.itemsize for step in view.strides)
        described[name] = tensor(source, start // view.itemsize, view.shape, strides)
    content = mapping(described)
    if around:
        content = b"}(" + text("epoch") + number(3) + text(around) + content + b"u"
    if form == "stream":
        return torch_stream(pickled(content), storages)
    return torch_zip(pickled(content), {key: data.tobytes() for key, data in storages.items()})
