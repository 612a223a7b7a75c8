"""What the OpenAPI document says of errors and bodies."""

from __future__ import annotations

from typing import Any

from image_similarity_search.service.problems import MEDIA_TYPE
from image_similarity_search.service.schemas import Problem

_WORDS = {
    400: "The body can't be understood",
    401: "An API key is needed",
    403: "Refused",
    404: "Not found",
    408: "The body took too long to arrive",
    409: "In conflict with what is there",
    413: "Too large",
    415: "A body of a type that is not understood",
    421: "The service is not called by this name",
    422: "A value that is not allowed, or no picture",
    423: "The collection is being changed",
    429: "Too many requests",
    500: "Failed",
    503: "Busy, or a part of it can't be used now",
    507: "The collection can't be changed",
}
ALWAYS = (401, 403, 421, 422, 429, 500, 503)

Responses = dict[int | str, dict[str, Any]]


def problems(*statuses: int) -> Responses:
    """The problems that a route may answer with, beside those that any may."""
    return {
        status: {
            "model": Problem,
            "description": _WORDS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({*statuses, *ALWAYS})
    }
