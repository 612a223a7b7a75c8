"""Images: listed, added, forgotten."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from image_similarity_search.errors import ConfigError, ImageUnreadableError
from image_similarity_search.service import files
from image_similarity_search.service.filtered import Where
from image_similarity_search.service.incoming import PICTURE, incoming, parsed
from image_similarity_search.service.kinds import Kind
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.requests import MOST, AddIn, FilterIn
from image_similarity_search.service.roots import inside, text_of
from image_similarity_search.service.routes.documented import problems
from image_similarity_search.service.routes.searching import ImageId
from image_similarity_search.service.schemas import Image, ImageDetails, Images, PathOut, TraitsOut
from image_similarity_search.service.served import Served
from image_similarity_search.service.service import Changing, ServedHere, ServiceHere
from image_similarity_search.service.whereabouts import asked_from_here
from image_similarity_search.types import State

router = APIRouter(prefix="/v1/collections/{collection}/images", tags=["images"])

_EXISTS = Kind(409, "exists", "The file exists already")
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
async def list_images(
    served: ServedHere,
    service: ServiceHere,
    where: Where,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="Start after this id.")] = 0,
    offset: Annotated[int, Query(ge=0, le=MOST, description="Number of images to skip.")] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST_LISTED)] = 100,
    state: State = "indexed",
) -> Images:
    """List the images of a collection in order of id, page by page.

    Conditions are for indexed images; those that were skipped are all listed.
    """
    return await service.work.do(served, _page, served, where, after, offset, limit, state)


@router.get("/{id}", responses=problems(404))
async def get_image(served: ServedHere, service: ServiceHere, id: ImageId) -> ImageDetails:  # noqa: A002 - its name in the path
    """One image, with its metadata."""
    return await service.work.do(served, _one, served, id)


@router.get("/{id}/path", responses=problems(404))
async def get_image_path(
    served: ServedHere,
    service: ServiceHere,
    request: Request,
    id: ImageId,  # noqa: A002 - its name in the path
) -> PathOut:
    """Where the file of an image lies, for who asks from the same machine and needs no key."""
    record = await service.work.do(served, served.collection.get, id)
    told = not service.keys.needed and asked_from_here(request)
    return PathOut(path=text_of(record.path) if told else None)


@router.post(
    "",
    status_code=201,
    dependencies=[Changing],
    responses=problems(400, 404, 408, 409, 413, 415, 423, 507),
    openapi_extra=_BODY,
)
async def add_image(
    served: ServedHere,
    service: ServiceHere,
    request: Request,
    response: Response,
    root: Annotated[str | None, Query(description="The indexed folder to put it in.")] = None,
    path: Annotated[
        str | None, Query(description="Its path in that folder.", examples=["new/beach.jpg"])
    ] = None,
) -> Image:
    """Add an image: upload it, or name a file in an indexed folder.

    An upload never replaces a file, and is kept only if it is a picture.
    """
    given = await incoming(request, pictures=1)
    if given.question is not None:
        wanted = parsed(AddIn, given.question)
        made = await service.work.change(served, _add, served, wanted.root, wanted.path)
    else:
        if root is None or path is None:
            raise ConfigError("root, path", "", "both in the query string: where to put it")
        roots = await service.work.do(served, served.roots)
        folder = roots.folder(root)
        target = inside(folder, path)
        files.check_name(target)
        await service.work.embedded(served, given.pictures[0], None)  # is it a picture at all?
        made = await service.work.change(served, _put, served, folder, target, given.pictures[0])
    response.headers["Location"] = made.links.self
    return made


@router.delete("/{id}", status_code=204, dependencies=[Changing], responses=problems(404, 423, 507))
async def remove_image(served: ServedHere, service: ServiceHere, id: ImageId) -> Response:  # noqa: A002 - its name in the path
    """Remove an image from the collection. Its file is not deleted: the next sync adds it again."""
    await service.work.change(served, served.collection.remove, id)
    return Response(status_code=204)


def _page(
    served: Served, given: FilterIn, after: int, offset: int, limit: int, state: State
) -> Images:
    roots = served.roots()
    where = given.where(roots)
    if state == "indexed":
        records = served.collection.images(where, after=after, offset=offset, limit=limit)
        total = served.collection.count(where)
    else:
        records = list(islice(served.collection.skipped(after=after), offset, offset + limit))
        total = served.collection.info().skipped
    images = [Image.of(record, served.name, roots) for record in records]
    following = images[-1].id if len(images) == limit else None
    return Images(images=images, next=following, total=total)


def _one(served: Served, id_: int) -> ImageDetails:
    image = Image.of(served.collection.get(id_), served.name, served.roots())
    traits = served.collection.traits(id_)
    return ImageDetails(**dict(image), traits=TraitsOut.of(traits) if traits else None)


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
        raise ImageUnreadableError(target, record.reason or "not a picture")
    return Image.of(record, served.name, served.roots())
