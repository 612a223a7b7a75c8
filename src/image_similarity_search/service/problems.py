"""Errors as RFC 9457 problem details; the one table of which is which."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from image_similarity_search import errors
from image_similarity_search.errors import ConfigError, ImageError, ImageSearchError

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """What an error is to a client.

    ``retry`` are the seconds after which to try again.
    """

    status: int
    slug: str
    title: str
    retry: int | None = None


# the first class that fits counts
KINDS: dict[type[ImageSearchError], Kind] = {
    errors.ImageNotFoundError: Kind(404, "image-not-found", "There is no such image"),
    errors.FolderNotFoundError: Kind(404, "folder-not-found", "There is no such folder"),
    errors.ImageTooLargeError: Kind(413, "image-too-large", "The picture has too many pixels"),
    errors.ImageTooSlowError: Kind(422, "image-too-slow", "The picture takes too long to decode"),
    ImageError: Kind(422, "image-unreadable", "This is no picture that can be read"),
    errors.EncoderUnavailableError: Kind(503, "encoder-unavailable", "The model can't be used", 60),
    errors.EncoderError: Kind(500, "encoder", "The model failed"),
    errors.CollectionLockedError: Kind(423, "locked", "The collection is being changed", 5),
    errors.CollectionUnwritableError: Kind(507, "unwritable", "The collection can't be changed"),
    errors.CollectionNotFoundError: Kind(503, "collection-gone", "The collection is gone", 60),
    errors.CollectionCorruptError: Kind(500, "corrupt", "The collection is damaged"),
    errors.CollectionError: Kind(500, "collection", "The collection can't be used as asked"),
    errors.StoreError: Kind(500, "store", "The index of embeddings can't be used"),
    errors.WorkerUnavailableError: Kind(503, "no-worker", "No picture can be decoded now", 5),
    ConfigError: Kind(422, "invalid", "The request has a value that is not allowed"),
    ImageSearchError: Kind(500, "failed", "That failed"),
}

TITLES = {
    400: ("bad-request", "The request can't be understood"),
    404: ("not-found", "There is nothing here"),
    405: ("method", "This can't be done here"),
}


class Refusal(HTTPException):
    """A request that is not answered as asked, with what the client is told of it."""

    def __init__(self, kind: Kind, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(kind.status, detail, dict(headers or {}))
        self.kind = kind


def kind_of(error: ImageSearchError) -> Kind:
    """What an error is to a client."""
    return next(kind for type_, kind in KINDS.items() if isinstance(error, type_))


def detail_of(error: ImageSearchError) -> str:
    """What a client may know of an error: nothing of the machine, such as its paths."""
    if isinstance(error, ConfigError):
        return f"{error.name}: expected {error.expected}"
    if isinstance(error, ImageError):
        return error.reason
    return kind_of(error).title


def problem(kind: Kind, detail: str, **more: Any) -> dict[str, Any]:
    """The JSON of a problem."""
    return {
        "type": f"urn:iss:problem:{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        **more,
    }


def response(
    kind: Kind, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """The response that tells of a problem."""
    sent = dict(headers or {})
    if kind.retry is not None:
        sent.setdefault("Retry-After", str(kind.retry))
    body = json.dumps(problem(kind, detail, **more))
    return Response(body, kind.status, sent, MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Have every error of ``app`` answered by a problem."""

    @app.exception_handler(ImageSearchError)
    async def known(_: Request, error: ImageSearchError) -> Response:
        kind = kind_of(error)
        if kind.status >= 500:
            _log.warning("%s", error)
        return response(kind, detail_of(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        faults = [
            {"where": ".".join(map(str, fault["loc"])), "what": fault["msg"]}
            for fault in error.errors()
        ]
        detail = "; ".join(f"{fault['where']}: {fault['what']}" for fault in faults[:5])
        return response(KINDS[ConfigError], detail, errors=faults)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        if isinstance(error, Refusal):
            return response(error.kind, str(error.detail), error.headers)
        if error.status_code == 405:
            error.headers = {"Allow": ", ".join(sorted(_methods(request)))}
        slug, title = TITLES.get(error.status_code, ("http", str(error.detail)))
        return response(Kind(error.status_code, slug, title), str(error.detail), error.headers)

    @app.exception_handler(Exception)
    async def unknown(_: Request, error: Exception) -> Response:
        return response(Kind(500, "internal", "That failed"), "The service's log says why.")


def _methods(request: Request) -> set[str]:
    """What can be done at the path of a request, as the document says it."""
    found: set[str] = set()
    for template, operations in request.app.openapi()["paths"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, request.url.path):
            found |= {method.upper() for method in operations}
    return found
