"""No parameters in the query string but those that are known: a slip is said, not passed over."""

from __future__ import annotations

from fastapi import Request
from fastapi.routing import APIRoute

from image_similarity_search.errors import ConfigError


async def only_known(request: Request) -> None:
    """Refuse a request with another parameter than the OpenAPI document says.

    Raises:
        ConfigError: there is one.
    """
    route = request.scope["route"]
    if not request.query_params or not isinstance(route, APIRoute):
        return
    method = request.method.replace(
        "HEAD", "GET"
    ).lower()  # the document has only what HEAD tells of
    operation = request.app.openapi()["paths"][route.path_format][method]
    known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    for name in request.query_params:
        if name not in known:
            expected = f"one of {', '.join(sorted(known))}" if known else "no parameters"
            raise ConfigError(f"parameter {name[:50]!r}", "", expected)
