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
    help="Pictures to search by may lie in FOLDER, too; may be given several times.",
)
@click.option("--allow-changes", is_flag=True, help="Offer tools that change the collection, too.")
def command(index_dir: str, folders: tuple[str, ...], allow_changes: bool) -> None:
    """Offer the collection to an agent, as tools over MCP.

    MCP is the Model Context Protocol. For the configuration of a program that has agents: it starts
    this, and talks to it over standard input and output. No picture file is ever changed.
    """
    with extra("mcp", "iss mcp"):
        from image_similarity_search.agents.server import serve
    serve(index_dir, folders, changes=allow_changes)
