"""``iss backup``."""

from __future__ import annotations

import os

import click

from image_similarity_search.cli import options, output


@click.command(
    "backup",
    epilog="""\b
Examples:
  iss backup /backups/photos-2026-12-01
  iss verify --index-dir /backups/photos-2026-12-01
""",
)
@click.argument("folder", type=click.Path())
@options.index_dir
@options.as_json
def command(folder: str, index_dir: str, as_json: bool) -> None:
    """Back up the collection into a new FOLDER.

    The backup holds what can't be rebuilt: the catalog, of which every row is checked, and the
    record of your actions on duplicates. Other processes can search and write meanwhile. FOLDER
    is a collection itself; 'iss restore' restores it.
    """
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir) as collection:
        generation = collection.backup(folder)
    if as_json:
        output.write_json({"backup": os.path.abspath(folder), "generation": generation})
        return
    output.write(f"backed up: {folder}, generation {generation:,}")
