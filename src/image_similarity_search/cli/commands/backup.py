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
    """Copy what can't be made anew into a new FOLDER.

    That is the catalog, every row of which is checked, and what you did with duplicates. Others may
    search and write meanwhile. FOLDER is a collection itself; 'iss restore' brings it back.
    """
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir) as collection:
        generation = collection.backup(folder)
    if as_json:
        output.write_json({"backup": os.path.abspath(folder), "generation": generation})
        return
    output.write(f"backed up: {folder}, generation {generation:,}")
