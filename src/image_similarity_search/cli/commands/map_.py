"""``iss map``."""

from __future__ import annotations

from collections.abc import Iterator
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import click

from image_similarity_search.cli import options, output
from image_similarity_search.cli.filter_options import filtered
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.cli.targets import check_target, written
from image_similarity_search.errors import ImageError
from image_similarity_search.types import counted

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.filters import Filter
    from image_similarity_search.types import IdArray
    from image_similarity_search.understanding import Layout


@click.command(
    "map",
    epilog="""\b
Examples:
  iss map
  iss map --html ~/pictures.html --in ~/Pictures/2024
  iss map --json > positions.json
""",
)
@filtered
@options.index_dir
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(),
    default="map.html",
    show_default=True,
    help="File to write the page to.",
)
@options.force
@click.option(
    "--json", "as_json", is_flag=True, help="Print the positions as JSON instead of writing a page."
)
def command(where: Filter | None, index_dir: str, html: str, force: bool, as_json: bool) -> None:
    """Write an HTML map of the collection.

    Similar images are close together. The page is a single file that works offline. Needs the
    extra [map].
    """
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir) as collection, codecs_silenced(), ProgressBar() as progress:
        if not as_json:
            check_target(html, collection, index_dir, force=force)
        layout = collection.layout(where=where, progress=progress)
        paths = dict(_paths(collection, layout.ids))
        if paths and not as_json:
            _write_page(html, collection, layout, paths, progress)
    if as_json:
        places = zip(layout.ids.tolist(), layout.positions.tolist(), strict=True)
        output.write_json([place_as_json(id_, paths[id_], x, y) for id_, (x, y) in places])
    if not paths:
        output.say(f"no map: {output.no_images(where)}")
        return
    page = "" if as_json else f"; page written to {html}"
    output.say(output.count(len(paths), "image") + page)


def place_as_json(id_: int, path: str, x: float, y: float) -> dict[str, Any]:
    """Where an image lies, as ``--json`` prints it."""
    return {"id": id_, "path": path, "x": x, "y": y}


def _paths(collection: Collection, ids: IdArray) -> Iterator[tuple[int, str]]:
    for id_ in ids.tolist():
        yield id_, collection.get(id_).path


def _write_page(
    file: str,
    collection: Collection,
    layout: Layout,
    paths: dict[int, str],
    progress: ProgressBar,
) -> None:
    from image_similarity_search.cli.map_page.page import write_map

    step = counted(progress, "thumbnails", len(layout.ids))

    def thumbnail(id_: int) -> bytes | None:
        step(1)
        try:
            return collection.thumbnail(id_)
        except ImageError:
            return None

    named = [paths[id_] for id_ in layout.ids.tolist()]
    with written(file) as raw, TextIOWrapper(raw, encoding="utf-8", newline="\n") as out:
        write_map(out, layout.ids, layout.positions, named, thumbnail, title="A map of pictures")
