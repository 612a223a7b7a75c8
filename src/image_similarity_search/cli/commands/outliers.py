"""``iss outliers``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from image_similarity_search.cli import options, output
from image_similarity_search.cli.filter_options import filtered
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.targets import check_target
from image_similarity_search.understanding import Outlier, OutlierReport

if TYPE_CHECKING:
    from image_similarity_search.filters import Filter


@click.command(
    "outliers",
    epilog="""\b
Examples:
  iss outliers
  iss outliers --count 100 --html outliers.html
  iss outliers -k 3 --in ~/Pictures/2024 --json
""",
)
@click.option(
    "--count",
    type=int,
    default=20,
    show_default=True,
    metavar="N",
    help="Number of outliers to list.",
)
@click.option(
    "-k",
    type=int,
    default=10,
    show_default=True,
    metavar="K",
    help="Number of nearest images to measure the distance to.",
)
@filtered
@options.index_dir
@options.as_json
@options.paths
@options.null
@options.html
@options.force
def command(
    count: int,
    k: int,
    where: Filter | None,
    index_dir: str,
    as_json: bool,
    paths: bool,
    null: bool,
    html: str | None,
    force: bool,
) -> None:
    """Find the images that are least similar to any other.

    Each line is an image: its mean distance to its nearest images, and that distance as a
    multiple of the median.
    """
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir) as collection, ProgressBar() as progress:
        check_target(html, collection, index_dir, force=force)
        report = collection.outliers(count, k=k, where=where, progress=progress)
    if as_json:
        output.write_json(report_as_json(report))
    elif paths or null:
        output.write_paths((one.image.path for one in report.outliers), null=null)
    else:
        for one in report.outliers:
            output.write(f"{one.distance:.4f}  {one.times:5.1f} x  {one.image.path}")
    if html and report.outliers:
        _write_page(html, report)
    if report.images < 2:  # which a single image has none to be compared with
        nothing = "there is only one image" if report.images else output.no_images(where)
        output.say(f"no outliers: {nothing}")
        return
    output.say(
        f"{len(report.outliers):,} of {report.images:,} images, by distance to the"
        f" {report.k} nearest; median {report.median:.4f}; {report.seconds:.1f} s"
    )


def report_as_json(report: OutlierReport) -> dict[str, Any]:
    """What was found, as ``--json`` prints it."""
    return {
        "outliers": [outlier_as_json(one) for one in report.outliers],
        "k": report.k,
        "median": report.median,
        "images": report.images,
        "seconds": round(report.seconds, 3),
    }


def outlier_as_json(one: Outlier) -> dict[str, Any]:
    """An image that is like no other, as ``--json`` prints it."""
    return {
        "id": one.image.id,
        "path": one.image.path,
        "distance": one.distance,
        "times": one.times,
        "nearest": [
            {"id": hit.id, "path": hit.path, "distance": hit.distance, "score": hit.score}
            for hit in one.nearest
        ],
    }


def _write_page(file: str, report: OutlierReport) -> None:
    from image_similarity_search.cli.gallery import GalleryQuery
    from image_similarity_search.cli.page import write_page
    from image_similarity_search.cli.thumbnails import thumbnail

    sections = [
        GalleryQuery(
            os.path.basename(one.image.path),
            one.nearest,
            thumbnail(one.image.path),
            one.image.path,
            f"distance {one.distance:.2f}, {one.times:.1f} times the median",
            label="Outlier",
            heading="Nearest images",
        )
        for one in report.outliers
    ]
    summary = f"{len(sections):,} of {report.images:,} images"
    write_page(file, sections, title="Outliers", summary=summary)
    output.say(f"page written to {file}")
