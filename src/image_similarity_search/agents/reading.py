"""The tools that change nothing. What a docstring says here, agents read."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp_types import CallToolResult, ImageContent, TextContent
from pydantic import BaseModel, Field

from image_similarity_search.agents.answers import (
    Details,
    GroupOut,
    GroupsOut,
    HitOut,
    ImageOut,
    InfoOut,
    PageOut,
    SearchOut,
)
from image_similarity_search.agents.pictures import Pictures
from image_similarity_search.agents.progress import reporter
from image_similarity_search.collection import Collection
from image_similarity_search.collection.examples import Example
from image_similarity_search.duplicates import DuplicateLevel
from image_similarity_search.errors import ConfigError, ImageError
from image_similarity_search.filters import Filter
from image_similarity_search.search_options import LESS, SearchOptions
from image_similarity_search.service.requests import FilterIn, Id, K, Least, OptionsIn, RegionIn
from image_similarity_search.service.schemas import TagsOut
from image_similarity_search.types import ImageRecord, Text

_MOST_OTHERS = 20  # of a group of duplicates


class Among(FilterIn):
    """A filter: images must match all of its conditions."""

    folder: str | None = Field(
        default=None,
        min_length=1,
        max_length=4_000,
        description="The absolute path of an indexed folder, or of one below it.",
    )

    def conditions(self) -> Filter:
        """The same, as a collection takes it.

        Raises:
            ConfigError: a value is not allowed.
        """
        if self.folder and not ("://" in self.folder or os.path.isabs(self.folder)):
            raise ConfigError("folder", self.folder, "the absolute path of a folder")
        return Filter(**self.model_dump(exclude_defaults=True))


Where = Annotated[Among | None, Field(description="Only images that match this filter.")]


class ReadingTools:
    """The tools of a collection for agents that may look, and nothing else."""

    def __init__(
        self, collection: Collection, pictures: Pictures, folders: Sequence[str], *, changes: bool
    ) -> None:
        self._collection = collection
        self._pictures = pictures
        self._folders = list(folders)
        self._changes = changes

    def describe_collection(self) -> InfoOut:
        """Describe this collection of images: number of images, folders, model.

        Call it first: it tells which folders may have pictures to search by, whether searching by
        text is possible (`text`), and what scores mean (`thresholds`).
        """
        return InfoOut.of(self._collection.info(), self._folders, changes=self._changes)

    def search_images(
        self,
        path: Annotated[
            str | None,
            Field(
                description="Absolute path of a picture file to search by, in a folder that"
                " describe_collection lists. It need not be in the collection."
            ),
        ] = None,
        id: Annotated[  # noqa: A002 - what it is called in every answer
            Id | None, Field(description="An image of the collection to search by, by its id.")
        ] = None,
        text: Annotated[
            str | None,
            Field(
                min_length=1,
                max_length=1_000,
                description="Text to search by; only if describe_collection says `text`.",
            ),
        ] = None,
        unlike: Annotated[
            list[Id],
            Field(max_length=31, description="Ids of images that hits should be less like."),
        ] = [],  # noqa: B006 - nothing changes it; the schema shows it
        region: Annotated[
            RegionIn | None,
            Field(description="Use only this part of the picture of `path`, or else of `id`."),
        ] = None,
        k: Annotated[K, Field(description="Maximum number of hits.")] = 10,
        threshold: Annotated[
            Least | None,
            Field(
                description="Leave out hits with a lower score: a number, or same-picture,"
                " same-object or same-kind if describe_collection has `thresholds`."
            ),
        ] = None,
        filter: Where = None,  # noqa: A002 - what it is called over HTTP
        options: Annotated[
            OptionsIn | None,
            Field(description="Find mirrored and rotated versions, fold copies, use feedback."),
        ] = None,
        thumbnails: Annotated[
            int, Field(ge=0, le=20, description="Number of hits to show thumbnails of.")
        ] = 0,
    ) -> Annotated[CallToolResult, SearchOut]:
        """Find the images most similar to a picture, to an image of the collection, or to a text.

        Give `path`, `id` or `text`; several of them are combined. The best hits come first. A score
        of 1.0 means identical. With the default metric, cosine, unrelated pictures often score over
        0.5, so compare scores with each other, or use a word as `threshold`. An image given by its
        id is left out of the hits.
        """
        how = options.options() if options else SearchOptions()
        examples = self._examples(path, id, text, unlike, region, how)
        hits = self._collection.search_by_examples(
            examples,
            k,
            threshold=threshold,
            where=filter.conditions() if filter else None,
            options=how,
        )
        answer = SearchOut(hits=[HitOut.of(rank, hit) for rank, hit in enumerate(hits, 1)])
        return self._shown(answer, [hit.image for hit in hits[:thumbnails]])

    def get_image(
        self,
        id: Annotated[Id, Field(description="The image's id, as in every answer.")],  # noqa: A002 - as above
        thumbnail: Annotated[bool, Field(description="Show a thumbnail.")] = True,
    ) -> Annotated[CallToolResult, Details]:
        """Show an image of the collection with its metadata.

        Path, size, tags, camera, time and place taken, colours; and a thumbnail of about 256 pixels
        on the longer side.
        """
        record = self._collection.get(id)
        answer = Details.of_both(record, self._collection.traits(id))
        return self._shown(answer, [record] if thumbnail else [])

    def list_images(
        self,
        filter: Where = None,  # noqa: A002 - what it is called over HTTP
        after: Annotated[int, Field(ge=0, description="Start after this id.")] = 0,
        limit: Annotated[int, Field(ge=1, le=500, description="Maximum number of images.")] = 50,
    ) -> PageOut:
        """List images in order of id, page by page, with their total number.

        For the next page, give `next` of this page as `after`.
        """
        where = filter.conditions() if filter else None
        records = self._collection.images(where, after=after, limit=limit)
        return PageOut(
            images=[ImageOut.of(record) for record in records],
            next=records[-1].id if len(records) == limit else None,
            total=self._collection.count(where),
        )

    def find_duplicates(
        self,
        context: Context[Any, Any],
        level: Annotated[
            DuplicateLevel,
            Field(
                description="Lowest level of similarity to report: exact (the same bytes), same"
                " (resized or saved again), near (cropped, with text added, mirrored, other"
                " colours), similar (alike, but not copies)."
            ),
        ] = "near",
        filter: Where = None,  # noqa: A002 - what it is called over HTTP
        limit: Annotated[int, Field(ge=1, le=200, description="Maximum number of groups.")] = 20,
    ) -> GroupsOut:
        """Find groups of duplicates and near-duplicates, and suggest which image to keep.

        Nothing is changed. It reads picture files, so thousands of images may take a minute.
        """
        where = filter.conditions() if filter else None
        report = self._collection.duplicates(level, where=where, progress=reporter(context))
        groups = [GroupOut.of(group, _MOST_OTHERS) for group in report.groups[:limit]]
        return GroupsOut(groups=groups, total=len(report.groups), images=report.images)

    def list_tags(self) -> TagsOut:
        """List the tags that filters can use, with the number of images of each."""
        return TagsOut(tags=self._collection.tags())

    def _examples(
        self,
        path: str | None,
        id_: int | None,
        text: str | None,
        unlike: Sequence[int],
        region: RegionIn | None,
        how: SearchOptions,
    ) -> list[Example]:
        """What is to be searched by; pictures are decoded here, and nowhere else."""
        if path is None and id_ is None and text is None:
            raise ConfigError("query", None, "path, id or text")
        part = region.part() if region else None
        if part and path is None and id_ is None:
            raise ConfigError("region", region, "a path or an id to take the region from")
        examples = []
        if path is not None:
            examples.append(Example(self._pictures.embedding(path, part, how.ways)))
            part = None  # it is of the first
        for image, weight in [(id_, 1.0), *((each, -LESS) for each in unlike)]:
            if image is None:
                continue
            if part is not None or len(how.ways) > 1:
                record = self._collection.get(image)
                seen = self._pictures.embedding(record.path, part, how.ways)
                examples.append(Example(seen, weight, of=image))
                part = None
            else:
                examples.append(Example(image, weight))
        if text is not None:
            examples.append(Example(Text(text)))
        return examples

    def _shown(self, answer: BaseModel, records: Sequence[ImageRecord]) -> CallToolResult:
        """An answer as data, as text for those who read no data, and with pictures."""
        content: list[TextContent | ImageContent] = [TextContent(text=answer.model_dump_json())]
        for record in records:
            try:
                data = base64.b64encode(self._pictures.thumbnail(record)).decode()
                content.append(ImageContent(data=data, mime_type="image/jpeg"))
            except ImageError as error:  # the rest of the answer is as good without
                content.append(
                    TextContent(text=f"no thumbnail of image {record.id}: {error.reason}")
                )
        return CallToolResult(
            content=list(content), structured_content=answer.model_dump(mode="json")
        )
