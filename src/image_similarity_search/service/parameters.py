"""No parameters in the query string but those that are known: a slip is said, not passed over."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

UNKNOWN = "unknown_parameter"
"""The type of a fault that no validation of FastAPI's has."""


async def only_known(request: Request) -> None:
    """Refuse a request with other parameters than the OpenAPI document says.

    Raises:
        RequestValidationError: there are some.
    """
    if not request.query_params or not isinstance(request.scope["route"], APIRoute):
        return
    known = _names(request)
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        which = (
            f"known are {', '.join(sorted(known))}" if known else ("this path takes no parameters")
        )
        raise RequestValidationError(
            [{"type": UNKNOWN, "loc": ("query", name), "msg": which} for name in unknown]
        )


def _names(request: Request) -> frozenset[str]:
    """Those that the route of a request takes, remembered: they are asked for each time."""
    remembered: dict[tuple[str, str], frozenset[str]] = request.app.state.parameters
    place = request.scope["route"].path_format, request.method
    if place not in remembered:
        taken = _operation(request).get("parameters", [])
        remembered[place] = frozenset(one["name"] for one in taken if one["in"] == "query")
    return remembered[place]


def parameters_of(request: Request) -> list[dict[str, Any]]:
    """What the OpenAPI document says of the parameters that the route of a request takes."""
    parameters: list[dict[str, Any]] = _operation(request).get("parameters", [])
    return [one | {"schema": _plain(one["schema"], request)} for one in parameters]


def json_of(request: Request) -> dict[str, Any]:
    """What it says of the JSON that the route takes; of no fields where it takes none."""
    content = _operation(request).get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {"type": "object", "properties": {}})
    plain: dict[str, Any] = _plain(schema, request)
    return plain


def _operation(request: Request) -> dict[str, Any]:
    route = request.scope["route"]
    method = request.method.replace("HEAD", "GET")  # the document has only what HEAD tells of
    operation: dict[str, Any] = request.app.openapi()["paths"][route.path_format][method.lower()]
    return operation


def _plain(schema: Any, request: Request) -> Any:
    """A schema with all that it refers to inside, and without null, which says what is left out."""
    if isinstance(schema, list):
        return [_plain(one, request) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _plain(request.app.openapi()["components"]["schemas"][name], request)
    ways = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    if len(ways) == 1:
        return _plain(ways[0], request)
    plain = {name: _plain(value, request) for name, value in schema.items()}
    return plain | ({"anyOf": _plain(ways, request)} if ways else {})
