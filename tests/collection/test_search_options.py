"""What else a search does: other ways to see the picture, folding, diversity, other folders."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import draw
from PIL import Image, ImageOps

from image_similarity_search.collection import Collection
from image_similarity_search.collection.duplicates.levels import NEAR_LIKENESS
from image_similarity_search.collection.duplicates.likeness import normalised, orientations
from image_similarity_search.collection.examples import Example, refined
from image_similarity_search.collection.folding import _homes
from image_similarity_search.collection.orientations import seen_in
from image_similarity_search.collection.queries import Query
from image_similarity_search.errors import ConfigError, ImageNotFoundError
from image_similarity_search.search_options import SearchOptions
from image_similarity_search.types import Region


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Collection]:
    """A collection of six pictures, and altered versions of the first in a folder of their own."""
    folder = tmp_path / "photos"
    (folder / "altered").mkdir(parents=True)
    for seed in range(6):
        draw(seed, (160, 160)).save(folder / f"{seed}.png")
    first = draw(0, (160, 160))
    ImageOps.mirror(first).save(folder / "altered" / "mirrored.png")
    first.rotate(90).save(folder / "altered" / "turned.png")
    with Collection.open(tmp_path / "index", encoder="colour-texture", create=True) as made:
        made.sync(folder)
        yield made


def names(hits: list) -> list[str]:  # type: ignore[type-arg]  # of hits
    return [Path(hit.path).name for hit in hits]


def test_other_ways_to_see_a_picture_are_searched_by(filled: Collection, tmp_path: Path) -> None:
    query = tmp_path / "photos" / "0.png"
    plain = filled.search(query, k=8)
    assert plain[0].score == 1.0
    assert plain[1].score < 0.999
    mirrored = filled.search(query, k=2, options=SearchOptions(mirrored=True))
    assert names(mirrored) == ["0.png", "mirrored.png"]
    turned = filled.search(query, k=2, options=SearchOptions(turned=True))
    assert names(turned) == ["0.png", "turned.png"]
    both = filled.search(query, k=8, options=SearchOptions(mirrored=True, turned=True))
    assert set(names(both[:3])) == {"0.png", "mirrored.png", "turned.png"}
    assert min(hit.score for hit in both[:3]) > 0.99
    assert [hit.distance for hit in both] == sorted(hit.distance for hit in both)
    assert len({hit.id for hit in both}) == 8
    own = mirrored[0].id
    by_id = filled.search(own, k=8, options=SearchOptions(mirrored=True))
    assert names(by_id)[0] == "mirrored.png"
    assert own not in {hit.id for hit in by_id}


def test_options_hold_for_each_of_several_queries(filled: Collection, tmp_path: Path) -> None:
    options = SearchOptions(mirrored=True)
    queries: list[Query] = [tmp_path / "photos" / "0.png", 2]
    each = [filled.search(query, 2, options=options) for query in queries]
    assert filled.search_many(queries, 2, options=options) == each
    assert names(each[0]) == ["0.png", "mirrored.png"]


def test_views_are_of_the_altered_picture(filled: Collection) -> None:
    preprocessing = filled.encoder.preprocessing
    picture = draw(3, (128, 64))  # so that the middle is the middle from every side
    ways = SearchOptions(mirrored=True, turned=True).ways
    for (mirror, turns), view in zip(ways, seen_in(preprocessing.view(picture), ways), strict=True):
        altered = ImageOps.mirror(picture) if mirror else picture
        altered = altered.rotate(90 * turns, expand=True)
        assert (np.abs(preprocessing.view(altered).astype(int) - view) <= 1).all()


def test_the_folders_of_the_pictures_are_left_out(filled: Collection, tmp_path: Path) -> None:
    elsewhere = SearchOptions(exclude_same_folder=True)
    query = tmp_path / "photos" / "0.png"
    found = filled.search(query, k=8, options=elsewhere)
    assert set(names(found)) == {"mirrored.png", "turned.png"}  # a folder below is another
    by_id = filled.search(filled.get(query).id, k=8, options=elsewhere)
    assert names(by_id) == names(found)
    of_id = Example(filled.embed([query])[0], of=filled.get(query).id)
    assert names(filled.search_by_examples([of_id], 8, options=elsewhere)) == names(found)
    unknown = tmp_path / "query.png"
    shutil.copy(query, unknown)
    assert len(filled.search(unknown, k=8, options=elsewhere)) == 8
    with pytest.raises(ConfigError, match="exclude_same_folder"):
        filled.search(query.read_bytes(), options=elsewhere)


def test_copies_are_folded_into_the_better_hit(filled: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copy(folder / "0.png", folder / "same bytes.png")
    draw(0, (160, 160)).resize((100, 100)).save(folder / "smaller.jpg", quality=80)
    filled.sync(folder)
    found = filled.search(folder / "0.png", k=6, options=SearchOptions(fold=True))
    assert len(found) == 6  # one of each content, however many were folded
    assert names(found)[0] == "0.png"
    copies = {Path(image.path).name for image in found[0].folded}
    assert copies == {"same bytes.png", "smaller.jpg", "mirrored.png", "turned.png"}
    assert all(not hit.folded for hit in found[1:])
    assert all(not hit.folded for hit in filled.search(folder / "0.png", k=6))


def test_folding_goes_on_until_there_are_enough(filled: Collection, tmp_path: Path) -> None:
    heap = tmp_path / "photos" / "heap"
    heap.mkdir()
    for number in range(60):
        shutil.copy(tmp_path / "photos" / "1.png", heap / f"{number}.png")
    filled.sync(tmp_path / "photos")
    found = filled.search(tmp_path / "photos" / "1.png", k=3, options=SearchOptions(fold=True))
    assert len(found) == 3
    assert len(found[0].folded) == 60


def test_copies_are_those_that_a_look_at_every_pair_finds() -> None:
    rng = np.random.default_rng(0)
    blocks = rng.random((40, 4, 4), dtype=np.float32).repeat(8, axis=1).repeat(8, axis=2)
    seen = []
    for number in range(200):  # upright, turned and mirrored, with more noise or less
        one = np.rot90(blocks[rng.integers(40)], int(rng.integers(4)))
        one = one if rng.integers(2) else one[:, ::-1]
        noise = rng.random((32, 32), dtype=np.float32) * rng.choice([0.05, 0.3, 0.4, 2.0])
        seen.append(np.zeros((32, 32)) if number % 50 == 7 else normalised(one + noise))
    signatures = np.array(seen, dtype=np.float32)
    products = np.stack([orientations(one).reshape(8, -1) for one in signatures])
    likeness = (products @ signatures.reshape(200, -1).T).max(axis=1)
    expected: list[int] = []
    for at in range(200):
        alike = (at_ for at_ in range(at) if expected[at_] == at_)
        expected.append(next((o for o in alike if likeness[at, o] >= NEAR_LIKENESS), at))
    assert _homes(signatures) == expected
    assert 40 < len(set(expected)) < 180


def test_without_thumbnails_the_same_bytes_are_folded(filled: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copy(folder / "0.png", folder / "same bytes.png")
    filled.sync(folder)
    filled.keep_thumbnails(False)
    first = filled.search(folder / "0.png", k=1, options=SearchOptions(fold=True))[0]
    assert [Path(image.path).name for image in first.folded] == ["same bytes.png"]


def test_diverse_hits_are_unlike_one_another(filled: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for number in range(5):  # near the query, and nearer to one another
        picture = Image.blend(draw(0, (160, 160)), draw(50, (160, 160)), 0.3 + number / 100)
        picture.save(folder / f"alike {number}.png")
    filled.sync(folder)
    query = folder / "0.png"
    nearest = names(filled.search(query, k=4))
    assert sum(name.startswith("alike") for name in nearest) == 3
    found = filled.search(query, k=4, options=SearchOptions(diverse=0.7))
    assert sum(name.startswith("alike") for name in names(found)) <= 1
    assert names(found)[0] == "0.png"
    assert [hit.distance for hit in found] == sorted(hit.distance for hit in found)
    few = filled.search(query, k=4, options=SearchOptions(diverse=1e-9))
    assert names(few) == nearest


def test_a_part_of_a_picture_counts(filled: Collection, tmp_path: Path) -> None:
    whole = draw(40, (320, 320))
    whole.paste(draw(4, (160, 160)), (160, 0))
    whole.save(tmp_path / "whole.png")
    part = Example(tmp_path / "whole.png", region=Region(0.5, 0, 0.5, 0.5))
    assert filled.search_by_examples([part], k=1)[0].score > 0.999
    id_ = filled.get(tmp_path / "photos" / "4.png").id
    others = filled.search_by_examples([Example(id_, region=Region(0, 0, 1, 1))], k=8)
    assert len(others) == 7


def test_what_makes_no_sense_is_refused(filled: Collection) -> None:
    for wrong in (-0.1, 1.1, float("nan"), True):
        with pytest.raises(ConfigError, match="diverse"):
            SearchOptions(diverse=wrong)
    row = filled.embed([draw(0)])[0]
    with pytest.raises(ConfigError, match="embeddings"):
        filled.search_by_examples([Example(row)], options=SearchOptions(mirrored=True))
    with pytest.raises(ConfigError, match="region"):
        filled.search_by_examples([Example(row, region=Region(0, 0, 1, 1))])
    with pytest.raises(ImageNotFoundError):
        filled.search(99, options=SearchOptions(mirrored=True))


def test_what_is_liked_and_disliked_moves_the_search(filled: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name, other in (("near a", 60), ("near b", 61), ("far a", 60), ("far b", 61)):
        share = 0.35 if name.startswith("near") else 0.6
        Image.blend(draw(0, (160, 160)), draw(other, (160, 160)), share).save(
            folder / f"{name}.png"
        )
    filled.sync(folder)
    ids = {Path(image.path).name: image.id for image in filled.images()}
    query = folder / "0.png"

    def ranks(**judged: list[int]) -> dict[str, int]:
        found = names(filled.search(query, k=20, options=SearchOptions(**judged)))  # type: ignore[arg-type]  # ids
        return {name: rank for rank, name in enumerate(found)}

    plain = ranks()
    liked = ranks(liked=[ids["near a.png"]])
    assert set(liked) == set(plain)  # what is liked stays
    assert liked["far a.png"] < liked["far b.png"]
    both = ranks(liked=[ids["near a.png"]], disliked=[ids["near b.png"]])
    assert "near b.png" not in both
    assert both["far a.png"] < both["far b.png"]
    for wrong in ({"liked": ["1"]}, {"liked": 1}, {"liked": [1], "disliked": [1]}):
        with pytest.raises(ConfigError, match="liked"):
            SearchOptions(**wrong)
    with pytest.raises(ImageNotFoundError):
        filled.search(query, options=SearchOptions(liked=[999]))


def test_the_weights_of_feedback() -> None:
    rows = np.eye(4, dtype=np.float32)
    moved = refined(rows[0], rows[1:3], rows[3:], "cosine")
    expected = np.array([1, 0.375, 0.375, -0.15]) / np.linalg.norm([1, 0.375, 0.375, -0.15])
    assert np.allclose(moved, expected, atol=1e-3)
