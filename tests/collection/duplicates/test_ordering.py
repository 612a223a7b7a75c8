"""Which of several copies is the best, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations, pairwise

from image_similarity_search.collection.duplicates.grouping import Edge
from image_similarity_search.collection.duplicates.ordering import (
    NO_RANK,
    SHARPER,
    Ranks,
    order,
    ranked,
    reason,
)
from image_similarity_search.duplicates import Holdings
from image_similarity_search.types import ImageRecord

_EDGE = Edge("same", 0.1, 0.99, "")


def _image(id_: int, pixels: int, size: int = 1000) -> ImageRecord:
    return ImageRecord(id_, f"/{id_}.jpg", size, 0, f"{id_:032}", pixels, 1, "indexed")


class _Copies:
    """Images that are all alike, and what is measured of them."""

    def __init__(
        self,
        images: list[ImageRecord],
        sharpness: Mapping[int, float],
        colours: Mapping[int, float] | None = None,
        holdings: Mapping[int, Holdings] | None = None,
    ) -> None:
        self.images = {one.id: one for one in images}
        self.measured: list[int] = []
        self._sharpness = sharpness
        self._colours = colours or {}
        self._holdings = holdings or {}

    def ranks(self, pairs: Collection[tuple[int, int]], references: Collection[int] = ()) -> Ranks:
        edges: dict[int, dict[int, Edge]] = {}
        for one, other in pairs:
            edges.setdefault(one, {})[other] = edges.setdefault(other, {})[one] = _EDGE
        return ranked(self.images, edges, references, self._colours, self._holdings, self._measure)

    def best_first(self, references: Collection[int] = ()) -> tuple[list[int], list[str]]:
        """The ids in order, and why each comes before the next."""
        ranks = self.ranks(list(combinations(self.images, 2)), references)
        keys = {
            one: order(image, references, ranks.by_content.get(one, NO_RANK))
            for one, image in self.images.items()
        }
        ids = sorted(keys, key=keys.__getitem__)
        return ids, [reason(keys[a], keys[b]) for a, b in pairwise(ids)]

    def _measure(self, images: Collection[ImageRecord]) -> Mapping[int, float]:
        self.measured = [image.id for image in images]
        return {id_: self._sharpness[id_] for id_ in self.measured if id_ in self._sharpness}


def test_pixels_then_sharpness_then_the_file() -> None:
    images = [
        _image(1, 90),
        _image(2, 100, 10),
        _image(3, 100, 2000),
        _image(4, 99),
        _image(5, 100),
    ]
    copies = _Copies(images, {2: 3.0, 3: 1.0, 4: 2.8, 5: 2.7})
    assert copies.best_first() == (
        [5, 2, 4, 3, 1],
        ["largest file", "most pixels", "sharpest", "most pixels"],
    )


def test_of_as_many_pixels_the_one_that_says_when_it_was_taken_is_better_than_a_sharper_one() -> (
    None
):
    images = [_image(1, 1000), _image(2, 98), _image(3, 100)]
    copies = _Copies(images, {2: 1.0, 3: 9.0}, holdings={2: Holdings(taken="2022-01-01 10:00:00")})
    assert copies.best_first() == ([1, 2, 3], ["most pixels", "more camera metadata"])


def test_an_image_in_a_reference_folder_is_the_best_however_blurred() -> None:
    copies = _Copies([_image(1, 10), _image(2, 100)], {1: 1.0, 2: 9.0})
    assert copies.best_first([1]) == ([1, 2], ["in a reference folder"])
    assert copies.measured == []


def test_colours_come_before_pixels_sharpness_and_bytes() -> None:
    images = [_image(1, 100, 10), _image(2, 100, 9000), _image(3, 400), _image(4, 50)]
    copies = _Copies(images, {1: 1.0, 2: 9.0}, {1: 8.0, 2: 0.0, 3: 0.5, 4: 7.0})
    assert copies.best_first() == ([1, 4, 3, 2], ["most pixels", "in colour", "most pixels"])
    assert copies.best_first([2])[0] == [2, 1, 4, 3]


def test_of_few_colours_the_fewer_do_not_count() -> None:
    copies = _Copies([_image(1, 90), _image(2, 100)], {}, {1: 1.5, 2: 0.9})
    assert copies.best_first() == ([2, 1], ["most pixels"])
    unknown = _Copies([_image(1, 90), _image(2, 100)], {}, {1: 9.0})
    assert unknown.best_first() == ([2, 1], ["most pixels"])


def test_what_can_not_be_read_comes_after_what_can() -> None:
    copies = _Copies([_image(1, 100, 9000), _image(2, 100), _image(3, 50)], {2: 1.0})
    assert copies.best_first() == ([2, 1, 3], ["readable in full", "most pixels"])


def test_only_that_is_measured_on_which_something_depends() -> None:
    sizes = {1: 100, 2: 99, 3: 50, 4: 49, 5: 100, 6: 10}
    copies = _Copies([_image(id_, pixels) for id_, pixels in sizes.items()], {})
    copies.ranks([(1, 2), (2, 3), (2, 4), (5, 6)])
    assert copies.measured == [1, 2]  # 3 and 4 are no copies of one another


def test_the_sharpest_of_each_step_sets_it() -> None:
    values = {1: 1.0, 2: 0.9, 3: 0.99 / SHARPER, 4: 0.98 / SHARPER, 5: 0.5}
    copies = _Copies([_image(id_, 100) for id_ in values], values)
    ranks = copies.ranks(list(combinations(values, 2))).by_content
    assert [ranks[id_].blur for id_ in values] == [0, 0, 1, 1, 2]
