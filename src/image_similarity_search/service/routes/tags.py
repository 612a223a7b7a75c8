"""Tags of images."""

from __future__ import annotations

from fastapi import APIRouter

from image_similarity_search.service.requests import TagsIn
from image_similarity_search.service.routes.documented import problems
from image_similarity_search.service.schemas import Changed, TagsOut
from image_similarity_search.service.served import Served
from image_similarity_search.service.service import Changing, ServedHere, ServiceHere

router = APIRouter(prefix="/v1/collections/{collection}/tags", tags=["images"])


@router.get("", responses=problems(404))
async def list_tags(served: ServedHere, service: ServiceHere) -> TagsOut:
    """All tags, with the number of images that have each."""
    return TagsOut(tags=await service.work.do(served, served.collection.tags))


@router.post("", dependencies=[Changing], responses=problems(400, 404, 408, 413, 423, 507))
async def change_tags(served: ServedHere, service: ServiceHere, wanted: TagsIn) -> Changed:
    """Add tags to images, and remove others."""
    return Changed(changed=await service.work.change(served, _changed, served, wanted))


def _changed(served: Served, wanted: TagsIn) -> int:
    return served.collection.change_tags(wanted.ids, add=wanted.add, remove=wanted.remove)
