"""From what a caller asks about quality to a report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from numbers import Integral
from time import perf_counter

import numpy as np

from image_similarity_search.arguments import several
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection.evaluation.figures import (
    GROUP_OF_N_S,
    MAP,
    MAP_OF_GROUPS,
    N_S,
    figures_of,
)
from image_similarity_search.collection.evaluation.fitting import fit_of
from image_similarity_search.collection.evaluation.intervals import estimates
from image_similarity_search.collection.evaluation.ranks import (
    Ranked,
    exact_ranking,
    searched_ranking,
)
from image_similarity_search.collection.evaluation.truth import Labels, labels_of
from image_similarity_search.collection.filtering import Filtering
from image_similarity_search.collection.search import Searcher
from image_similarity_search.errors import ConfigError
from image_similarity_search.evaluation import (
    EvaluationReport,
    GroupQuality,
    QueryQuality,
    Truth,
)
from image_similarity_search.filters import Filter
from image_similarity_search.types import IdArray, Progress, ProgressCallback, checked_count


def evaluated(
    catalog: Catalog,
    searcher: Searcher,
    filtering: Filtering,
    truth: Truth,
    *,
    relative_to: str | os.PathLike[str] | None,
    k: int | Sequence[int],
    depth: int | None,
    sample: int | None,
    where: Filter | None,
    progress: ProgressCallback | None,
) -> EvaluationReport:
    """As ``Collection.evaluate``."""
    begin = perf_counter()
    given = several("k", k, Integral, "a number of images, at least 1, or several")
    ks = sorted({checked_count("k", one) for one in given})
    depth = None if depth is None else checked_count("depth", depth)
    sample = None if sample is None else checked_count("sample", sample)
    if progress:
        progress(Progress("evaluating", 0, None))
    allowed = None if where is None else filtering.ids(where)
    labels = labels_of(catalog, truth, relative_to, allowed)
    sizes = np.bincount(labels.groups[labels.groups >= 0], minlength=len(labels.names))
    asked = _asked(labels, sizes, sample)

    def tell(done: int) -> None:
        if progress:
            progress(Progress("evaluating", done, len(asked)))

    ranking = (
        exact_ranking(catalog, searcher.stored, asked, labels.ids, tell)
        if depth is None
        else searched_ranking(catalog, searcher, asked, labels.ids, depth, where, tell)
    )
    queries = _queries(catalog, labels, sizes, ranking, ks)
    if not queries:
        expected = "images that are in the collection while the evaluation runs"
        said = "nothing to evaluate: the images were removed meanwhile"
        raise ConfigError("truth", truth, expected, said)
    if set(sizes[sizes > 1].tolist()) != {GROUP_OF_N_S}:
        for query in queries:
            del query.figures[N_S]
    report = EvaluationReport(queries=queries, depth=depth, images=len(labels.ids))
    report.ungrouped = int(np.count_nonzero(labels.groups < 0))
    report.missing = labels.missing
    report.gone = len(asked) - len(queries)
    report.group_of = labels.by_id()
    report.sizes = dict(zip(labels.names, sizes.tolist(), strict=True))
    _sum_up(report)
    report.seconds = perf_counter() - begin
    return report


def _asked(labels: Labels, sizes: IdArray, sample: int | None) -> IdArray:
    """The ids of the images to search by: those that are not alone in their group, or some."""
    grouped = labels.groups >= 0
    ids = labels.ids[grouped][sizes[labels.groups[grouped]] > 1]
    if sample is None or sample >= len(ids):
        return ids
    return np.sort(np.random.default_rng(0).choice(ids, sample, replace=False))


def _queries(
    catalog: Catalog,
    labels: Labels,
    sizes: IdArray,
    ranking: Iterable[Ranked],
    ks: Sequence[int],
) -> list[QueryQuality]:
    found: dict[int, tuple[str, int, int | None, dict[str, float], str | None, float]] = {}
    for id_, places, far, reach in ranking:
        group = int(labels.groups[np.searchsorted(labels.ids, id_)])
        groups = labels.groups[places]
        ranks = np.flatnonzero(groups == group) + 1
        right = int(sizes[group]) - 1
        first = int(ranks[0]) if len(ranks) else None
        figures = figures_of(ranks, right, ks)
        looks_like, fit = fit_of(far, groups, group, right, reach, len(labels.names))
        like = None if looks_like is None else labels.names[looks_like]
        found[id_] = (labels.names[group], right, first, figures, like, fit)
    records = catalog.records(found)
    return [QueryQuality(records[id_], *rest) for id_, rest in found.items() if id_ in records]


def _sum_up(report: EvaluationReport) -> None:
    """Fill in the figures and the groups."""
    names = list(report.queries[0].figures)
    values = np.array([[query.figures[name] for name in names] for query in report.queries])
    groups, numbers = np.unique([query.group for query in report.queries], return_inverse=True)
    by_group = values[np.argsort(numbers, kind="stable")]
    ends = np.cumsum(np.bincount(numbers))
    for group, own in zip(groups.tolist(), np.split(by_group, ends[:-1]), strict=True):
        means = dict(zip(names, own.mean(axis=0).tolist(), strict=True))
        report.groups.append(GroupQuality(group, report.sizes[group], len(own), means))
    report.figures = dict(zip(names, estimates(values, numbers), strict=True))
    each = np.array([[group.figures[MAP]] for group in report.groups])
    report.figures[MAP_OF_GROUPS] = estimates(each, np.arange(len(each)))[0]
