"""Pictures to look at: the file of an image, a small picture, and what a browser shows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from image_similarity_search.errors import ConfigError, ImageNotFoundError
from image_similarity_search.service import files
from image_similarity_search.service.incoming import PICTURE, incoming
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.routes.documented import Responses, problems
from image_similarity_search.service.routes.explaining import UPLOAD
from image_similarity_search.service.routes.searching import ImageId
from image_similarity_search.service.served import Served
from image_similarity_search.service.service import ServedHere, ServiceHere

router = APIRouter(prefix="/v1/collections/{collection}", tags=["images"])

_JPEG = "image/jpeg"


def _answers(words: str, *types: str) -> Responses:
    """What the document says of a picture that comes, or has not changed."""
    return {
        200: {"description": words, "content": dict.fromkeys(types, PICTURE)},
        304: {"description": "Not modified."},
    }


@router.head("/images/{id}/file", include_in_schema=False)
@router.get(
    "/images/{id}/file",
    response_class=Response,
    responses=problems(404) | _answers("The file.", *files.SHOWN.values(), files.DATA),
)
async def get_picture_file(
    served: ServedHere,
    service: ServiceHere,
    request: Request,
    id: ImageId,  # noqa: A002 - its name in the path
    download: Annotated[bool, Query(description="Send it as a download.")] = False,
) -> Response:
    """The file of an image, if it is inside an indexed folder.

    Types that no browser shows, such as HEIC and TIFF, are data to be saved.
    """
    opened = await service.work.read(served, _open, served, id)
    return _file(request, served, opened, saved=download or opened.media_type == files.DATA)


@router.head("/images/{id}/thumbnail", include_in_schema=False)
@router.get(
    "/images/{id}/thumbnail",
    response_class=Response,
    responses=problems(404) | _answers("A thumbnail, as JPEG or WebP.", _JPEG),
)
async def get_thumbnail(
    served: ServedHere,
    service: ServiceHere,
    request: Request,
    id: ImageId,  # noqa: A002 - its name in the path
) -> Response:
    """A thumbnail of an image."""
    data, tag = await service.work.read(served, _kept_thumbnail, served, id)
    headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if data is None:
        async with served.whole_files:
            original = await service.work.read(served, served.file_of, id)
            data = await service.work.do(served, served.thumbnail, id, original)
    return Response(data, headers=headers, media_type=_JPEG)


@router.head("/images/{id}/preview", include_in_schema=False)
@router.get(
    "/images/{id}/preview",
    response_class=Response,
    responses=problems(404, 413) | _answers("A picture.", *files.SHOWN.values()),
)
async def get_preview(
    served: ServedHere,
    service: ServiceHere,
    request: Request,
    id: ImageId,  # noqa: A002 - its name in the path
    original: Annotated[
        bool,
        Query(description="The original file if browsers show it upright; otherwise a JPEG of it."),
    ] = False,
) -> Response:
    """An upright JPEG of an image of any format, at most 1,440 pixels on its longer side.

    It is made when it is asked for, of the file as it is then.
    """
    known = request.headers.get("if-none-match", "")
    async with served.whole_files:
        found = await service.work.read(served, _shown, served, id, known, original=original)
        if isinstance(found, files.OpenFile):
            return _file(request, served, found, saved=False)
        tag, data = found
        jpeg = await service.work.do(served, served.uploads.preview, data)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    return Response(jpeg, headers=headers, media_type=_JPEG)


@router.post(
    "/preview",
    response_class=Response,
    responses=problems(400, 404, 408, 413, 415)
    | {200: {"description": "A picture.", "content": {_JPEG: PICTURE}}},
    openapi_extra=UPLOAD,
)
async def preview_upload(served: ServedHere, service: ServiceHere, request: Request) -> Response:
    """The same for an uploaded picture, which is not stored."""
    given = await incoming(request, pictures=1)
    if not given.pictures or given.question is not None:
        raise ConfigError("body", "", "the bytes of a picture")
    data = await service.work.do(served, served.uploads.preview, given.pictures[0])
    return Response(data, media_type=_JPEG)


class _Streamed(StreamingResponse):
    """An open file, which is closed whatever becomes of the client."""

    def __init__(self, opened: files.OpenFile, served: Served, headers: dict[str, str]) -> None:
        super().__init__(_chunks(opened, served), headers=headers, media_type=opened.media_type)
        self._opened = opened
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # by a thread that may hang: it is waited for what is being read
            self._served.originals.later(self._opened.close)


async def _chunks(opened: files.OpenFile, served: Served) -> AsyncIterator[bytes]:
    """What a file holds; where it can't be read to its end, the connection is cut."""
    chunks = opened.chunks()
    try:
        while data := await served.originals.go_on(next, chunks, b""):
            yield data
    except (OSError, Refusal) as error:
        raise asyncio.CancelledError from error  # a part of the answer is out: no word can follow


def _file(request: Request, served: Served, opened: files.OpenFile, *, saved: bool) -> Response:
    """An open file as it is."""
    headers = {
        "ETag": opened.tag,
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if opened.tag in request.headers.get("if-none-match", ""):
        served.originals.later(opened.close)
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = _disposition(opened.path, saved=saved)
    headers["Content-Length"] = str(opened.size)
    if request.method == "HEAD":
        served.originals.later(opened.close)
        return Response(headers=headers, media_type=opened.media_type)
    return _Streamed(opened, served, headers)


def _open(served: Served, id_: int) -> files.OpenFile:
    return files.open_inside(served.collection.get(id_).path, served.places())


def _shown(
    served: Served, id_: int, known: str, *, original: bool
) -> files.OpenFile | tuple[str, bytes]:
    """The file of an image where that is ``known`` or can be shown, or else its tag and all of it.

    In one work, so that a file is closed where nobody waits for it any more.
    """
    if served.collection.get(id_).state == "skipped":
        raise ImageNotFoundError(id_, "it has no picture")
    opened = _open(served, id_)
    if opened.tag in known or (original and opened.shown_upright):
        return opened
    return opened.tag, files.read_opened(opened)


def _kept_thumbnail(served: Served, id_: int) -> tuple[bytes | None, str]:
    """The small picture of an image, None where it is to be made; and what tells it from others."""
    record = served.collection.get(id_)
    if record.state == "skipped" or not files.is_inside(record.path, served.places()):
        raise ImageNotFoundError(record.path, "it has no thumbnail")
    content = record.content_hash or f"{record.mtime_ns:x}-{record.size:x}"
    return served.kept_thumbnail(id_), f'"{content}"'


def _disposition(path: str, *, saved: bool) -> str:
    """The header that names the file, in letters that every program knows, and as it is."""
    from urllib.parse import quote

    name = os.path.basename(path)
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    exact = quote(os.fsencode(name), safe="")
    kind = "attachment" if saved else "inline"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}"
