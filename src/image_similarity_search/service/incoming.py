"""Pictures and questions in the bodies of requests: raw, as a form, or as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from image_similarity_search.errors import ConfigError
from image_similarity_search.images.formats import FORMATS
from image_similarity_search.service.bodies import AS_PICTURE, JSON_BYTES
from image_similarity_search.service.kinds import Kind
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.requests import MOST_EXAMPLES
from image_similarity_search.types import Region

_Model = TypeVar("_Model", bound=BaseModel)

_MEDIA = Kind(415, "media-type", "Unsupported media type")

_TAKEN = (
    "send a picture's bytes as image/* or application/octet-stream, a form, or JSON; pictures are "
    + ", ".join(one.name for one in FORMATS)
)

PICTURE = {"schema": {"type": "string", "format": "binary"}}
"""A picture's bytes, in OpenAPI."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a body holds: pictures, and perhaps JSON beside them (``question``)."""

    pictures: list[bytes] = field(default_factory=list)
    question: bytes | None = None


async def incoming(request: Request, *, pictures: int = MOST_EXAMPLES) -> Incoming:
    """Read the body of a request, with at most so many pictures.

    Raises:
        Refusal: it is of a type that is not understood.
        ConfigError: there is nothing in it.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/json":
        return Incoming(question=await request.body())
    if content_type == "multipart/form-data":
        return await _form(request, pictures)
    if content_type.startswith("text/") or content_type == "application/x-www-form-urlencoded":
        raise Refusal(_MEDIA, f"{_TAKEN}; {AS_PICTURE}")
    data = await request.body()
    if not data:
        raise ConfigError("body", "", "the bytes of a picture")
    return Incoming([data])


async def _form(request: Request, pictures: int) -> Incoming:
    async with request.form(max_files=pictures, max_fields=1, max_part_size=JSON_BYTES) as fields:
        found, question = [], None
        for name, value in fields.multi_items():
            if name == "image" and isinstance(value, UploadFile):
                found.append(await value.read())
            elif name == "query":
                question = await value.read() if isinstance(value, UploadFile) else value.encode()
            else:
                raise ConfigError("body", name, "the fields 'image' (files) and 'query' (JSON)")
    if not found:
        raise ConfigError("image", "", "a picture in the field 'image'")
    return Incoming(found, question)


def parsed(model: type[_Model], text: bytes) -> _Model:
    """The JSON of a body.

    Raises:
        RequestValidationError: it is none, or not of the right shape.
    """
    if len(text) > JSON_BYTES:
        raise ConfigError("body", "", f"JSON of at most {JSON_BYTES:,} bytes")
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        faults: list[Any] = [
            {**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)
        ]
        raise RequestValidationError(faults) from None


def region_of(text: str | None) -> Region | None:
    """The part of a picture that ``x,y,w,h`` says.

    Raises:
        ConfigError: it says none.
    """
    if text is None:
        return None
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError("region", text, "x,y,w,h as fractions, such as 0,0.5,1,0.5") from None
    return Region(x, y, w, h)
