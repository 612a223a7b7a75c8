"""Keeping a FAISS store in a file.

The file is a plain FAISS index, which ``faiss.read_index`` opens, followed by a trailer that
FAISS never looks at: what the index is, as JSON, then the JSON's length and CRC-32 and a magic
word, at the very end. The JSON holds the length and CRC-32 of the FAISS bytes: FAISS may crash
on damaged bytes, so it gets to see none.

The file can always be made anew from the catalog; so whatever is wrong with it is one and the
same error, and the caller rebuilds.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from image_similarity_search.errors import StoreUnavailableError, reason_of
from image_similarity_search.replacing import replaced
from image_similarity_search.stores.faiss_library import faiss_library
from image_similarity_search.stores.faiss_store import FLAT_LIMIT, FaissStore
from image_similarity_search.types import Metric, Moment

_FORMAT = 1
_MAGIC = b"ISSINDEX"
_FOOTER = struct.Struct("<II8s")  # length and CRC-32 of the JSON, magic word
_CHUNK = 2**20
# the trailer's checksum is right, and still it may be none that save wrote
_DAMAGE = (OSError, StoreUnavailableError, ValueError, KeyError, TypeError, AttributeError)


def save(
    store: FaissStore,
    path: str | os.PathLike[str],
    identity: str,
    made_with: Mapping[str, str] | None = None,
) -> None:
    """Write ``store`` to ``path``, whole or not at all; ``identity`` says whose it is.

    ``made_with`` is kept beside it, for when the catalog has lost it.

    Raises:
        StoreUnavailableError: it can't be written.
    """
    try:
        with replaced(os.fspath(path)) as (aside,), open(aside, "wb") as file:
            _write(store, file, identity, made_with or {})
    except OSError as error:
        raise StoreUnavailableError(f"{path} can't be written: {reason_of(error)}") from error


def load(
    path: str | os.PathLike[str],
    *,
    dim: int,
    metric: Metric,
    kind: str,
    identity: str,
    flat_limit: int = FLAT_LIMIT,
    go_on: Callable[[], None] = lambda: None,
) -> FaissStore:
    """Read the store that ``save`` wrote to ``path``.

    ``go_on`` is called before each part of it, and ends the reading where it raises.

    Raises:
        StoreUnavailableError: it is missing, damaged, or not the one that was asked for. The
            message says which; the store must be made anew from the catalog.
    """
    store = FaissStore(dim, metric, kind, flat_limit=flat_limit)
    expected = {"identity": identity, "dim": dim, "metric": metric, "kind": kind}
    try:
        with open(path, "rb") as file:
            trailer = _read_trailer(file)
            for what, value in expected.items():
                if trailer.get(what) != value:
                    raise StoreUnavailableError(
                        f"its {what} is {trailer.get(what)!r}, not {value!r}"
                    )
            _read_index(file, trailer, store, go_on)
    except _DAMAGE as error:
        raise StoreUnavailableError(f"{path} can't be used: {reason_of(error)}") from error
    return store


@dataclass(frozen=True, slots=True)
class Saved:
    """What the store in a file is."""

    moment: Moment
    kind: str


def saved(path: str | os.PathLike[str], identity: str) -> Saved | None:
    """What is in the file, without loading it; None where it is none of ``identity``'s."""
    try:
        with open(path, "rb") as file:
            trailer = _read_trailer(file)
            if trailer["identity"] != identity:
                return None
            return Saved(_moment(trailer), str(trailer["kind"]))
    except _DAMAGE:
        return None


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Whether ``save`` wrote the file: it ends as such a file does, whatever else is damaged."""
    try:
        with open(path, "rb") as file:
            file.seek(-_FOOTER.size, os.SEEK_END)
            return file.read().endswith(_MAGIC)
    except OSError:
        return False


def saved_made_with(path: str | os.PathLike[str]) -> dict[str, str]:
    """What the collection of the store in the file was made with; empty where that can't be had."""
    try:
        with open(path, "rb") as file:
            return dict(_read_trailer(file)["made_with"])
    except _DAMAGE:
        return {}


