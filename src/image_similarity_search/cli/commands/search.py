"""``iss search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from image_similarity_search.cli import options, output
from image_similarity_search.cli.away import folders_away, say_away
from image_similarity_search.cli.filter_options import filtered, unknown_in
from image_similarity_search.cli.query_options import GivenPicture, pictures, search_options
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.cli.targets import check_target
from image_similarity_search.types import Hit, Text

if TYPE_CHECKING:
    from image_similarity_search.cli.gallery import GalleryQuery
    from image_similarity_search.collection import Collection
    from image_similarity_search.encoders.devices import Device
    from image_similarity_search.encoders.spec import EncoderSpec
    from image_similarity_search.filters import Filter
    from image_similarity_search.search_options import SearchOptions
    from image_similarity_search.types import Threshold


@click.command(
    "search",
    epilog="""\b
Examples:
  iss search query.jpg
  iss search query.jpg -k 20 --threshold 0.7
  iss search query.jpg -k 20 --threshold same-object
  iss search query.jpg --in ~/Pictures/2024 --format jpeg --min-width 1000
  iss search beach.jpg --like boat.jpg --unlike crowd.jpg
  iss search --text "a red boat"
  iss search street.jpg --region 0.5,0,0.5,1 --mirrored --fold
  iss search query.jpg --html hits.html
  iss search query.jpg --paths -0 | xargs -0 ls -l
  iss search --id 17 --json
  curl -s https://example.org/cat.jpg | iss search -
""",
)
@pictures
@click.option("-k", default=10, show_default=True, metavar="K", help="Maximum number of hits.")
@options.threshold
@search_options
@filtered
@options.index_dir
@options.encoder_again
@options.device
@options.as_json
@options.paths
@options.null
@click.option(
    "--html", metavar="FILE", type=click.Path(), help="Also write an HTML page of the hits."
)
@options.force
@options.preview
def command(
    given: list[GivenPicture],
    k: int,
    threshold: Threshold | None,
    how: SearchOptions,
    where: Filter | None,
    index_dir: str,
    encoder: EncoderSpec | None,
    device: Device | None,
    as_json: bool,
    paths: bool,
    null: bool,
    html: str | None,
    force: bool,
    preview: bool,
) -> None:
    """Find the pictures most similar to IMAGE.

    IMAGE is a file, '-' for standard input, or id:N for an image of the collection. The most
    similar pictures come first; a score of 1 means identical. Several queries are combined into
    one search.
    """
    from image_similarity_search.collection import Collection

    with (
        Collection.open(index_dir, encoder=encoder, device=device or "auto") as collection,
        codecs_silenced(),
    ):
        check_target(html, collection, index_dir, force=force)
        if device:
            output.say_device(collection.encoder)
        hits = collection.search_by_examples(
            [one.example() for one in given], k, threshold=threshold, where=where, options=how
        )
        hints = [] if hits else list(unknown_in(where, collection))
        if not hits and not len(collection):
            hints.append(output.no_images(None))
        if as_json:
            names = [one.name for one in given]
            rows = [output.hit_as_json(rank, hit) for rank, hit in enumerate(hits, 1)]
            output.write_json({"query": names if len(names) > 1 else names[0], "hits": rows})
        elif paths or null:
            output.write_paths((hit.path for hit in hits), null=null)
        else:
            _tell(collection, hits, preview=preview)
        if html:
            _write_page(html, collection, given, hits)
    if not hits:
        for line in ("no hits", *hints):
            output.say(line)


def _tell(collection: Collection, hits: list[Hit], *, preview: bool) -> None:
    """The hits for a person; a folder that is not here is told once, and not of each hit in it."""
    from image_similarity_search.cli.previews import previews
    from image_similarity_search.collection.originals import is_gone

    show = previews(collection, wanted=preview)
    gone = [hit.path for hit in hits if is_gone(hit.path)]
    away = _away(collection, gone) if gone else {}
    marked = set(gone).difference(*away.values())
    for hit in hits:
        show(hit.image)
        note = "  (no such file)" if hit.path in marked else ""
        output.write(f"{hit.score:.4f}  {hit.path}{_folded_in_words(hit)}{note}")
    say_away(collection, away)


def _away(collection: Collection, paths: list[str]) -> dict[str, list[str]]:
    """The indexed folders that are not here, each with those of ``paths`` that are below it."""
    from image_similarity_search.catalog.places import relative

    below = {
        root: [path for path in paths if relative(path, root) is not None]
        for root in folders_away(collection)
    }
    return {root: inside for root, inside in below.items() if inside}


def _folded_in_words(hit: Hit) -> str:
    return f"  (and {output.count(len(hit.folded), 'copy', 'copies')})" if hit.folded else ""


def _write_page(
    file: str, collection: Collection, given: list[GivenPicture], hits: list[Hit]
) -> None:
    from image_similarity_search.cli.page import write_page

    write_page(file, [_section(collection, given, hits)], title="Similar pictures")
    output.say(f"page written to {file}")


def _section(collection: Collection, given: list[GivenPicture], hits: list[Hit]) -> GalleryQuery:
    """The hits below the first picture that was searched by."""
    from image_similarity_search.cli.gallery import GalleryQuery
    from image_similarity_search.cli.thumbnails import thumbnail, thumbnail_of

    first, *others = given
    note = f"and {len(others)} more" if others else ""
    picture: Any = first.picture
    if isinstance(picture, int | str):
        path = collection.get(picture).path if isinstance(picture, int) else picture
        return GalleryQuery(path, hits, thumbnail(path), path, note)
    if isinstance(picture, Text):
        return GalleryQuery(picture.words, hits, note=note, label="Words")
    title = "Standard input" if first.name == "-" else str(first.name)
    return GalleryQuery(title, hits, thumbnail_of(picture), note=note)
