"""``iss add``."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import click

from image_similarity_search.cli import exits, options, output
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.types import Metric

if TYPE_CHECKING:
    from image_similarity_search.encoders.devices import Device
    from image_similarity_search.encoders.spec import EncoderSpec


@click.command(
    "add",
    cls=options.WaitingCommand,
    epilog="""\b
Examples:
  iss add new.jpg other.png
  find inbox -name '*.jpg' -print0 | iss add -0 --files-from -
""",
)
@click.argument("images", nargs=-1, type=click.Path(readable=False))
@options.files_from
@options.null
@options.index_dir
@options.encoder
@options.metric
@options.device
@options.time_limit
@options.wait
@options.as_json
def command(
    images: tuple[str, ...],
    files_from: IO[bytes] | None,
    null: bool,
    index_dir: str,
    encoder: EncoderSpec | None,
    metric: Metric | None,
    device: Device | None,
    time_limit: float,
    wait: float,
    as_json: bool,
) -> int:
    """Add single picture files, or update them.

    They need not be in an indexed folder.
    """
    from image_similarity_search.collection import Collection
    from image_similarity_search.collection.originals import check_files
    from image_similarity_search.collection.queries import checked_source

    paths = options.all_paths(images, files_from, null)
    if not paths:
        raise click.UsageError("no images given: name paths or --files-from FILE")
    check_files(map(checked_source, paths))  # or a misspelt one would leave an empty collection
    with (
        Collection.open(
            index_dir,
            encoder=encoder,
            metric=metric,
            device=device or "auto",
            create=True,
            wait=wait,
        ) as collection,
        codecs_silenced(),
    ):
        added = collection.add(*paths, time_limit=time_limit)
        records = list({record.id: record for record in added}.values())
    bad = [record for record in records if record.state == "skipped"]
    for record in bad:
        output.say(f"{record.path}: {record.reason}")
    if as_json:
        output.write_json([output.record_as_json(record) for record in records])
    else:
        output.write(f"added {len(records) - len(bad):,}, skipped {len(bad):,}")
    return exits.BAD_IMAGE if bad else exits.OK
