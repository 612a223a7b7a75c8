"""``iss demo``."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import zlib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from image_similarity_search.cli import output
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.quiet import codecs_silenced
from image_similarity_search.cli.targets import check_target
from image_similarity_search.errors import (
    FolderNotFoundError,
    ImageNotFoundError,
    unwritable,
)

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.types import Hit

_K = 8
_QUERIES = 3
_SAME = 0.999  # a score from here on is a copy
_TRIED = 200  # images of the user's own looked at to choose the queries


@click.command(
    "demo",
    epilog="""\b
Examples:
  iss demo
  iss demo ~/Pictures
""",
)
@click.argument("pictures", required=False, type=click.Path())
@click.option(
    "--to",
    "folder",
    default="demo",
    show_default=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Folder for the index, the page and the demo's own pictures.",
)
def command(pictures: str | None, folder: str) -> None:
    """Index PICTURES, run a few searches and show the results.

    The results are printed and written to an HTML page. Without PICTURES the demo makes its own
    pictures.
    """
    from image_similarity_search.collection import Collection

    source = ""
    queries: Sequence[str | int] = ()
    if pictures is None:
        from image_similarity_search.cli.demo.pictures import make_demo_pictures

        with unwritable(folder):
            made = make_demo_pictures(folder)
        pictures, queries, source = made.folder, made.queries, made.source
        output.write(f"Pictures: {source}")
    pictures = os.path.expanduser(pictures)  # make passes on a ~ that no shell has seen
    if not os.path.isdir(pictures):
        raise FolderNotFoundError(pictures, "no such folder")
    output.write(f"Indexing {pictures}")
    # an index for each folder: what an earlier demo was shown must not turn up in this one
    mark = zlib.crc32(os.fsencode(os.path.realpath(pictures)))
    index_dir = os.path.abspath(os.path.join(folder, f"index_data_{mark:08x}"))
    with Collection.open(index_dir, create=True) as collection:
        page = os.path.abspath(os.path.join(folder, "gallery.html"))
        check_target(page, collection, index_dir)
        with codecs_silenced(), ProgressBar() as progress:
            report = collection.sync(pictures, progress=progress)
        output.write(f"  {output.report_in_words(report)}")
        if not len(collection):
            raise ImageNotFoundError(pictures, "no pictures in this folder")
        answers = [
            (query, collection.search(query, _K)) for query in queries or _telling(collection)
        ]
        for query, hits in answers:
            _print_answer(collection, query, hits)
        _write_page(page, collection, answers, source)
    output.write("")
    output.write(f"As a page:          {Path(page).as_uri()}")
    output.write(f"Try it yourself:    {_iss()} search IMAGE --index-dir {shlex.quote(index_dir)}")


def _iss() -> str:
    """How this program is called from here."""
    called = sys.argv[0]
    elsewhere = os.path.basename(called) == "iss" and not shutil.which("iss")
    return shlex.quote(os.path.abspath(called)) if elsewhere else "iss"


def _telling(collection: Collection) -> list[int]:
    """The images with the most alike, yet not identical, neighbours: they show most."""
    found: list[tuple[float, int, set[int]]] = []
    for record in islice(collection, _TRIED):
        hits = collection.search(record.id, _K)
        alike = [hit.score for hit in hits if hit.score < _SAME]
        if alike:
            found.append((alike[0], record.id, {hit.id for hit in hits}))
    chosen: list[int] = []
    shown: set[int] = set()
    for _, id_, answer in sorted(found, key=lambda item: -item[0]):
        if id_ not in shown and len(chosen) < _QUERIES:
            chosen.append(id_)
            shown |= answer
    return chosen


def _name(collection: Collection, query: str | int) -> str:
    return collection.get(query).path if isinstance(query, int) else query


def _print_answer(collection: Collection, query: str | int, hits: Sequence[Hit]) -> None:
    output.write("")
    output.write(f"Most like {_name(collection, query)}")
    for hit in hits:
        output.write(f"  {hit.score:.4f}  {hit.path}")


def _write_page(
    page: str,
    collection: Collection,
    answers: Sequence[tuple[str | int, Sequence[Hit]]],
    source: str,
) -> None:
    from image_similarity_search.cli.gallery import GalleryQuery
    from image_similarity_search.cli.page import write_page
    from image_similarity_search.cli.thumbnails import thumbnail

    count = len(collection)
    sections = []
    for query, hits in answers:
        path = _name(collection, query)
        note = f"{len(hits)} of {count:,} pictures"
        sections.append(
            GalleryQuery(os.path.basename(path), hits, thumbnail(path, 480), path, note)
        )
    write_page(page, sections, title="Image Similarity Search demo", footer=source)
