"""What an export says, whatever the format of its files: a header, and a record for each image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

from image_similarity_search.addresses import is_address
from image_similarity_search.catalog.schema import FORMAT_VERSION
from image_similarity_search.catalog.values import Forgotten, Identity
from image_similarity_search.types import METRICS, FloatArray, ImageRecord

FORMAT = "image-similarity-search export"
VERSION = 1
ROWS_AT_ONCE = 4096

OF_YOUR_OWN = "for embeddings of your own add --paths FILE (import_embeddings in Python)"
NO_EXPORT = f"it is not an export of a collection; {OF_YOUR_OWN}"

_LARGEST_INTEGER = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Header:
    """What the images of an export have in common, how many they are, and the tags of others."""

    identity: Identity
    roots: tuple[str, ...]
    count: int
    forgotten: tuple[Forgotten, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As it is written: plain values."""
        collection = asdict(self.identity)
        del collection["id"]  # another collection is made of it
        return {
            "format": FORMAT,
            "version": VERSION,
            "storage_format": FORMAT_VERSION,
            "collection": collection,
            "roots": list(self.roots),
            "count": self.count,
            "forgotten": [one._asdict() for one in self.forgotten],
        }


@dataclass(frozen=True, slots=True)
class Part:
    """Some images of an export, their embeddings ``(n, dim)`` and the norms of these ``(n,)``."""

    records: Sequence[ImageRecord]
    embeddings: FloatArray
    norms: FloatArray


class ExportFile(Protocol):
    """An export that is open for reading.

    Attributes:
        header: what it says of itself.
    """

    header: Header

    def parts(self) -> Iterator[Part]:
        """Its images, some at a time.

        Raises:
            ValueError: it is damaged.
            OSError: it can't be read.
        """
        ...

    def close(self) -> None:
        """Close its files."""
        ...


def header_from(values: object) -> Header:
    """The header that ``Header.as_dict`` gave.

    Raises:
        ValueError: it is none, or of a newer version.
    """
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(NO_EXPORT)
    if values.get("version") != VERSION:
        raise ValueError(
            f"it is an export of version {values.get('version')!r}, this program reads {VERSION}:"
            " upgrade image-similarity-search"
        )
    collection, roots, count = (values.get(key) for key in ("collection", "roots", "count"))
    if not isinstance(collection, dict) or not isinstance(roots, list) or not _is_count(count):
        raise ValueError("its header is damaged")
    for root in roots:
        if not isinstance(root, str) or not _is_whole(root) or "\0" in root:
            raise ValueError(f"its folder {root!r} is not an absolute path on this system")
    forgotten = values.get("forgotten", [])  # which older versions did not write
    if not isinstance(forgotten, list):
        raise ValueError("its header is damaged")
    gone = tuple(map(_forgotten, forgotten))
    return Header(_identity(collection), tuple(roots), int(str(count)), gone)


def _forgotten(values: object) -> Forgotten:
    if not isinstance(values, dict):
        raise ValueError("its header is damaged: a removed image is not an object")
    tags, name = values.get("tags"), values.get("name")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ValueError(f"its header is damaged: a removed image has the tags {tags!r}")
    if not isinstance(name, str):
        raise ValueError(f"its header is damaged: a removed image has the name {name!r}")
    id_ = _integer({"id": values.get("id")}, "id", 1)
    return Forgotten(id_, _digest(values.get("content_hash")), name, tags)


def record_as_dict(record: ImageRecord) -> dict[str, Any]:
    """What an export says of an image, beside the norm and the embedding."""
    return {
        "id": record.id,
        "path": record.path,
        "size": record.size,
        "mtime_ns": record.mtime_ns,
        "content_hash": record.content_hash,
        "width": record.width,
        "height": record.height,
        "metadata": record.metadata,
    }


def record_from(values: object) -> ImageRecord:
    """The record that ``record_as_dict`` gave.

    Raises:
        ValueError: a value is missing, or is none that an image can have.
    """
    if not isinstance(values, dict):
        raise ValueError(f"an image is {values!r}"[:200])
    id_ = values.get("id")
    if type(id_) is not int or not 0 < id_ <= _LARGEST_INTEGER:
        raise ValueError(f"an image has the id {id_!r}")
    try:
        digest = values["content_hash"]
        return ImageRecord(
            id=id_,
            path=_path(values["path"]),
            size=_integer(values, "size", 0),
            mtime_ns=_integer(values, "mtime_ns", -_LARGEST_INTEGER),
            content_hash=_digest(digest) if digest is not None else None,
            width=_integer(values, "width", 1) if values["width"] is not None else None,
            height=_integer(values, "height", 1) if values["height"] is not None else None,
            state="indexed",
            metadata=_object(values["metadata"]),
        )
    except KeyError as error:
        raise ValueError(f"image {id_} has no {error.args[0]}") from error
    except ValueError as error:
        raise ValueError(f"image {id_}: {error}") from error


def _identity(values: Mapping[str, Any]) -> Identity:
    dim = values.get("dim")
    texts = {
        field.name: values.get(field.name, "")
        for field in fields(Identity)
        if field.name not in ("id", "dim")
    }
    fits = all(isinstance(text, str) for text in texts.values()) and _is_count(dim) and dim
    if not fits or not texts["encoder"] or texts["metric"] not in METRICS:
        raise ValueError(f"its header names no collection: {dict(values)!r}"[:500])
    return Identity(**texts, dim=int(str(dim)))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST_INTEGER


def _path(path: object) -> str:
    if not isinstance(path, str) or not _is_whole(path):
        raise ValueError(f"{path!r} is not an absolute path on this system")
    folder, name = os.path.split(path)
    # a name that begins with a NUL is that of an image which a sync is moving
    if not name or "\0" in folder or "\0" in name[1:]:
        raise ValueError(f"{path!r} is not the path of a file")
    return path


def _is_whole(path: str) -> bool:
    """Whether it says all of where something is."""
    return os.path.isabs(path) or is_address(path)


def _integer(values: Mapping[str, Any], name: str, least: int) -> int:
    value = values[name]
    if type(value) is not int or not least <= value <= _LARGEST_INTEGER:
        raise ValueError(f"its {name} is {value!r}")
    return value


def _digest(value: object) -> str:
    if not isinstance(value, str) or len(value) != 32 or set(value) - set("0123456789abcdef"):
        raise ValueError(f"its content_hash is {value!r}")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"its metadata is {value!r}")
    return value
