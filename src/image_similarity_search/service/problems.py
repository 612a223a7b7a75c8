"""Errors as RFC 9457 problem details."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from image_similarity_search.errors import ConfigError, ImageSearchError
from image_similarity_search.service.faults import faults
from image_similarity_search.service.kinds import (
    INTERNAL,
    KINDS,
    LOGGED,
    Kind,
    detail_of,
    kind_of,
    problem,
)

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

TITLES = {
    400: ("bad-request", "Bad request"),
    404: ("not-found", "Not found"),
    405: ("method", "Method not allowed"),
}


class Refusal(HTTPException):
    """A request that is not answered as asked, with what the client is told of it."""

    def __init__(self, kind: Kind, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(kind.status, detail, dict(headers or {}))
        self.kind = kind


def response(
    kind: Kind, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """The response that tells of a problem."""
    sent = dict(headers or {})
    if kind.retry is not None:
        sent.setdefault("Retry-After", str(kind.retry))
    body = json.dumps(problem(kind, detail, **more))
    return Response(body, kind.status, sent, MEDIA_TYPE)


def internal() -> Response:
    """The response to a request that failed as none should."""
    return response(INTERNAL, LOGGED)


def add_handlers(app: FastAPI) -> None:
    """Have every error of ``app`` answered by a problem."""

    @app.exception_handler(ImageSearchError)
    async def known(_: Request, error: ImageSearchError) -> Response:
        kind = kind_of(error)
        if kind.status >= 500:
            _log.warning("%s", error)
        return response(kind, detail_of(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        found = faults(request, error.errors())
        detail = "; ".join(f"{fault['where']}: {fault['what']}" for fault in found[:5])
        return response(KINDS[ConfigError], detail, errors=found)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if isinstance(error, Refusal):
            return response(error.kind, str(error.detail), error.headers)
        if error.status_code == 405:
            allowed = ", ".join(sorted(_methods(request)))
            error.headers = {"Allow": allowed}
            others = f"; use {allowed}" if allowed else ""
            error.detail = f"{request.method} is not allowed for this path{others}"
        elif error.detail == HTTPStatus.NOT_FOUND.phrase:
            error.detail = "no such path; /openapi.json lists all paths"
        slug, title = TITLES.get(error.status_code, ("http", str(error.detail)))
        return response(Kind(error.status_code, slug, title), str(error.detail), error.headers)

    @app.exception_handler(Exception)
    async def unknown(_: Request, error: Exception) -> Response:
        return internal()


def _methods(request: Request) -> set[str]:
    """What can be done at the path of a request, as the document says it."""
    found: set[str] = set()
    for template, operations in request.app.openapi()["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, request.url.path):
            found |= {method.upper() for method in operations}
    return found
