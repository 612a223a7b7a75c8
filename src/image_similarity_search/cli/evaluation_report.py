"""What an evaluation found, as lines and as JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from image_similarity_search.cli import output

if TYPE_CHECKING:
    from image_similarity_search.evaluation import (
        Estimate,
        EvaluationComparison,
        EvaluationReport,
        FigureComparison,
        QueryQuality,
    )


def say_what_is_left_out(report: EvaluationReport, worst: int) -> None:
    """What of the truth was not searched by, so many examples of it."""
    for path in report.missing[:worst]:
        output.say(f"not in the collection: {path}")
    if len(report.missing) > worst:
        output.say(f"and {len(report.missing) - worst:,} more")
    if report.gone:
        output.say(f"not used as queries (removed meanwhile): {output.count(report.gone, 'image')}")
    if alone := sorted(name for name, images in report.sizes.items() if images == 1):
        groups = output.count(len(alone), "group")
        reason = "no other image in the group"
        output.say(f"not used as queries ({reason}): {groups}, such as {alone[0]}")


def tell(report: EvaluationReport, worst: int) -> None:
    """The figures, and so many of the worst groups and searches."""
    for name, figure in report.figures.items():
        output.write(f"{name:<14}  {figure.value:.4f}{_interval(figure)}")
    output.write("")
    for group in report.worst_groups(worst):
        means = ", ".join(f"{name} {group.figures[name]:.4f}" for name in _first(group.figures))
        output.write(f"{means}  {group.name} ({output.count(group.images, 'image')})")
    _tell_worst_searches(report, worst)


def say_of_all(report: EvaluationReport) -> None:
    """How many may be in the wrong group, and how many there were."""
    if mislabelled := report.mislabelled():
        images = output.count(len(mislabelled), "image")
        output.say(f"{images} may be mislabelled; list with --paths")
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
        precision = f"AP {query.figures['mAP']:.4f}, {found(query)}"
        output.write(f"{precision}  {query.image.path} ({groups_of(query)})")
    if len(queries) > worst:
        more = output.count(len(queries) - worst, "more search", "more searches")
        all_of_them = f"list all with --worst {len(queries)}"
        output.say(f"and {more} with imperfect results; {all_of_them}")


def groups_of(query: QueryQuality) -> str:
    """What an image belongs to, and what it looks like where that may be the right one."""
    if query.mislabelled:
        return f"{query.group}; looks like {query.looks_like}"
    return query.group


def _first(figures: dict[str, float]) -> list[str]:
    """The names of the figures that are told of a group."""
    return list(figures)[:2]


def _interval(figure: Estimate) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return f"  ({figure.low:.4f} to {figure.high:.4f})"


def tell_compared(compared: EvaluationComparison, first: str, second: str) -> None:
    """Two evaluations side by side, of the collections that are kept at ``first``, ``second``."""
    output.say(f"first: {first}; second: {second}")
    for name, figure in compared.figures.items():
        output.write(
            f"{name:<14}  {figure.first:.4f}  {figure.second:.4f}"
            f"  {figure.difference.value:+.4f}{_interval(figure.difference)}  {_verdict(figure)}"
        )
    searches = output.count(compared.queries, "search", "searches")
    output.say(f"{searches} with the same query images, {output.count(compared.groups, 'group')}")


def _verdict(figure: FigureComparison) -> str:
    if not figure.differs:
        return "no significant difference"
    return "the second is better" if figure.difference.value > 0 else "the first is better"


TABLE: dict[str, type] = {
    "id": int,
    "path": str,
    "group": str,
    "average_precision": float,
    "first": int,
    "looks_like": str,
    "fit": float,
}
"""The columns of the table of all searches."""


def table_rows(report: EvaluationReport) -> Iterator[tuple[Any, ...]]:
    """The rows of that table, in order of id."""
    for one in report.queries:
        precision = one.figures["mAP"]
        image = one.image
        yield image.id, image.path, one.group, precision, one.first, one.looks_like, one.fit


def report_as_json(report: EvaluationReport, worst: int) -> dict[str, Any]:
    """An evaluation as ``--json`` prints it."""
    return {
        "figures": {name: asdict(figure) for name, figure in report.figures.items()},
        "groups": [asdict(group) for group in report.groups],
        "sizes": [{"name": name, "images": count} for name, count in report.sizes.items()],
        "worst": [query_as_json(query) for query in report.worst_queries(worst)],
        "mislabelled": [query_as_json(query) for query in report.mislabelled()],
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
        "fit": query.fit,
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


def found(query: QueryQuality) -> str:
    """At which rank the first that belongs to an image was found."""
    return f"first match at rank {query.first:,}" if query.first else "none found"


def hint_at_names(report: EvaluationReport) -> None:
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
