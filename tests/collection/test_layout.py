"""Where images lie on a map: alike ones together; and what is said without the extra."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import draw
from test_understanding import tinted

from image_similarity_search import Filter
from image_similarity_search.collection import Collection
from image_similarity_search.collection.understanding.laying_out import _fitted
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import Progress

_COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """Eight pictures of each of three colours, in folders, and two of something else."""
    folder = tmp_path_factory.mktemp("coloured")
    for colour in _COLOURS:
        (folder / "pictures" / colour).mkdir(parents=True)
        for seed in range(8):
            tinted(colour, seed).save(folder / "pictures" / colour / f"{seed}.png")
    for seed in range(2):
        draw(seed).save(folder / "pictures" / f"{seed}.png")
    encoder = ColourTextureEncoder()
    with Collection.open(folder / "index", encoder=encoder, create=True) as made:
        made.sync(folder / "pictures")
        yield made


def test_without_the_extra_it_says_how_to_get_it(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    assert not len(collection.layout().ids)  # which takes none
    collection.sync(photos)
    with pytest.raises(ConfigError, match=r"pip install 'image-similarity-search\[map\]'"):
        collection.layout()


def test_alike_images_lie_together(coloured: Collection) -> None:
    pytest.importorskip("openTSNE", reason="the extra 'map' is not installed")
    steps: list[Progress] = []
    layout = coloured.layout(progress=steps.append)
    assert layout.ids.tolist() == [image.id for image in coloured]
    assert layout.positions.shape == (26, 2)
    assert layout.positions.min() >= 0
    assert layout.positions.max() <= 1
    colours = [coloured.get(id_).path.split("/")[-2] for id_ in layout.ids.tolist()]
    for at, colour in enumerate(colours):
        if colour in _COLOURS:
            far = np.linalg.norm(layout.positions - layout.positions[at], axis=1)
            nearest = np.argsort(far, kind="stable")[1:4]
            assert {colours[other] for other in nearest} == {colour}
    assert {step.phase for step in steps} == {"comparing", "laying out"}
    again = coloured.layout()
    assert np.array_equal(layout.positions, again.positions)


def test_a_few_images_and_none(coloured: Collection) -> None:
    pytest.importorskip("openTSNE", reason="the extra 'map' is not installed")
    (folder,) = coloured.roots()
    few = coloured.layout(where=Filter(folder=f"{folder}/red"))
    assert few.positions.shape == (8, 2)
    assert len(np.unique(few.positions, axis=0)) > 1
    nothing = coloured.layout(where=Filter(min_width=5000))
    assert (nothing.ids.shape, nothing.positions.shape) == ((0,), (0, 2))


def test_one_scale_for_both_axes() -> None:
    grid = np.stack(np.meshgrid(np.arange(20.0), np.arange(10.0)), axis=-1).reshape(-1, 2)
    fitted = _fitted(grid.astype(np.float32))
    assert np.ptp(fitted[:, 0]) == pytest.approx(2 * np.ptp(fitted[:, 1]), rel=0.2)
    assert (fitted.min(axis=0) + fitted.max(axis=0)) == pytest.approx([1.0, 1.0], abs=1e-3)
