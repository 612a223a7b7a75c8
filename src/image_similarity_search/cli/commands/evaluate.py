"""``iss evaluate``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from image_similarity_search.cli import options, output
from image_similarity_search.cli.filter_options import filtered
from image_similarity_search.cli.progress import ProgressBar
from image_similarity_search.cli.targets import check_target
from image_similarity_search.errors import ConfigError

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.evaluation import (
        Estimate,
        EvaluationComparison,
        EvaluationReport,
        FigureComparison,
        QueryQuality,
    )
    from image_similarity_search.filters import Filter

_FOLDERS = "folders"
_SHOWN = 10  # hits of each of the worst queries on the page


@click.command(
    "evaluate",
    epilog="""\b
Examples:
  iss evaluate --truth folders
  iss evaluate --truth groups.csv -k 1 -k 20
  iss evaluate --truth groups.csv --html worst.html
  iss evaluate --truth groups.csv --index-dir one --against other
  iss evaluate --truth groups.csv --depth 10
""",
)
@click.option(
    "--truth",
    required=True,
    metavar="FILE",
    help="What belongs together: a CSV file of paths and groups, 'folders', or"
    " 'folder-names', where train/cat and test/cat are one.",
)
@click.option(
    "-k",
    "ks",
    type=int,
    multiple=True,
    default=(1, 5, 10),
    show_default=True,
    help="Precision and recall among the first so many; may be given more than once.",
)
@click.option(
    "--against",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Compare with the collection that is kept there.",
)
@click.option(
    "--depth",
    type=int,
    metavar="N",
    help="Look at so many hits of real searches; without it all images are ranked exactly.",
)
@click.option("--sample", type=int, metavar="N", help="Search by so many of the images at most.")
@filtered
@click.option(
    "--worst",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="Name so many groups, and so many searches.",
)
@options.index_dir
@options.as_json
@click.option("--html", metavar="FILE", type=click.Path(), help="Write a page of the worst, too.")
@options.force
def command(
    truth: str,
    ks: tuple[int, ...],
    against: str | None,
    depth: int | None,
    sample: int | None,
    where: Filter | None,
    worst: int,
    index_dir: str,
    as_json: bool,
    html: str | None,
    force: bool,
) -> None:
    """Measure how well images that belong together are found.

    Each of them is searched by. With --against, how much better or worse the other collection, of
    the same images, does it.
    """
    from image_similarity_search.collection import Collection

    def measured(collection: Collection) -> EvaluationReport:
        with ProgressBar() as progress:
            return collection.evaluate(
                truth, k=ks, depth=depth, sample=sample, where=where, progress=progress
            )

    with Collection.open(index_dir) as collection:
        check_target(html, collection, index_dir, force=force)
        report = measured(collection)
        if truth == _FOLDERS:
            _hint_at_names(report)
        if against is None:
            _tell(report, worst, as_json=as_json)
        else:
            compared = _compared(report, against, measured)
            if as_json:
                both = {"against": comparison_as_json(compared)}
                output.write_json(report_as_json(report, worst) | both)
            else:
                _tell_compared(compared, index_dir, against)
        if html:
            _write_page(html, collection, report, worst, where)


def _hint_at_names(report: EvaluationReport) -> None:
    """Say that folders of one name were taken for several groups, as in train/cat and test/cat."""
    of_name: dict[str, list[str]] = {}
    for group in sorted(set(report.group_of.values())):
        of_name.setdefault(os.path.basename(group), []).append(group)
    repeated = [groups for groups in of_name.values() if len(groups) > 1]
    if repeated:
        alike = " and ".join(repeated[0][:2])
        count = output.count(len(repeated), "name is that", "names are those")
        output.say(
            f"{count} of several folders, such as {alike}: each folder is a group of its own;"
            " --truth folder-names takes those of one name together"
        )


def _compared(
    report: EvaluationReport, against: str, measured: Callable[[Collection], EvaluationReport]
) -> EvaluationComparison:
    """The report beside that of another collection."""
    from image_similarity_search.collection import Collection
    from image_similarity_search.collection.evaluation.comparing import compare_evaluations

    with Collection.open(against) as other:
        try:
            return compare_evaluations(report, measured(other))
        except ConfigError as error:
            what = error.said or f"{error.value}; expected {error.expected}"
            said = f"{against} (--against): {what}"
            raise ConfigError(error.name, error.value, error.expected, said) from error


def _tell(report: EvaluationReport, worst: int, *, as_json: bool) -> None:
    for path in report.missing[:worst]:
        output.say(f"not among the images: {path}")
    if len(report.missing) > worst:
        output.say(f"and {len(report.missing) - worst:,} more")
    if report.gone:
        output.say(f"removed meanwhile, and not searched by: {output.count(report.gone, 'image')}")
    if as_json:
        output.write_json(report_as_json(report, worst))
        return
    for name, figure in report.figures.items():
        output.write(f"{name:<14}  {figure.value:.4f}{_interval(figure)}")
    output.write("")
    for group in report.worst_groups(worst):
        means = ", ".join(f"{name} {group.figures[name]:.4f}" for name in _first(group.figures))
        output.write(f"{means}  {group.name} ({output.count(group.images, 'image')})")
    _tell_worst_searches(report, worst)
    output.say(
        f"{output.count(len(report.queries), 'search', 'searches')} among"
        f" {output.count(report.images, 'image')} in {output.count(len(report.groups), 'group')},"
        f" {report.ungrouped:,} in none; {report.seconds:.1f} s"
    )


def _tell_worst_searches(report: EvaluationReport, worst: int) -> None:
    """The searches that did not find all of theirs first: perhaps they are in the wrong group."""
    queries = report.worst_queries(len(report.queries))
    queries = [query for query in queries if query.figures["mAP"] < 1]
    if not queries or not worst:
        return
    output.write("")
    for query in queries[:worst]:
        precision = f"AP {query.figures['mAP']:.4f}, {_found(query)}"
        output.write(f"{precision}  {query.image.path} ({_groups(query)})")
    if len(queries) > worst:
        more = output.count(len(queries) - worst, "more search", "more searches")
        all_of_them = f"--worst {len(queries)} names all"
        output.say(f"and {more} that did not find all of theirs first: {all_of_them}")
    if strange := sum(_looks_like_another(query) for query in queries):
        output.say(f"like another group than their own: {output.count(strange, 'image')}")


def _groups(query: QueryQuality) -> str:
    """What an image belongs to, and what it looks like where that is another."""
    if _looks_like_another(query):
        return f"{query.group}; looks like {query.looks_like}"
    return query.group


def _looks_like_another(query: QueryQuality) -> bool:
    return query.looks_like not in (None, query.group)


def _first(figures: dict[str, float]) -> list[str]:
    """The names of the figures that are told of a group."""
    return list(figures)[:2]


def _interval(figure: Estimate) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"  ({figure.low:.4f} to {figure.high:.4f})"


def _tell_compared(compared: EvaluationComparison, first: str, second: str) -> None:
    output.say(f"first: {first}; second: {second}")
    for name, figure in compared.figures.items():
        output.write(
            f"{name:<14}  {figure.first:.4f}  {figure.second:.4f}"
            f"  {figure.difference.value:+.4f}{_interval(figure.difference)}  {_verdict(figure)}"
        )
    searches = output.count(compared.queries, "search", "searches")
    output.say(f"{searches} by the same images, {output.count(compared.groups, 'group')}")


def _verdict(figure: FigureComparison) -> str:
    if not figure.differs:
        return "no difference to be seen"
    return "the second is better" if figure.difference.value > 0 else "the first is better"


def report_as_json(report: EvaluationReport, worst: int) -> dict[str, Any]:
    """An evaluation as ``--json`` prints it."""
    return {
        "figures": {name: asdict(figure) for name, figure in report.figures.items()},
        "groups": [asdict(group) for group in report.groups],
        "worst": [query_as_json(query) for query in report.worst_queries(worst)],
        "searches": len(report.queries),
        "images": report.images,
        "ungrouped": report.ungrouped,
        "missing": report.missing,
        "gone": report.gone,
        "depth": report.depth,
        "seconds": round(report.seconds, 3),
    }


def query_as_json(query: QueryQuality) -> dict[str, Any]:
    """One search as ``--json`` prints it."""
    return {
        "id": query.image.id,
        "path": query.image.path,
        "group": query.group,
        "right": query.right,
        "first": query.first,
        "looks_like": query.looks_like,
        "figures": query.figures,
    }


def comparison_as_json(compared: EvaluationComparison) -> dict[str, Any]:
    """Two evaluations side by side as ``--json`` prints them."""
    return {
        "figures": {
            name: asdict(figure) | {"differs": figure.differs}
            for name, figure in compared.figures.items()
        },
        "searches": compared.queries,
        "groups": compared.groups,
    }


def _write_page(
    file: str,
    collection: Collection,
    report: EvaluationReport,
    worst: int,
    where: Filter | None,
) -> None:
    from image_similarity_search.cli.gallery import GalleryQuery
    from image_similarity_search.cli.page import write_page
    from image_similarity_search.cli.thumbnails import thumbnail

    sections = []
    for query in report.worst_queries(worst):
        hits = collection.search(query.image.id, _SHOWN, where=where)
        notes = [_verdict_on(report.group_of.get(hit.id), query.group) for hit in hits]
        path = query.image.path
        sections.append(
            GalleryQuery(
                path, hits, thumbnail(path), path, _note(query), label=_groups(query), notes=notes
            )
        )
    figures = ", ".join(f"{name} {one.value:.4f}" for name, one in report.figures.items())
    summary = f"The worst {len(sections):,} of {len(report.queries):,} searches; {figures}"
    write_page(file, sections, title="Where searches go wrong", summary=summary)
    output.say(f"the page is in {file}")


def _verdict_on(group: str | None, right: str) -> str:
    """Whether a hit is of the right group, and of which it is else."""
    if group == right:
        return "Right"
    return "Wrong" if group is None else f"Wrong: {group}"


def _note(query: QueryQuality) -> str:
    precision = f"Average precision {query.figures['mAP']:.4f}"
    return f"{precision}; {query.right:,} belong to it, {_found(query)}"


def _found(query: QueryQuality) -> str:
    return f"the first at rank {query.first:,}" if query.first else "none found"
