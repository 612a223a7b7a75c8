"""``iss clusters``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from image_similarity_search.cli import options, output
from image_similarity_search.cli.filter_options import filtered
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.targets import check_target
from image_similarity_search.understanding import Cluster, ClusterReport

if TYPE_CHECKING:
    from image_similarity_search.filters import Filter


@click.command(
    "clusters",
    epilog="""\b
Examples:
  iss clusters
  iss clusters --count 20 --html clusters.html
  iss clusters --in ~/Pictures/2024 --json
""",
)
@click.option(
    "--count", type=int, metavar="N", help="Number of clusters [default: chosen by silhouette]."
)
@click.option(
    "--shown",
    type=int,
    default=12,
    show_default=True,
    metavar="N",
    help="Images listed per cluster in JSON and on the page, the most typical first.",
)
@filtered
@options.index_dir
@options.as_json
@options.html
@options.force
def command(
    count: int | None,
    shown: int,
    where: Filter | None,
    index_dir: str,
    as_json: bool,
    html: str | None,
    force: bool,
) -> None:
    """Group similar images into clusters, the largest first.

    Each line is a cluster: the number of images, how similar they are (1: identical), and the
    most typical image.
    """
    from image_similarity_search.collection import Collection

    with Collection.open(index_dir) as collection, ProgressBar() as progress:
        check_target(html, collection, index_dir, force=force)
        report = collection.clusters(count, where=where, shown=shown, progress=progress)
    if as_json:
        output.write_json(report_as_json(report))
    else:
        for cluster in report.clusters:
            size = f"{len(cluster.ids):,}"
            output.write(f"{size:>7}  {cluster.cohesion:.4f}  {cluster.typical.path}")
    if not report.clusters:
        output.say(f"no clusters: {output.no_images(where)}")
        return
    if html:
        _write_page(html, report)
    output.say(f"{_counted(report)} in {report.seconds:.1f} s{_why_so_many(report)}")


def _why_so_many(report: ClusterReport) -> str:
    if len(report.tried) < 2:  # the number was said, or there are too few images
        return ""
    if len(report.clusters) < 2:
        return ", as they can't be separated"
    return f", chosen by silhouette ({report.silhouette:.2f})"


def _counted(report: ClusterReport) -> str:
    clusters = output.count(len(report.clusters), "cluster")
    return f"{clusters} of {output.count(report.images, 'image')}"


def report_as_json(report: ClusterReport) -> dict[str, Any]:
    """What was found, as ``--json`` prints it."""
    return {
        "clusters": [cluster_as_json(cluster) for cluster in report.clusters],
        "images": report.images,
        "silhouette": report.silhouette,
        "tried": {str(count): value for count, value in sorted(report.tried.items())},
        "seconds": round(report.seconds, 3),
    }


def cluster_as_json(cluster: Cluster) -> dict[str, Any]:
    """A cluster, as ``--json`` prints it."""
    return {
        "count": len(cluster.ids),
        "cohesion": cluster.cohesion,
        "typical": [
            {"id": image.id, "path": image.path, "cosine": cosine}
            for image, cosine in zip(cluster.images, cluster.cosines, strict=True)
        ],
        "ids": cluster.ids.tolist(),
    }


def _write_page(file: str, report: ClusterReport) -> None:
    from image_similarity_search.cli.gallery import GalleryQuery
    from image_similarity_search.cli.page import write_page
    from image_similarity_search.cli.thumbnails import thumbnail
    from image_similarity_search.types import Hit

    sections = []
    for number, cluster in enumerate(report.clusters, 1):
        others = zip(cluster.images[1:], cluster.cosines[1:], strict=True)
        note = f"{output.count(len(cluster.ids), 'image')}, cohesion {cluster.cohesion:.2f}"
        path = cluster.typical.path
        sections.append(
            GalleryQuery(
                os.path.basename(path),
                [Hit(image, 1 - cosine, 1 / (2 - cosine)) for image, cosine in others],
                thumbnail(path),
                path,
                note,
                label=f"Cluster {number:,}",
                heading="Other images, the most typical first",
                none="No other images.",
            )
        )
    write_page(file, sections, title="Clusters", summary=_counted(report), compact=True)
    output.say(f"page written to {file}")
