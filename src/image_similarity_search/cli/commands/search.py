"""``iss search``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from image_similarity_search.cli import options, output
from image_similarity_search.cli.filter_options import filtered
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.types import Hit

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.encoders.devices import Device
    from image_similarity_search.encoders.spec import EncoderSpec
    from image_similarity_search.filters import Filter


@click.command(
    "search",
    epilog="""\b
Examples:
  iss search query.jpg
  iss search query.jpg -k 20 --threshold 0.7
  iss search query.jpg --in ~/Pictures/2024 --format jpeg --min-width 1000
  iss search query.jpg --html hits.html
  iss search query.jpg --paths -0 | xargs -0 ls -l
  iss search --id 17 --json
  curl -s https://example.org/cat.jpg | iss search -
""",
)
@click.argument("image", required=False, type=click.Path(allow_dash=True))
@click.option("--id", "id_", type=int, metavar="N", help="Search by an image of the collection.")
@click.option("-k", default=10, show_default=True, metavar="N", help="How many hits, at most.")
@click.option("--threshold", type=float, metavar="SCORE", help="No hits with a lower score.")
@filtered
@options.index_dir
@options.encoder_again
@options.device
@options.as_json
@click.option("--paths", is_flag=True, help="Print the paths of the hits and nothing else.")
@options.null
@click.option("--html", metavar="FILE", type=click.Path(), help="Write a page of the hits, too.")
def command(
    image: str | None,
    id_: int | None,
    k: int,
    threshold: float | None,
    where: Filter | None,
    index_dir: str,
    encoder: EncoderSpec | None,
    device: Device | None,
    as_json: bool,
    paths: bool,
    null: bool,
    html: str | None,
) -> None:
    """Find the pictures most like IMAGE ('-' reads it from standard input).

    A score of 1 is the same picture; the most alike come first.
    """
    if (image is None) == (id_ is None):
        raise click.UsageError("give either IMAGE or --id N")
    from image_similarity_search.collection import Collection

    query = id_ if id_ is not None else _read(str(image))
    with (
        Collection.open(index_dir, encoder=encoder, device=device or "auto") as collection,
        codecs_silenced(),
    ):
        if device:
            output.say_device(collection.encoder)
        hits = collection.search(query, k, threshold=threshold, where=where)
        if html:
            _write_page(html, collection, query, hits)
    if as_json:
        shown = query if not isinstance(query, bytes) else "-"
        rows = [output.hit_as_json(rank, hit) for rank, hit in enumerate(hits, 1)]
        output.write_json({"query": shown, "hits": rows})
    elif paths or null:
        output.write_paths((hit.path for hit in hits), null=null)
    else:
        for hit in hits:
            output.write(f"{hit.score:.4f}  {hit.path}")
        if not hits:
            output.say("nothing found")


def _read(image: str) -> str | bytes:
    return sys.stdin.buffer.read() if image == "-" else image


def _write_page(
    file: str, collection: Collection, query: str | bytes | int, hits: list[Hit]
) -> None:
    from image_similarity_search.cli.gallery import GalleryQuery
    from image_similarity_search.cli.page import write_page
    from image_similarity_search.cli.thumbnails import thumbnail, thumbnail_of

    if isinstance(query, bytes):
        section = GalleryQuery("Standard input", hits, thumbnail_of(query))
    else:
        path = collection.get(query).path if isinstance(query, int) else query
        section = GalleryQuery(path, hits, thumbnail(path), path)
    write_page(file, [section], title="Similar pictures")
    output.say(f"the page is in {file}")
