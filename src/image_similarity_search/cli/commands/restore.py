"""``iss restore``."""

from __future__ import annotations

import click

from image_similarity_search.cli import options, output


@click.command(
    "restore",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss restore /backups/photos-2026-12-01
  iss restore /backups/photos-2026-12-01 --index-dir elsewhere
""",
)
@click.argument("backup", type=click.Path(exists=True))
@options.index_dir
@options.wait
@options.as_json
def command(backup: str, index_dir: str, wait: float, as_json: bool) -> None:
    """Restore the collection from BACKUP.

    BACKUP is a folder that 'iss backup' made, or a copy of catalog.sqlite. The present catalog is
    kept under another name. Processes that search, such as a service, can keep running; the
    command waits for writers as --wait allows.
    """
    from image_similarity_search.collection import Collection

    kept = Collection.restore(backup, index_dir, wait=wait)
    with Collection.open(index_dir) as collection:
        info = collection.info()
    if as_json:
        output.write_json({"indexed": info.indexed, "generation": info.generation, "kept": kept})
        return
    images = output.count(info.indexed, "image")
    output.write(f"restored: {images}, generation {info.generation:,}")
    if kept:
        output.say(f"the former catalog was kept as {kept}")
    output.say("run 'iss index' on each folder to update the collection")
