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
    """Bring the collection back to what it was in BACKUP.

    That is what 'iss backup' made, or a copy of catalog.sqlite. The catalog that is there is kept
    beside it. Who searches meanwhile, as a service, need not be ended; who writes is waited for.
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
        output.say(f"the former catalog is kept as {kept}")
    output.say("'iss index' of each folder brings it up to date with the files there")
