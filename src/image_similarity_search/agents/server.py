"""The server: which tools there are, how they fail, and what they are called by."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp_types import ToolAnnotations

from image_similarity_search._version import __version__
from image_similarity_search.agents.changing import ChangingTools
from image_similarity_search.agents.pictures import Pictures
from image_similarity_search.agents.reading import ReadingTools
from image_similarity_search.collection import Collection
from image_similarity_search.errors import ImageSearchError

_LOCK_SECONDS = 5.0  # that a change waits for another process
_INSTRUCTIONS = (
    "Searches one collection of images by similarity: by a picture, by one of its images,"
    " or by text if its model supports it. Start with describe_collection. Images are named"
    " by id."
)


def serve(index_dir: str, folders: Sequence[str] = (), *, changes: bool = False) -> None:
    """Answer the agent at the other end of standard input and output, until it hangs up.

    Args:
        index_dir: where the collection is kept.
        folders: that pictures to search by may lie in, beside the indexed ones.
        changes: let the agent change the collection; never a picture file.

    Raises:
        FolderNotFoundError: one of the folders is none.
        CollectionError, EncoderError: as ``Collection.open`` does.
    """
    with Collection.open(index_dir, wait=_LOCK_SECONDS) as collection:
        pictures = Pictures(collection, folders)
        try:
            made_server(collection, pictures, folders, changes=changes).run("stdio")
        finally:
            pictures.close()


def made_server(
    collection: Collection, pictures: Pictures, folders: Sequence[str], *, changes: bool
) -> MCPServer[Any]:
    """The server of a collection that is open."""
    reading = ReadingTools(collection, pictures, folders, changes=changes)
    looks = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    tools = [
        _tool(reading.describe_collection, looks),
        _tool(reading.search_images, looks),
        _tool(reading.get_image, looks),
        _tool(reading.list_images, looks),
        _tool(reading.find_duplicates, looks),
        _tool(reading.list_tags, looks),
    ]
    if changes:
        changing = ChangingTools(collection)
        for method, takes_away in (
            (changing.change_tags, True),
            (changing.sync_folder, True),
            (changing.remove_images, True),
            (changing.dismiss_duplicates, False),
        ):
            tools.append(
                _tool(
                    method,
                    ToolAnnotations(
                        read_only_hint=False,
                        destructive_hint=takes_away,
                        idempotent_hint=True,
                        open_world_hint=False,
                    ),
                )
            )
    return MCPServer(
        "image-similarity-search",
        title="Image Similarity Search",
        instructions=_INSTRUCTIONS,
        version=__version__,
        tools=tools,
        log_level="WARNING",
    )


def _tool(method: Callable[..., Any], annotations: ToolAnnotations) -> Tool:
    """A tool that fails with our words, and refuses arguments that it has not."""

    @functools.wraps(method)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except ImageSearchError as error:
            raise ToolError(str(error)) from error

    tool = Tool.from_function(told, annotations=annotations)
    arguments = tool.fn_metadata.arg_model
    # a misspelt condition that is passed over would be a wrong answer
    arguments.model_config["extra"] = "forbid"
    arguments.model_rebuild(force=True)
    tool.parameters["additionalProperties"] = False
    return tool
