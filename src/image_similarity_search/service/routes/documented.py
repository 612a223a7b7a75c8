"""What the OpenAPI document says of errors and bodies."""

from __future__ import annotations

from typing import Any

from image_similarity_search.service.problems import MEDIA_TYPE
from image_similarity_search.service.schemas import Problem

_WORDS = {
    400: "Malformed body",
    401: "API key required",
    403: "Refused",
    404: "Not found",
    408: "Request timeout",
    409: "Conflict",
    413: "Request or picture too large",
    415: "Unsupported media type",
    421: "Host name not accepted",
    422: "Invalid value, or not a picture",
    423: "The collection is being changed",
    429: "Too many requests",
    500: "Failed",
    503: "Busy, or a component is unavailable",
    507: "The collection is not writable",
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
