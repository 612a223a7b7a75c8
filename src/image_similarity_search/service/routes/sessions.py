"""A cookie in place of an API key, for browsers."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from image_similarity_search.service.keys import COOKIE, SESSION_SECONDS
from image_similarity_search.service.kinds import Kind
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.requests import SessionIn
from image_similarity_search.service.routes.documented import problems
from image_similarity_search.service.service import ServiceHere

router = APIRouter(tags=["service"])

_WRONG = Kind(401, "key", "API key required")


@router.post("/v1/session", status_code=204, responses=problems(400, 408, 413))
async def log_in(service: ServiceHere, request: Request, given: SessionIn) -> Response:
    """Exchange an API key for a session cookie (HttpOnly)."""
    address = request.client.host if request.client else "unknown"
    if service.keys.needed:
        service.wrong_keys.check(address, given.key)
    value = service.keys.session_for(given.key)
    if service.keys.needed and value is None:
        service.wrong_keys.was_wrong(address, given.key)
        raise Refusal(_WRONG, "the API key is not valid", {"WWW-Authenticate": "Bearer"})
    response = Response(status_code=204)
    if value is not None:
        response.set_cookie(
            COOKIE,
            value,
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
    return response


@router.delete("/v1/session", status_code=204, responses=problems())
async def log_out() -> Response:
    """Delete the session cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response
