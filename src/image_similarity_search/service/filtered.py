"""Which images count and how is searched, as the query string says it: named as in JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from pydantic import Field

from image_similarity_search.filters import COLOURS, Colour, Orientation
from image_similarity_search.service.requests import (
    DIVERSE_WORDS,
    MOST,
    FilterIn,
    Id,
    OptionsIn,
    Share,
)

Whole = Annotated[int | None, Query(ge=0, le=MOST)]
Ratio = Annotated[float | None, Query(ge=0, allow_inf_nan=False)]
Text = Annotated[str | None, Query(min_length=1, max_length=1_000)]
Moment = Annotated[
    str | None,
    Query(max_length=64, description="ISO 8601: 2024, 2024-05, 2024-05-17, 2024-05-17T18:30Z."),
]
CameraMoment = Annotated[
    str | None, Query(max_length=64, description="As above, by the camera's clock: no time zone.")
]


async def _from_query(
    folder: Annotated[
        Text, Query(description="A root's name, and perhaps folders below it: `photos/holiday`.")
    ] = None,
    name: Annotated[Text, Query(description="A pattern of the file's name: `*.jpg`.")] = None,
    formats: Annotated[list[str], Query(max_length=50, description="`jpeg`, `heic` …")] = [],  # noqa: B006 - not changed
    min_width: Whole = None,
    max_width: Whole = None,
    min_height: Whole = None,
    max_height: Whole = None,
    orientation: Orientation | None = None,
    min_aspect: Ratio = None,
    max_aspect: Ratio = None,
    aspect: Annotated[
        str | None, Query(max_length=50, description="landscape … or a ratio: `3:2`, `1.5`.")
    ] = None,
    min_size: Whole = None,
    max_size: Whole = None,
    modified_after: Moment = None,
    modified_before: Moment = None,
    tags: Annotated[list[str], Query(max_length=50, description="All wanted, in any case.")] = [],  # noqa: B006 - not changed
    camera: Annotated[
        str | None,
        Query(min_length=1, max_length=200, description="A part of its name, in any case."),
    ] = None,
    taken_after: CameraMoment = None,
    taken_before: CameraMoment = None,
    gps_box: Annotated[
        list[Annotated[float, Field(allow_inf_nan=False)]] | None,
        Query(min_length=4, max_length=4, description="South, west, north, east: four times."),
    ] = None,
    colours: Annotated[list[Colour], Query(max_length=len(COLOURS))] = [],  # noqa: B006 - not changed
) -> FilterIn:
    return FilterIn(**locals())


async def _options_from_query(
    mirrored: Annotated[bool, Query(description="Find mirrored versions, too.")] = False,
    turned: Annotated[bool, Query(description="Find versions turned by quarters, too.")] = False,
    exclude_same_folder: Annotated[
        bool, Query(description="No hits from the folder of the image.")
    ] = False,
    diverse: Annotated[Share, Query(description=DIVERSE_WORDS)] = 0.0,
    fold: Annotated[bool, Query(description="Put copies of a hit to it, not beside it.")] = False,
    liked: Annotated[list[Id], Query(max_length=100, description="Ids: what is meant.")] = [],  # noqa: B006 - not changed
    disliked: Annotated[list[Id], Query(max_length=100, description="Ids: what is not.")] = [],  # noqa: B006 - not changed
) -> OptionsIn:
    return OptionsIn(**locals())


Options = Annotated[OptionsIn, Depends(_options_from_query)]
Where = Annotated[FilterIn, Depends(_from_query)]
