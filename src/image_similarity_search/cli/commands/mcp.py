"""``iss mcp``."""

from __future__ import annotations

import click

from image_similarity_search.cli import options
from image_similarity_search.cli.extras import extra


@click.command(
    "mcp",
    epilog="""\b
Examples:
  iss mcp --index-dir ~/photos.index
  iss mcp --index-dir ~/photos.index --allow-folder ~/Downloads --allow-changes
""",
)
@options.index_dir
@click.option(
    "--allow-folder",
    "folders",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(),
    help="Also allow searches by pictures in FOLDER; repeatable.",
)
@click.option("--allow-changes", is_flag=True, help="Also offer tools that change the collection.")
def command(index_dir: str, folders: tuple[str, ...], allow_changes: bool) -> None:
    """Let an AI agent search the collection, over MCP.

    Put this command into the configuration of a program that speaks the Model Context Protocol
    (MCP): it starts the command and talks to it over standard input and output. No picture file
    is ever changed.
    """
    with extra("mcp", "iss mcp"):
        from image_similarity_search.agents.server import serve
    serve(index_dir, folders, changes=allow_changes)
