"""What a client asks by: pictures, words and ids, as they are sent."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any, TypeAlias

from image_similarity_search.errors import ConfigError
from image_similarity_search.search_options import PLAIN, SearchOptions
from image_similarity_search.types import Region, Text, checked_number

Picture: TypeAlias = "str | os.PathLike[str] | bytes"
"""A picture: the path of a file here, or a file's bytes."""

Conditions: TypeAlias = Mapping[str, Any]
"""Conditions that images must meet, such as ``{"folder": "photos/holiday", "min_width": 1000}``."""

_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Example:
    """A picture of yours, the id of an image there, or words, to search by together with others.

    ``weight`` says how much it counts; less than 0: be less like it. ``region`` is the part of it
    to search by.

    Raises:
        ConfigError: ``weight`` is no number.
    """

    image: Picture | int | Text
    weight: float = 1.0
    region: Region | None = None

    def __post_init__(self) -> None:
        """Check the weight."""
        most = sys.float_info.max
        weight = checked_number("weight", self.weight, -most, most, "a number other than 0")
        object.__setattr__(self, "weight", weight)


def sent(picture: Picture | int) -> dict[str, Any]:
    """A request's body that is a picture."""
    return {"content": _bytes_of(picture), "headers": {"Content-Type": _TYPE}}


def sent_examples(examples: Sequence[Example], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A request's body that asks for what is ``wanted`` by examples, with pictures or without."""
    files: list[tuple[str, tuple[str, bytes, str]]] = []
    shown: list[dict[str, Any]] = []
    for example in examples:
        place: dict[str, Any] = {"weight": example.weight}
        if example.region is not None:
            place["region"] = asdict(example.region)
        if (id_ := id_in(example.image)) is not None:
            place["id"] = id_
        elif isinstance(example.image, Text):
            place["text"] = example.image.words
        else:
            place["upload"] = len(files)
            files.append(("image", ("picture", _bytes_of(example.image), _TYPE)))
        shown.append(place)
    query = {"examples": shown, **wanted}
    return {"files": files, "data": {"query": json.dumps(query)}} if files else {"json": query}


def id_in(query: object) -> int | None:
    """The id that a query is; None of a picture. True is none, either."""
    return None if isinstance(query, bool) or not isinstance(query, Integral) else int(query)


def in_query(region: Region) -> str:
    """A region in a query string."""
    return ",".join(map(repr, asdict(region).values()))


def said(options: SearchOptions) -> dict[str, Any]:
    """The options that are other than usual: an older service knows none."""
    usual = asdict(PLAIN)
    return {name: value for name, value in asdict(options).items() if value != usual[name]}


def _bytes_of(picture: object) -> bytes:
    if isinstance(picture, bytes):
        return picture
    if not isinstance(picture, str | os.PathLike):
        expected = "the path or the bytes of a picture file, the id of an image there, or a Text"
        raise ConfigError("query", type(picture).__name__, expected)
    from image_similarity_search.images.decode import read_file  # and with it Pillow

    return read_file(os.fspath(picture))
