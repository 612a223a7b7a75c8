"""The page of an evaluation: the worst searches, each with its first hits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity_search.cli import output
from image_similarity_search.cli.evaluation_report import found, groups_of
from image_similarity_search.cli.gallery import GalleryQuery
from image_similarity_search.cli.page import write_page
from image_similarity_search.cli.thumbnails import thumbnail

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.evaluation import EvaluationReport, QueryQuality
    from image_similarity_search.filters import Filter

_SHOWN = 10  # hits of each of the worst queries


def write_worst(
    file: str,
    collection: Collection,
    report: EvaluationReport,
    worst: int,
    where: Filter | None,
) -> None:
    """Write the page of so many searches.

    Raises:
        ImageError: it can't be written.
    """
    sections = []
    for query in report.worst_queries(worst):
        hits = collection.search(query.image.id, _SHOWN, where=where)
        notes = [_verdict_on(report.group_of.get(hit.id), query.group) for hit in hits]
        path = query.image.path
        sections.append(
            GalleryQuery(
                path, hits, thumbnail(path), path, _note(query), label=groups_of(query), notes=notes
            )
        )
    figures = ", ".join(f"{name} {one.value:.4f}" for name, one in report.figures.items())
    summary = f"The worst {len(sections):,} of {len(report.queries):,} searches; {figures}"
    write_page(file, sections, title="Where searches go wrong", summary=summary)
    output.say(f"page written to {file}")


def _verdict_on(group: str | None, right: str) -> str:
    """Whether a hit is of the right group, and of which it is else."""
    if group == right:
        return "Right"
    return "Wrong" if group is None else f"Wrong group: {group}"


def _note(query: QueryQuality) -> str:
    precision = f"Average precision {query.figures['mAP']:.4f}"
    return f"{precision}; {query.right:,} belong to it, {found(query)}"
