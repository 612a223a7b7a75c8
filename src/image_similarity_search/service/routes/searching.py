"""Searches: by an image, by uploaded pictures, by several of both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from image_similarity_search.collection.examples import Example
from image_similarity_search.collection.orientations import Way
from image_similarity_search.errors import ConfigError, ImageTooSlowError
from image_similarity_search.search_options import PLAIN, SearchOptions
from image_similarity_search.service.filtered import Options, Where
from image_similarity_search.service.incoming import PICTURE, incoming, parsed, region_of
from image_similarity_search.service.kinds import Kind
from image_similarity_search.service.problems import Refusal
from image_similarity_search.service.requests import (
    MOST_HITS,
    THRESHOLD,
    ExampleIn,
    FilterIn,
    Id,
    Least,
    SearchIn,
)
from image_similarity_search.service.routes.documented import problems
from image_similarity_search.service.schemas import SearchOut
from image_similarity_search.service.searches import Wanted
from image_similarity_search.service.served import Served
from image_similarity_search.service.service import ServedHere, Service, ServiceHere
from image_similarity_search.types import Region, Threshold

router = APIRouter(tags=["search"])

_NO_TEXT = Kind(422, "no-text", "The collection's model does not support text")
_ABLE = "clip-vit-b32"
_AT_ONCE = 2  # pictures of one request that are decoded: others have their turns, too

HowMany = Annotated[int, Query(ge=1, le=MOST_HITS, description="Maximum number of hits.")]
LeastScore = Annotated[Least | None, Query(description=THRESHOLD)]
PartOf = Annotated[
    str | None,
    Query(
        description="Use only this part of the picture: x,y,w,h as fractions of its upright width"
        " and height.",
        examples=["0.1,0.2,0.5,0.5"],
        max_length=200,
    ),
]
ImageId = Annotated[Id, Path(description="The image's id.", examples=[1])]

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One picture's bytes, a form with pictures, or JSON with ids of images.",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/SearchIn"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "additionalProperties": False,
                    "properties": {
                        "image": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "minItems": 1,
                            "maxItems": 32,
                        },
                        "query": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "description": "A SearchIn; 'upload' is the number of an image.",
                        },
                    },
                },
                "encoding": {"image": {"contentType": "image/*"}},
            },
            "application/octet-stream": PICTURE,
            "image/*": PICTURE,
        },
    }
}


@router.get(
    "/v1/collections/{collection}/images/{id}/similar",
    response_model=SearchOut,
    responses=problems(404, 413),
)
async def search_by_image(
    served: ServedHere,
    service: ServiceHere,
    id: ImageId,  # noqa: A002 - its name in the path
    where: Where,
    options: Options,
    k: HowMany = 10,
    threshold: LeastScore = None,
    region: PartOf = None,
) -> Response:
    """The images most similar to an image of the collection, or to a region of it."""
    part = region_of(region)
    example = ExampleIn(id=id)
    how = _How(k, threshold, where, options.options())
    return await _found(service, served, [(example, part)], [], how)


@router.post(
    "/v1/collections/{collection}/search",
    response_model=SearchOut,
    responses=problems(400, 404, 408, 413, 415),
    openapi_extra=_BODY,
)
async def search(
    request: Request,
    served: ServedHere,
    service: ServiceHere,
    where: Where,
    options: Options,
    k: HowMany = 10,
    threshold: LeastScore = None,
    region: PartOf = None,
) -> Response:
    """The images most similar to a picture, a text, or several examples combined.

    The body is one picture, and the query string says the rest. Or it is a form of pictures with
    the JSON beside them in `query`, or that JSON alone: then the query string is not looked at.
    """
    part = region_of(region)
    given = await incoming(request)
    if given.question is not None:
        wanted = parsed(SearchIn, given.question)
        examples = [(e, e.region.part() if e.region else None) for e in wanted.examples]
        how = _How(wanted.k, wanted.threshold, wanted.filter, wanted.options())
    elif len(given.pictures) == 1 and options.options() == PLAIN:
        alone = Wanted([], k, threshold, where, time.perf_counter())
        return _as_json(await service.work.search_by(served, given.pictures[0], part, alone))
    else:
        examples = [(ExampleIn(upload=number), part) for number in range(len(given.pictures))]
        how = _How(k, threshold, where, options.options())
    return await _found(service, served, examples, given.pictures, how)


@dataclass(frozen=True, slots=True)
class _How:
    """How many hits, how alike, among which images, and what else to do."""

    k: int
    threshold: Threshold | None
    where: FilterIn | None
    options: SearchOptions


async def _found(
    service: Service,
    served: Served,
    examples: list[tuple[ExampleIn, Region | None]],
    pictures: list[bytes],
    how: _How,
) -> Response:
    started = time.perf_counter()
    images = await _images(service, served, examples, pictures, how.options.ways)
    shown = [
        Example(image, example.weight, of=example.id)
        for image, (example, _) in zip(images, examples, strict=True)
    ]
    if how.options == PLAIN:
        wanted = Wanted(shown, how.k, how.threshold, how.where, started)
        return _as_json(await service.work.search(served, wanted))
    return _as_json(await service.work.search_with(served, _searched, served, shown, how, started))


def _as_json(body: str) -> Response:
    return Response(body, media_type="application/json")  # as it is: what it has was checked


async def _images(
    service: Service,
    served: Served,
    examples: list[tuple[ExampleIn, Region | None]],
    pictures: list[bytes],
    ways: Sequence[Way],
) -> list[Any]:
    """What each example is given as; all together have the time that one picture may take.

    Raises:
        ImageTooSlowError: that was over before the last of them was begun.
    """
    if len(examples) == 1:
        [(example, region)] = examples
        return [await _image(service, served, example, region, pictures, ways)]
    loop, seconds = asyncio.get_running_loop(), service.settings.limits.decode_seconds
    until = loop.time() + seconds
    found: list[Any] = [None] * len(examples)
    left = list(enumerate(examples))[::-1]

    async def work() -> None:
        try:
            while left:
                if loop.time() > until:
                    raise ImageTooSlowError("pictures", seconds)
                number, (example, region) = left.pop()
                found[number] = await _image(service, served, example, region, pictures, ways)
        except BaseException:
            left.clear()  # nobody gets the others
            raise

    # none is left alone with its picture: what is under way counts as waiting
    ends = await asyncio.gather(*(work() for _ in range(_AT_ONCE)), return_exceptions=True)
    for end in ends:
        if end is not None:
            raise end
    return found


async def _image(
    service: Service,
    served: Served,
    example: ExampleIn,
    region: Region | None,
    pictures: list[bytes],
    ways: Sequence[Way],
) -> Any:
    """What an example is given as: the id of an image, or the embeddings of a picture or words."""
    if [example.id, example.upload, example.text].count(None) != 2:
        raise ConfigError("example", "", "either 'id', 'upload' or 'text'")
    if example.text is not None:
        if region is not None:
            raise ConfigError("region", str(region), "no region with text")
        if not served.collection.understands_text:
            raise Refusal(_NO_TEXT, f"index with a model that has a text encoder: {_ABLE}")
        rows = await service.work.words(served, example.text)
        return rows.repeat(len(ways), axis=0)  # the same, whichever way a picture is seen
    if example.id is not None:
        if region is None and len(ways) == 1:
            return example.id
        async with served.whole_files:
            data = await service.work.read(served, served.file_of, example.id)
            return await service.work.embedded(served, data, region, ways)
    if example.upload is None or example.upload >= len(pictures):
        raise ConfigError("upload", example.upload, "the number of an uploaded picture, from 0")
    return await service.work.embedded(served, pictures[example.upload], region, ways)


def _searched(served: Served, examples: list[Example], how: _How, started: float) -> str:
    roots = served.roots()
    hits = served.collection.search_by_examples(
        examples,
        how.k,
        threshold=how.threshold,
        where=how.where.where(roots) if how.where else None,
        options=how.options,
    )
    seconds = time.perf_counter() - started
    return SearchOut.json_of(hits, how.k, served.metric, seconds, served.name, roots)
