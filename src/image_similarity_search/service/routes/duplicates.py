"""Duplicates: looked for in the background, and dismissed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from image_similarity_search.errors import ImageNotFoundError
from image_similarity_search.service.requests import MOST, DismissIn, DuplicatesIn
from image_similarity_search.service.roots import Roots
from image_similarity_search.service.routes.documented import problems
from image_similarity_search.service.routes.syncing import JobId
from image_similarity_search.service.schemas import DuplicateOut, GroupOut, Groups, Image, Job
from image_similarity_search.service.served import Served
from image_similarity_search.service.service import Changing, ServedHere, ServiceHere

router = APIRouter(tags=["duplicates"])

_MOST_IMAGES = 10_000  # of an answer, or one group more


@router.post(
    "/v1/collections/{collection}/duplicates",
    status_code=202,
    responses=problems(400, 404, 408, 409, 413, 507),
)
async def find_duplicates(
    served: ServedHere, service: ServiceHere, response: Response, wanted: DuplicatesIn | None = None
) -> Job:
    """Start a job that finds duplicates; nothing is changed. The response is the job."""
    wanted = wanted or DuplicatesIn()
    roots = await service.work.do(served, served.roots)
    where = wanted.filter or None
    if where is not None:
        where.where(roots)  # what is not allowed is said now, and not by the job
    task = {
        "index_dir": served.folder,
        "level": wanted.level,
        "thorough": wanted.thorough,
        "filter": where.fields(roots) if where else None,
    }
    job = await service.work.tell(service.jobs.start, "duplicates", served.name, task)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


@router.get("/v1/jobs/{job}/duplicates", responses=problems(404))
async def list_duplicates(
    service: ServiceHere,
    job: JobId,
    offset: Annotated[int, Query(ge=0, le=MOST, description="Number of groups to skip.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    others: Annotated[
        int, Query(ge=1, le=_MOST_IMAGES, description="Maximum number of `others` per group.")
    ] = 100,
) -> Groups:
    """The groups that a job found, the most similar first, without images removed since.

    A page of large groups has fewer than `limit`; `next` says where to go on.
    """
    kept = await service.work.tell(service.jobs.groups, job)
    name = (await service.work.tell(service.jobs.get, job)).collection
    async with service.collections.one(name) as served:
        return await service.work.do(served, _groups, served, kept, offset, limit, others)


@router.post(
    "/v1/collections/{collection}/duplicates/dismiss",
    status_code=204,
    dependencies=[Changing],
    responses=problems(400, 404, 408, 413, 423, 507),
)
async def dismiss_duplicates(
    served: ServedHere, service: ServiceHere, wanted: DismissIn
) -> Response:
    """Mark images as not duplicates of each other, permanently."""
    await service.work.change(served, served.collection.dismiss_duplicates, *wanted.ids)
    return Response(status_code=204)


def _groups(
    served: Served, kept: Sequence[dict[str, Any]], offset: int, limit: int, others: int
) -> Groups:
    roots = served.roots()
    shown, images, end = [], 0, offset
    while end < min(offset + limit, len(kept)) and images < _MOST_IMAGES:
        group = _group(served, roots, kept[end], others)
        end += 1
        if group is not None:
            shown.append(group)
            images += 1 + len(group.others)
    return Groups(groups=shown, next=end if end < len(kept) else None, total=len(kept))


def _group(served: Served, roots: Roots, group: dict[str, Any], most: int) -> GroupOut | None:
    """A group with its images; None where fewer than two of them are left."""
    keep = _image(served, roots, group["keep"])
    others = [
        DuplicateOut(image=image, **{name: other[name] for name in other if name != "id"})
        for other in group["others"][:most]
        if (image := _image(served, roots, other["id"]))
    ]
    if keep is None or not others:
        return None
    more = max(0, len(group["others"]) - most)
    return GroupOut(
        keep=keep,
        why=group["why"],
        level=group["level"],
        goes=group.get("goes", group["level"] != "similar"),  # an older version did not say it
        sharpness=group.get("sharpness"),  # of a job of an older version there is none
        others=others,
        more=more,
    )


def _image(served: Served, roots: Roots, id_: int) -> Image | None:
    try:
        return Image.of(served.collection.get(id_), served.name, roots)
    except ImageNotFoundError:
        return None
