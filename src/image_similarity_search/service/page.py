"""The web page: files that lie in the package, and use the API as anybody does."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request, Response

STATIC = Path(__file__).parent / "static"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    media_type: str
    tag: str


def add_page(app: FastAPI) -> None:
    """Have ``app`` answer ``/`` with the page, and ``/static/...`` with what it needs.

    The few files are read once: no path of a request ever reaches the file system.
    """
    files = {path.relative_to(STATIC).as_posix(): _read(path) for path in _paths()}

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return _answer(request, files["index.html"])

    @app.head("/static/{name:path}", include_in_schema=False)
    @app.get("/static/{name:path}", include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "no such file")
        return _answer(request, files[name])


def _paths() -> list[Path]:
    return [path for path in STATIC.rglob("*") if path.suffix in _TYPES]


def _read(path: Path) -> _File:
    data = path.read_bytes()
    return _File(data, _TYPES[path.suffix], f'"{hashlib.sha256(data).hexdigest()[:16]}"')


def _answer(request: Request, file: _File) -> Response:
    """The file, or that it is as it was: it is asked for each time, and sent when it changed."""
    headers = {"ETag": file.tag, "Cache-Control": "no-cache"}
    if file.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.data, headers=headers, media_type=file.media_type)
