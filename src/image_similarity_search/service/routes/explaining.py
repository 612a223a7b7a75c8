"""Why two pictures are alike."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from image_similarity_search.collection.explaining.explanation import ExplainMethod
from image_similarity_search.errors import ConfigError
from image_similarity_search.service.incoming import PICTURE, incoming, region_of
from image_similarity_search.service.requests import Id
from image_similarity_search.service.routes.documented import problems
from image_similarity_search.service.routes.searching import ImageId, PartOf
from image_similarity_search.service.schemas import ExplanationOut
from image_similarity_search.service.served import Served
from image_similarity_search.service.service import ServedHere, ServiceHere
from image_similarity_search.types import Region

router = APIRouter(prefix="/v1/collections/{collection}/images/{id}/explanation", tags=["search"])

Method = Annotated[
    ExplainMethod | None,
    Query(description="Default: `places` if the model allows it, otherwise `occlusion`."),
]

UPLOAD = {
    "requestBody": {
        "required": True,
        "description": "The picture's bytes.",
        "content": {"application/octet-stream": PICTURE, "image/*": PICTURE},
    }
}
"""A body that is a picture, in OpenAPI."""


@router.get("", responses=problems(404, 413))
async def explain_hit(
    served: ServedHere,
    service: ServiceHere,
    id: ImageId,  # noqa: A002 - its name in the path
    query: Annotated[Id, Query(description="Id of the query image.", examples=[2])],
    region: PartOf = None,
    method: Method = None,
) -> ExplanationOut:
    """Show which parts of an image and of the query image make them similar."""
    part = region_of(region)
    async with served.whole_files:
        picture = await service.work.read(served, served.file_of, query)
        hit = await service.work.read(served, served.file_of, id)
        return await service.work.do(served, _compared, served, picture, hit, part, method)


@router.post(
    "",
    responses=problems(400, 404, 408, 413, 415),
    openapi_extra=UPLOAD,
)
async def explain_hit_of_upload(
    served: ServedHere,
    service: ServiceHere,
    request: Request,
    id: ImageId,  # noqa: A002 - its name in the path
    region: PartOf = None,
    method: Method = None,
) -> ExplanationOut:
    """Show which parts of an image and of an uploaded picture make them similar."""
    part = region_of(region)
    given = await incoming(request, pictures=1)
    if not given.pictures or given.question is not None:
        raise ConfigError("body", "", "the bytes of a picture")
    async with served.whole_files:
        hit = await service.work.read(served, served.file_of, id)
        return await service.work.do(
            served, _compared, served, given.pictures[0], hit, part, method
        )


def _compared(
    served: Served, query: bytes, hit: bytes, region: Region | None, method: ExplainMethod | None
) -> ExplanationOut:
    query_view, query_part = served.uploads.view(query, region)
    hit_view, hit_part = served.uploads.view(hit)
    compared = served.collection.explain_views(query_view, hit_view, method)
    return ExplanationOut.of(compared, query_part, hit_part)
