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
        """Add tags to images and remove others; returns how many images changed.

        A tag is a short text; case is ignored.
        """
        return ChangedOut(changed=self._collection.change_tags(ids, add=add, remove=remove))

    def sync_folder(
        self,
        context: Context[Any, Any],
        folder: Annotated[
            str, Field(description="Path of an indexed folder, as describe_collection lists it.")
        ],
    ) -> SyncOut:
        """Update the collection from an indexed folder: new, changed and deleted files."""
        known = self._collection.roots()
        if folder not in known:
            there = ", ".join(known) or "none"
            raise FolderNotFoundError(folder, f"not an indexed folder; indexed are: {there}")
        return SyncOut.of(self._collection.sync(folder, progress=reporter(context)))

    def remove_images(self, ids: Ids) -> ChangedOut:
        """Remove images from the collection. No file is deleted; the next sync adds them again."""
        return ChangedOut(changed=self._collection.remove(*ids))

    def dismiss_duplicates(
        self,
        ids: Annotated[
            list[Id], Field(min_length=2, max_length=1_000, description="Ids of images.")
        ],
    ) -> ChangedOut:
        """Mark images as not duplicates of each other, permanently."""
        return ChangedOut(changed=self._collection.dismiss_duplicates(*ids))
