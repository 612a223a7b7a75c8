"""No parameters in the query string but those that are known: a slip is said, not passed over."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute

from image_similarity_search.errors import ConfigError


async def only_known(request: Request) -> None:
    """Refuse a request with another parameter than the OpenAPI document says.

    Raises:
        ConfigError: there is one.
    """
    if not request.query_params or not isinstance(request.scope["route"], APIRoute):
        return
    known = {one["name"] for one in parameters_of(request) if one["in"] == "query"}
    for name in request.query_params:
        if name not in known:
            expected = f"one of {', '.join(sorted(known))}" if known else "no parameters"
            raise ConfigError(f"parameter {name[:50]!r}", "", expected)


def parameters_of(request: Request) -> list[dict[str, Any]]:
    """What the OpenAPI document says of the parameters that the route of a request takes."""
    route = request.scope["route"]
    method = request.method.replace("HEAD", "GET")  # the document has only what HEAD tells of
    operation = request.app.openapi()["paths"][route.path_format][method.lower()]
    parameters: list[dict[str, Any]] = operation.get("parameters", [])
    return parameters
