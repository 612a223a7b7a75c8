"""Images: listed, looked at, added, forgotten."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from image_similarity_search.errors import ConfigError, ImageNotFoundError, ImageUnreadableError
from image_similarity_search.service import files
from image_similarity_search.service.filtered import Where
from image_similarity_search.service.incoming import PICTURE, incoming, parsed
from image_similarity_search.service.kinds import Kind
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.requests import MOST, AddIn, FilterIn
from image_similarity_search.service.roots import inside
from image_similarity_search.service.routes.documented import problems
from image_similarity_search.service.routes.searching import ImageId
from image_similarity_search.service.schemas import Image, Images
from image_similarity_search.service.served import Served
from image_similarity_search.service.service import Changing, ServedHere, ServiceHere
from image_similarity_search.types import State

router = APIRouter(prefix="/v1/collections/{collection}/images", tags=["images"])

_EXISTS = Kind(409, "exists", "There is a file of this name already")
_MOST_LISTED = 1_000

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/AddIn"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "additionalProperties": False,
                    "properties": {"image": {"type": "string", "format": "binary"}},
                },
                "encoding": {"image": {"contentType": "image/*"}},
            },
            "application/octet-stream": PICTURE,
            "image/*": PICTURE,
        },
    }
}


@router.get("", responses=problems(404))
async def listed(
    served: ServedHere,
    service: ServiceHere,
    where: Where,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="Start behind this id.")] = 0,
    offset: Annotated[int, Query(ge=0, le=MOST, description="Pass over so many.")] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 100,
    state: State = "indexed",
) -> Images:
    """The images of a collection in order of id, a page at a time.

    Conditions are for indexed images; those that were skipped are all listed.
    """
    return await service.desk.do(_page, served, where, after, offset, limit, state)


@router.get("/{id}", responses=problems(404))
async def image(served: ServedHere, service: ServiceHere, id: ImageId) -> Image:  # noqa: A002 - its name in the path
    """One image."""
    return await service.desk.do(_one, served, id)


@router.head("/{id}/file", include_in_schema=False)
@router.get(
    "/{id}/file",
    response_class=Response,
    responses=problems(404)
    | {
        200: {
            "description": "The file.",
            "content": dict.fromkeys((*files.SHOWN.values(), files.DATA), PICTURE),
        },
        304: {"description": "It is as it was."},
    },
)
async def original(
    served: ServedHere,
    service: ServiceHere,
    request: Request,
    id: ImageId,  # noqa: A002 - its name in the path
    download: Annotated[bool, Query(description="To be saved, not shown.")] = False,
) -> Response:
    """The file of an image, as long as it is inside an indexed folder.

    Types that no browser shows, such as HEIC and TIFF, are data to be saved.
    """
    opened = await service.desk.read(served, _open, served, id)
    tag = f'"{opened.mtime_ns:x}-{opened.size:x}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if tag in request.headers.get("if-none-match", ""):
        served.originals.later(opened.close)
        return Response(status_code=304, headers=headers)
    saved = download or opened.media_type == files.DATA
    headers["Content-Disposition"] = _disposition(opened.path, saved=saved)
    headers["Content-Length"] = str(opened.size)
    if request.method == "HEAD":
        served.originals.later(opened.close)
        return Response(headers=headers, media_type=opened.media_type)
    return _Streamed(opened, served, headers)


@router.head("/{id}/thumbnail", include_in_schema=False)
@router.get(
    "/{id}/thumbnail",
    response_class=Response,
    responses=problems(404)
    | {
        200: {
            "description": "A small picture.",
            "content": {"image/jpeg": PICTURE},
        },
        304: {"description": "It is as it was."},
    },
)
async def thumbnail(
    served: ServedHere,
    service: ServiceHere,
    request: Request,
    id: ImageId,  # noqa: A002 - its name in the path
) -> Response:
    """A small picture of an image."""
    data, tag = await service.desk.read(served, _kept_thumbnail, served, id)
    if data is None:
        original = await service.desk.read(served, served.file_of, id)
        data = await service.desk.do(served.thumbnail, id, original)
    headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type="image/jpeg")


@router.post(
    "",
    status_code=201,
    dependencies=[Changing],
    responses=problems(400, 404, 408, 409, 413, 415, 423, 507),
    openapi_extra=_BODY,
)
async def add(
    served: ServedHere,
    service: ServiceHere,
    request: Request,
    response: Response,
    root: Annotated[str | None, Query(description="The indexed folder to put it in.")] = None,
    path: Annotated[
        str | None, Query(description="Its path there.", examples=["new/beach.jpg"])
    ] = None,
) -> Image:
    """Add an image: upload it, or say where in an indexed folder it lies already.

    An upload never replaces a file, and is kept only if it is a picture.
    """
    given = await incoming(request, pictures=1)
    if given.question is not None:
        wanted = parsed(AddIn, given.question)
        made = await service.desk.change(served, _add, served, wanted.root, wanted.path)
    else:
        if root is None or path is None:
            raise ConfigError("root, path", "", "where to put it, in the query string")
        roots = await service.desk.do(served.roots)
        folder = roots.folder(root)
        target = inside(folder, path)
        files.check_name(target)
        await service.desk.embedded(served, given.pictures[0], None)  # is it a picture at all?
        made = await service.desk.change(served, _put, served, folder, target, given.pictures[0])
    response.headers["Location"] = made.links.self
    return made


@router.delete("/{id}", status_code=204, dependencies=[Changing], responses=problems(404, 423, 507))
async def forget(served: ServedHere, service: ServiceHere, id: ImageId) -> Response:  # noqa: A002 - its name in the path
    """Forget an image. Its file is not touched: the next sync of its folder finds it again."""
    await service.desk.change(served, served.collection.remove, id)
    return Response(status_code=204)


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
        while data := await served.originals.do(next, chunks, b""):
            yield data
    except (OSError, Refusal) as error:
        raise asyncio.CancelledError from error  # a part of the answer is out: no word can follow


def _page(
    served: Served, given: FilterIn, after: int, offset: int, limit: int, state: State
) -> Images:
    roots = served.roots()
    where = given.where(roots)
    if state == "indexed":
        records = served.collection.images(where, after=after, offset=offset, limit=limit)
        total = served.collection.count(where)
    else:
        later = (record for record in served.collection.skipped() if record.id > after)
        records = list(islice(later, offset, offset + limit))
        total = served.collection.info().skipped
    images = [Image.of(record, served.name, roots) for record in records]
    following = images[-1].id if len(images) == limit else None
    return Images(images=images, next=following, total=total)


def _one(served: Served, id_: int) -> Image:
    return Image.of(served.collection.get(id_), served.name, served.roots())


def _open(served: Served, id_: int) -> files.OpenFile:
    return files.open_inside(served.collection.get(id_).path, served.places())


def _kept_thumbnail(served: Served, id_: int) -> tuple[bytes | None, str]:
    """The small picture of an image, None where it is to be made; and what tells it from others."""
    record = served.collection.get(id_)
    if record.state == "skipped" or not files.is_inside(record.path, served.places()):
        raise ImageNotFoundError(record.path, "there is no small picture of it")
    content = record.content_hash or f"{record.mtime_ns:x}-{record.size:x}"
    return served.kept_thumbnail(id_), f'"{content}"'


def _add(served: Served, root: str, path: str) -> Image:
    """Add a file that is there."""
    roots = served.roots()
    target = inside(roots.folder(root), path)
    files.open_inside(target, roots).close()
    return _added(served, target)


def _put(served: Served, root: str, target: str, data: bytes) -> Image:
    """Add a new file."""
    try:
        with files.new_file(root, target, data):
            return _added(served, target)
    except FileExistsError:
        raise Refusal(_EXISTS, "nothing was replaced: choose another name") from None


def _added(served: Served, target: str) -> Image:
    (record,) = served.collection.add(target)
    if record.state == "skipped":
        raise ImageUnreadableError(target, record.reason or "no picture")
    return Image.of(record, served.name, served.roots())


def _disposition(path: str, *, saved: bool) -> str:
    """The header that names the file, in letters that every program knows, and as it is."""
    from urllib.parse import quote

    name = os.path.basename(path)
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    exact = quote(os.fsencode(name), safe="")
    kind = "attachment" if saved else "inline"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}"
