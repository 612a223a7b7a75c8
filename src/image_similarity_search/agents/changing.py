"""The tools that change a collection, never a picture file. What a docstring says, agents read."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from pydantic import Field

from image_similarity_search.agents.answers import ChangedOut, SyncOut
from image_similarity_search.agents.progress import reporter
from image_similarity_search.collection import Collection
from image_similarity_search.errors import FolderNotFoundError
from image_similarity_search.service.requests import Id

Ids = Annotated[list[Id], Field(min_length=1, max_length=1_000, description="Ids of images.")]


class ChangingTools:
    """The tools of a collection for agents that may change it."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def change_tags(
        self,
        ids: Ids,
        add: Annotated[list[str], Field(max_length=100, description="Tags to add to them.")] = [],  # noqa: B006 - nothing changes it
        remove: Annotated[
            list[str], Field(max_length=100, description="Tags to remove from them.")
        ] = [],  # noqa: B006 - nothing changes it
    ) -> ChangedOut:
        """Put tags to images and take others away; says how many have other tags now.

        A tag is a word or a few, in any case.
        """
        return ChangedOut(changed=self._collection.change_tags(ids, add=add, remove=remove))

    def sync_folder(
        self,
        context: Context[Any, Any],
        folder: Annotated[
            str, Field(description="Path of an indexed folder, as describe_collection lists it.")
        ],
    ) -> SyncOut:
        """Bring the collection up to date with an indexed folder: new, changed, vanished files."""
        known = self._collection.roots()
        if folder not in known:
            there = ", ".join(known) or "none"
            raise FolderNotFoundError(folder, f"not an indexed folder; indexed are: {there}")
        return SyncOut.of(self._collection.sync(folder, progress=reporter(context)))

    def remove_images(self, ids: Ids) -> ChangedOut:
        """Forget images. Their files are not touched; the next sync finds them again."""
        return ChangedOut(changed=self._collection.remove(*ids))

    def dismiss_duplicates(
        self,
        ids: Annotated[
            list[Id], Field(min_length=2, max_length=1_000, description="Ids of images.")
        ],
    ) -> ChangedOut:
        """Remember for good that no two of these images are duplicates of each other."""
        return ChangedOut(changed=self._collection.dismiss_duplicates(*ids))
