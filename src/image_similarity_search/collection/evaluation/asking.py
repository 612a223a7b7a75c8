"""From what a caller asks about quality to a report."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
from image_similarity_search.collection.evaluation.fitting import fit_of, reach_of
from image_similarity_search.collection.evaluation.intervals import estimates
from image_similarity_search.collection.evaluation.ranks import (
    Ranking,
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

_STEP = 100  # queries between two words of progress


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
    allowed = None if where is None else filtering.ids(where)
    labels = labels_of(catalog, truth, relative_to, allowed)
    sizes = np.bincount(labels.groups[labels.groups >= 0], minlength=len(labels.names))
    asked = _asked(labels, sizes, sample)
    ranking = (
        exact_ranking(catalog, searcher.stored, asked, labels.ids)
        if depth is None
        else searched_ranking(catalog, searcher, asked, depth, where)
    )
    queries = _queries(catalog, labels, sizes, ranking, depth is None, len(asked), ks, progress)
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
    ranking: Ranking,
    exact: bool,
    count: int,
    ks: Sequence[int],
    progress: ProgressCallback | None,
) -> list[QueryQuality]:
    found = []
    for done, (id_, order, far) in enumerate(ranking, 1):
        group = labels.groups[np.searchsorted(labels.ids, id_)]
        there = np.isin(order, labels.ids)  # others were added since
        groups = labels.groups[np.searchsorted(labels.ids, order[there])]
        ranks = np.flatnonzero(groups == group) + 1
        right = int(sizes[group]) - 1
        first = int(ranks[0]) if len(ranks) else None
        figures = figures_of(ranks, right, ks)
        reach = reach_of(far, exact=exact)
        looks_like, fit = fit_of(far[there], groups, int(group), right, reach)
        like = None if looks_like is None else labels.names[looks_like]
        found.append((id_, labels.names[group], right, first, figures, like, fit))
        if progress and (done % _STEP == 0 or done == count):
            progress(Progress("evaluating", done, count))
    records = catalog.records(id_ for id_, *_ in found)
    return [QueryQuality(records[id_], *rest) for id_, *rest in found if id_ in records]


def _sum_up(report: EvaluationReport) -> None:
    """Fill in the figures and the groups."""
    names = list(report.queries[0].figures)
    values = np.array([[query.figures[name] for name in names] for query in report.queries])
    of_query = np.array([query.group for query in report.queries])
    for group in np.unique(of_query).tolist():
        own = values[of_query == group]
        means = dict(zip(names, own.mean(axis=0).tolist(), strict=True))
        report.groups.append(GroupQuality(group, report.sizes[group], len(own), means))
    _, numbers = np.unique(of_query, return_inverse=True)
    report.figures = dict(zip(names, estimates(values, numbers), strict=True))
    each = np.array([[group.figures[MAP]] for group in report.groups])
    report.figures[MAP_OF_GROUPS] = estimates(each, np.arange(len(each)))[0]
