"""What goes for the sake of what: nothing is chained, and whatever has a like is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from image_similarity_search.collection.duplicates.dismissals import Dismissals
from image_similarity_search.collection.duplicates.grouping import Edge
from image_similarity_search.collection.duplicates.keeping import Looks, group
from image_similarity_search.collection.duplicates.scope import Contents, Scope
from image_similarity_search.duplicates import (
    DUPLICATE_LEVELS,
    GOES_ELSEWHERE,
    DuplicateGroup,
    DuplicateLevel,
    DuplicateReport,
    Holdings,
)
from image_similarity_search.types import ImageRecord

_RANK = {level: rank for rank, level in enumerate(DUPLICATE_LEVELS)}


class _Case(NamedTuple):
    """Files of some contents, the lower the better, and how contents are alike.

    ``kinds`` says of each file whether it lies in the one folder or the other.
    """

    files: list[int]
    kinds: list[bool]
    alike: dict[tuple[int, int], Edge]

    @property
    def ids(self) -> range:
        return range(1, len(self.files) + 1)

    def whole(self) -> Scope:
        return Scope(np.array(self.ids, dtype=np.int64))

    def members(self, content: int) -> list[int]:
        return [id_ for id_, of in enumerate(self.files, 1) if of == content]

    def side(self, kind: bool) -> frozenset[int]:
        return frozenset(id_ for id_, of in enumerate(self.kinds, 1) if of == kind)

    def edge(self, one: int, other: int) -> Edge | None:
        """How two files are alike."""
        pair = sorted((self.files[one - 1], self.files[other - 1]))
        return _EXACT if pair[0] == pair[1] else self.alike.get((pair[0], pair[1]))


_EXACT = Edge("exact", 0.0, 1.0, "")


def _found(
    case: _Case,
    level: DuplicateLevel,
    scope: Scope,
    holdings: Mapping[int, Holdings] | None = None,
) -> DuplicateReport:
    """The groups of what is so alike, or more, for files whose pixels say which is better."""
    sizes = [(30 - of) ** 4 for of in case.files]
    images = {
        id_: ImageRecord(id_, f"/no/{id_}.jpg", 9, 0, f"{of}", size, 1, "indexed")
        for id_, (of, size) in enumerate(zip(case.files, sizes, strict=True), 1)
    }
    several = {of: some for of in set(case.files) if len(some := case.members(of)) > 1}
    contents = Contents(scope, {some[0]: some for some in several.values()})
    edges: dict[int, dict[int, Edge]] = {}
    for pair, edge in case.alike.items():
        one, other = (case.members(of)[0] for of in pair)
        if _RANK[edge.level] <= _RANK[level]:
            edges.setdefault(one, {})[other] = edges.setdefault(other, {})[one] = edge
    report = DuplicateReport()
    looks = Looks({}, holdings or {})
    group(report, contents, edges, images, looks, Dismissals("/no"), lambda _: {})
    return report


def _ids(groups: list[DuplicateGroup]) -> Iterator[tuple[int, int, DuplicateLevel]]:
    return ((one.keep.id, other.image.id, other.level) for one in groups for other in one.others)


@st.composite
def _cases(draw: st.DrawFn) -> _Case:
    contents = draw(st.integers(2, 7))
    files = [*range(contents), *draw(st.lists(st.integers(0, contents - 1), max_size=4))]
    kinds = draw(st.lists(st.booleans(), min_size=len(files), max_size=len(files)))
    pairs = draw(st.lists(st.sampled_from(list(combinations(range(contents), 2))), unique=True))
    level = st.sampled_from(DUPLICATE_LEVELS[1:])
    likeness = st.sampled_from([0.94, 0.96, 0.98])
    alike = {pair: _edge(draw(level), draw(likeness)) for pair in pairs}
    return _Case(files, kinds, alike)


def _edge(level: DuplicateLevel, likeness: float) -> Edge:
    return Edge(level, 1 - likeness, None if level == "similar" else likeness, "")


def _check_what_goes(case: _Case, report: DuplicateReport) -> None:
    """It goes for the sake of what stays, once, and all that is told is true."""
    going = [other for _, other, _ in _ids(report.copies)]
    assert len(going) == len(set(going))
    assert not {one.keep.id for one in report.groups}.intersection(going)
    for one in report.groups:
        assert {other.level == "similar" for other in one.others} == {one.level == "similar"}
        assert not (one.goes and one.level == "similar")
        for other in one.others:
            edge = case.edge(one.keep.id, other.image.id)
            assert edge
            assert (edge.level, edge.likeness) == (other.level, other.likeness)
        for a, b in combinations(one.others, 2):
            edge = case.edge(a.image.id, b.image.id)
            assert edge
            assert one.level == "similar" or edge.level != "similar"


def _check_told(
    case: _Case, report: DuplicateReport, level: DuplicateLevel, of: Iterable[int]
) -> None:
    """Each of some files is told at the level at which it is like another one, if it is any."""
    told = set(_ids(report.groups))
    for one in of:
        edges = [case.edge(one, other) for other in case.ids if other != one]
        ranks = [_RANK[edge.level] for edge in edges if edge]
        best = min((rank for rank in ranks if rank <= _RANK[level]), default=None)
        seen = min((_RANK[how] for *pair, how in told if one in pair), default=None)
        # what has the same bytes is one picture, and goes with it for one that is the same
        assert seen == best or (best == 0 and seen == _RANK["same"] <= _RANK[level])


@given(_cases())
def test_whatever_has_a_like_is_told_at_its_level(case: _Case) -> None:
    before: set[tuple[int, int, DuplicateLevel]] = set()
    for level in DUPLICATE_LEVELS:
        report = _found(case, level, case.whole())
        _check_what_goes(case, report)
        _check_told(case, report, level, case.ids)
        told = set(_ids(report.groups))
        assert before <= told or level == "same"
        before = told


@given(_cases())
def test_of_two_folders_each_image_is_told_with_what_is_most_like_it(case: _Case) -> None:
    left, right = case.side(False), case.side(True)
    for level in DUPLICATE_LEVELS:
        report = _found(case, level, Scope(case.whole().ids, sides=(left, right)))
        _check_what_goes(case, report)
        told = list(_ids(report.groups))
        assert all((one in left) != (other in left) for one, other, _ in told)
        for one in case.ids:
            around = [case.edge(one, other) for other in (right if one in left else left)]
            edges = [edge for edge in around if edge and _RANK[edge.level] <= _RANK[level]]
            beside = [case.edge(*pair) for *pair, _ in told if one in pair]
            assert min(map(_unlikeness, edges), default=None) == min(
                (_unlikeness(edge) for edge in beside if edge), default=None
            )


def _unlikeness(edge: Edge) -> tuple[int, float]:
    return _RANK[edge.level], edge.distance


@given(_cases())
def test_references_stay_and_others_are_told_beside_them(case: _Case) -> None:
    fixed = case.side(True)
    known = {case.files[id_ - 1] for id_ in fixed}
    alike = {pair: edge for pair, edge in case.alike.items() if not known.issuperset(pair)}
    case = case._replace(alike=alike)
    report = _found(case, "similar", Scope(case.whole().ids, references=fixed))
    _check_what_goes(case, report)
    assert fixed.isdisjoint(other for _, other, _ in _ids(report.copies))
    assert not [pair for *pair, _ in _ids(report.groups) if fixed.issuperset(pair)]
    _check_told(case, report, "similar", [one for one in case.ids if one not in fixed])


def _groups(
    alike: dict[tuple[int, int], Edge], files: tuple[int, ...] = (0, 1, 2, 3)
) -> list[tuple[int, set[int], bool, str]]:
    """Of some files, 1 the best: what stays, the others, whether these go, and why it stays."""
    case = _Case(list(files), [False] * len(files), alike)
    return [
        (one.keep.id, {other.image.id for other in one.others}, one.goes, one.why)
        for one in _found(case, "similar", case.whole()).groups
    ]


def test_a_chain_is_cut_and_its_end_is_told() -> None:
    near = _edge("near", 0.95)
    assert _groups({(0, 1): near, (1, 2): near}) == [
        (1, {2}, True, "most pixels"),
        (3, {2}, False, GOES_ELSEWHERE),
    ]
    assert _groups({(0, 1): near, (1, 2): near, (2, 3): near}) == [
        (1, {2}, True, "most pixels"),
        (3, {4}, True, "most pixels"),
    ]


def test_those_alike_to_the_best_but_not_to_each_other_are_groups_of_their_own() -> None:
    near = _edge("near", 0.95)
    going = [one[:3] for one in _groups({(0, 1): near, (0, 2): near})]
    assert going == [(1, {2}, True), (1, {3}, True)]
    alike = {(0, 1): near, (0, 2): near, (1, 2): near, (0, 3): near, (1, 3): near}
    assert [one[:3] for one in _groups(alike)] == [(1, {2, 3}, True), (1, {4}, True)]


def test_a_copy_goes_for_what_it_was_made_of_and_not_for_a_better_picture() -> None:
    """It was told as a changed copy of the better one, and what it was made of of nothing."""
    own, other = _edge("same", 0.98), _edge("near", 0.94)
    staying = (1, {2}, False, "most pixels")
    assert _groups({(0, 1): other, (0, 2): other, (1, 2): own}) == [
        (2, {3}, True, "most pixels"),
        staying,
    ]
    # of changed copies the one that it is most like counts
    own = own._replace(level="near")
    alike = {(0, 2): other, (1, 2): own}
    assert _groups(alike)[0] == (2, {3}, True, "most pixels")
    # the same bytes are there twice, and one of these files stays
    assert _groups({(0, 1): other}, (0, 1, 1)) == [(2, {3}, True, "found first"), staying]


def test_what_would_be_lost_is_told_beside_what_it_would_go_for() -> None:
    same, near = _edge("same", 0.98), _edge("near", 0.94)
    case = _Case([0, 1, 2, 3], [False] * 4, {(0, 1): near, (1, 2): same, (2, 3): near})
    placed = Holdings(place=True)
    groups = _found(case, "near", case.whole(), {2: placed, 3: placed}).groups
    assert [
        (one.keep.id, one.goes, one.others[0].image.id, one.others[0].lost) for one in groups
    ] == [
        (2, True, 3, ()),
        (1, False, 2, ("the place",)),  # when the other is gone
        (4, False, 3, ()),  # which goes for another
    ]