def _write(store: FaissStore, file: BinaryIO, identity: str, made_with: Mapping[str, str]) -> None:
    faiss = faiss_library()
    output = _Summed(file)
    # through Python, since FAISS itself can't open every path that Windows can
    faiss.write_index(store.index, faiss.PyCallbackIOWriter(output.write))
    trailer = json.dumps(
        {
            "format": _FORMAT,
            "identity": identity,
            "generation": store.moment.generation,
            "mark": store.moment.mark,
            "kind": store.kind,
            "dim": store.dim,
            "metric": store.metric,
            "count": len(store),
            "trained_for": store.trained_for,
            "made_with": dict(made_with),
            "bytes": output.length,
            "crc32": output.crc,
        }
    ).encode()
    file.write(trailer)
    file.write(_FOOTER.pack(len(trailer), zlib.crc32(trailer), _MAGIC))


def _read_trailer(file: BinaryIO) -> dict[str, Any]:
    """The JSON at the end of the file, known to be undamaged."""
    size = file.seek(0, os.SEEK_END)
    if size < _FOOTER.size:
        raise StoreUnavailableError("the file is cut short")
    file.seek(size - _FOOTER.size)
    length, crc, magic = _FOOTER.unpack(file.read(_FOOTER.size))
    if magic != _MAGIC:
        raise StoreUnavailableError("its end is not that of an index file")
    begin = size - _FOOTER.size - length
    if begin < 0:
        raise StoreUnavailableError("the trailer is damaged")
    file.seek(begin)
    text = file.read(length)
    if zlib.crc32(text) != crc:
        raise StoreUnavailableError("the trailer is damaged")
    trailer: dict[str, Any] = json.loads(text)
    if trailer.get("format") != _FORMAT:
        raise StoreUnavailableError(f"its format is {trailer.get('format')!r}, not {_FORMAT}")
    if trailer["bytes"] != begin:
        raise StoreUnavailableError(f"{begin} bytes of index, not {trailer['bytes']}")
    return trailer


def _read_index(
    file: BinaryIO, trailer: dict[str, Any], store: FaissStore, go_on: Callable[[], None]
) -> None:
    """Fill ``store`` from the FAISS bytes, once they are known to be undamaged."""
    faiss = faiss_library()

    def read(size: int) -> bytes:
        go_on()
        return file.read(size)

    file.seek(0)
    if _crc(read, trailer["bytes"]) != trailer["crc32"]:
        raise StoreUnavailableError("the index is damaged")
    file.seek(0)
    try:
        index = faiss.read_index(faiss.PyCallbackIOReader(read))
    except RuntimeError as error:
        raise StoreUnavailableError(f"FAISS can't read it: {error}") from error
    store.adopt(index, trailer.get("trained_for", 0))
    if len(store) != trailer["count"]:
        raise StoreUnavailableError(f"{len(store)} vectors, not {trailer['count']}")
    store.moment = _moment(trailer)


def _moment(trailer: Mapping[str, Any]) -> Moment:
    """What a store reflects; one that was written before there were marks has none."""
    return Moment(int(trailer["generation"]), int(trailer.get("mark", 0)))


def _crc(read: Callable[[int], bytes], length: int) -> int:
    """CRC-32 of the next ``length`` bytes."""
    crc = 0
    while length > 0 and (chunk := read(min(_CHUNK, length))):
        crc = zlib.crc32(chunk, crc)
        length -= len(chunk)
    return crc


class _Summed:
    """A file being written, with the length and CRC-32 of what went through."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.length = 0
        self.crc = 0

    def write(self, data: bytes) -> int:
        self.crc = zlib.crc32(data, self.crc)
        self.length += len(data)
        return self._file.write(data)
