"""Why two pictures are alike: by places, by covering, and what can't be said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import CountingEncoder, MakePicture, draw
from onnx import ModelProto
from onnx_models import FLOAT, UINT8, mean_colour, model, node
from PIL import Image

from image_similarity_search import vectors
from image_similarity_search.collection import Collection
from image_similarity_search.collection.queries import pixels_of
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.feature_maps import feature_encoder
from image_similarity_search.encoders.onnx import OnnxEncoder
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.errors import ConfigError, ImageNotFoundError, ImageUnreadableError
from image_similarity_search.types import Region


@pytest.fixture(scope="module")
def lite0(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """An empty collection of the network that averages: pictures need not be in it."""
    folder = tmp_path_factory.mktemp("lite0") / "index"
    with Collection.open(folder, encoder="efficientnet-lite0", create=True) as collection:
        yield collection


def pasted(at: tuple[int, int], ground: int) -> Image.Image:
    """A picture of blocks somewhere on a plain ground."""
    picture = Image.new("RGB", (256, 256), (ground, ground, ground))
    picture.paste(draw(1, (96, 96)), at)
    return picture


def test_the_parts_are_the_similarity(lite0: Collection) -> None:
    pictures = pasted((0, 0), 200), pasted((140, 140), 90)
    rows = vectors.comparable(lite0.embed(pictures), "cosine")
    found = lite0.explain(*pictures).compared
    assert found.method == "places"
    assert found.query.shape == found.hit.shape == (7, 7)
    cosine = float(rows[0] @ rows[1])
    assert found.similarity == pytest.approx(cosine, abs=1e-5)
    assert float(found.query.sum()) == pytest.approx(cosine, abs=1e-3)
    assert float(found.hit.sum()) == pytest.approx(cosine, abs=1e-3)
    assert found.distance == pytest.approx(1 - cosine, abs=1e-5)
    assert found.score == pytest.approx(1 / (1 + found.distance))


@pytest.mark.parametrize("method", ["places", "occlusion"])
def test_what_both_have_counts_where_it_lies(lite0: Collection, method: str) -> None:
    found = lite0.explain(pasted((10, 10), 128), pasted((150, 150), 128), method=method)  # type: ignore[arg-type]
    compared = found.compared
    assert compared.method == method
    assert compared.query[:3, :3].mean() > compared.query[4:, 4:].mean()
    assert compared.hit[4:, 4:].mean() > compared.hit[:3, :3].mean()
    assert bool(compared.matches) == (method == "places")


def test_matches_are_apart_and_come_in_order(lite0: Collection) -> None:
    compared = lite0.explain(draw(1), draw(1)).compared
    parts = [match.part for match in compared.matches]
    assert parts == sorted(parts, reverse=True)
    assert sum(parts) < compared.similarity
    assert all(match.query == match.hit for match in compared.matches), "the same picture"
    for places in ([m.query for m in compared.matches], [m.hit for m in compared.matches]):
        for one in places:
            others = [other for other in places if other != one]
            assert all(max(abs(one[0] - o[0]), abs(one[1] - o[1])) > 1 for o in others)


def test_a_region_is_looked_at_alone(lite0: Collection) -> None:
    wide = Image.new("RGB", (512, 256), "white")
    wide.paste(draw(1, (256, 256)), (256, 0))
    right = Region(0.5, 0, 0.5, 1)
    found = lite0.explain(wide, draw(1, (256, 256)), region=right)
    assert found.compared.score == pytest.approx(1.0)
    part = found.query.part
    assert part.x >= 0.5
    assert (part.w, part.h) == pytest.approx((0.4375, 0.875), abs=0.01)


def test_what_is_seen_is_what_the_encoder_gets() -> None:
    picture = Image.new("RGB", (400, 200), "black")
    preprocessing = Preprocessing(100, 80, "nearest")
    part = preprocessing.seen(400, 200)
    picture.paste("white", part.box(400, 200))
    assert preprocessing.view(picture).min() > 200
    assert Preprocessing(100, 100, fit="stretch").seen(400, 200) == Region(0, 0, 1, 1)


def test_an_encoder_without_places_is_asked_again_and_again(
    collection: Collection, encoder: CountingEncoder
) -> None:
    before = encoder.count
    compared = collection.explain(draw(1), draw(2)).compared
    assert compared.method == "occlusion"
    assert encoder.count - before == 2 + 2 * (64 + 1)
    with pytest.raises(ConfigError, match="does not support places, which needs the metric cosine"):
        collection.explain(draw(1), draw(2), method="places")
    with pytest.raises(ConfigError, match="one of places, occlusion"):
        collection.explain(draw(1), draw(2), method="guess")  # type: ignore[arg-type]


def test_a_place_counts_as_much_as_the_score_falls_without_it(
    collection: Collection, encoder: CountingEncoder
) -> None:
    """The oracle: the picture with each part covered that has the corner in it."""
    view, other = (pixels_of(draw(seed), encoder.preprocessing) for seed in (1, 2))
    views = [view, other]
    for width in (9, 18):  # one cell of seven, and two
        for height in (9, 18):
            views.append(view.copy())
            views[-1][:height, :width] = 127
    whole, hit, *covered = vectors.comparable(encoder.encode(np.stack(views)), "cosine")
    fall = float(whole @ hit - np.mean([row @ hit for row in covered]))
    found = collection.explain_views(view, other).query
    assert found.shape == (7, 7)
    assert float(found[0, 0]) == pytest.approx(fall, abs=1e-5)
    assert abs(fall) > 1e-3


@pytest.mark.parametrize("metric", ["l2", "l1", "ip"])
def test_other_metrics(tmp_path: Path, metric: str) -> None:
    with Collection.open(
        tmp_path / "index",
        encoder="efficientnet-lite0",
        metric=metric,  # type: ignore[arg-type]  # a parameter's type
        create=True,
    ) as collection:
        compared = collection.explain(pasted((0, 0), 200), pasted((140, 140), 90)).compared
    assert compared.metric == metric
    if metric == "ip":
        assert compared.method == "places"
        assert float(compared.hit.sum()) == pytest.approx(compared.similarity, rel=1e-3)
    else:
        assert compared.method == "occlusion"
        assert compared.similarity == compared.score


def test_images_of_the_collection_by_id(
    collection: Collection, make_picture: MakePicture, tmp_path: Path
) -> None:
    path = make_picture(tmp_path / "a.png", 1)
    (record,) = collection.add(path)
    assert collection.explain(record.id, path).compared.score == 1.0
    with pytest.raises(ImageNotFoundError, match="no indexed image has this id"):
        collection.explain(record.id, 99)
    with pytest.raises(ImageUnreadableError):
        collection.explain(record.id, b"no picture")


def test_a_head_behind_the_average_is_noticed(tmp_path: Path) -> None:
    whole = registry.create("efficientnet-lite0-whole")
    with Collection.open(tmp_path / "index", create=True, encoder=whole) as collection:
        assert feature_encoder(whole) is not None, "the network does average"
        assert collection.explain(draw(1), draw(1)).compared.method == "occlusion"


@pytest.mark.parametrize("kind", ["pooled", "reduced", "map", "last"])
def test_models_of_the_users_own(tmp_path: Path, kind: str) -> None:
    """Each averages colours over places, somewhere in the model or after it."""
    made = {
        "pooled": mean_colour(),
        "reduced": model(
            [
                node("ReduceMean", "pixels", "mean", axes=[2, 3], keepdims=0),
                node("Identity", "mean", "embedding"),
            ],
            ["n", 3, "h", "w"],
        ),
        "map": model(
            [node("Identity", "pixels", "embedding")],
            ["n", 3, "h", "w"],
            outputs={"embedding": ["n", 3, "h", "w"]},
        ),
        "last": model(
            [
                node("Cast", "pixels", "values", to=FLOAT),
                node("ReduceMean", "values", "embedding", axes=[1, 2], keepdims=0),
            ],
            ["n", "h", "w", 3],
            UINT8,
        ),
    }[kind]
    encoder = OnnxEncoder(
        "own",
        made.SerializeToString(),
        Preprocessing(8, 8, "box"),
        pooling="mean" if kind == "map" else "none",
        spec=EncoderSpec(_saved(made, tmp_path)),
    )
    with Collection.open(tmp_path / "index", create=True, encoder=encoder) as collection:
        left, right = Image.new("RGB", (8, 8), "black"), Image.new("RGB", (8, 8), "red")
        left.paste("red", (0, 0, 4, 8))
        compared = collection.explain(left, right).compared
    assert compared.method == "places"
    assert compared.query.shape == (8, 8)
    assert compared.query[:, :4] == pytest.approx(1 / 32, rel=1e-3)
    assert compared.query[:, 4:] == pytest.approx(0.0, abs=1e-6)


def _saved(made: ModelProto, folder: Path) -> str:
    onnx.save(made, folder / "own.onnx")
    return str(folder / "own.onnx")


def test_the_drawing_is_bright_where_it_counts(lite0: Collection) -> None:
    found = lite0.explain(pasted((10, 10), 128), pasted((150, 150), 128))
    drawn = np.asarray(found.draw().convert("L"), dtype=float)
    height, width = drawn.shape
    assert width > 800
    left = drawn[: height - 60, 40 : width // 2 - 40]
    blocks, ground = left[60:150, :110], left[-120:-40, -120:-40]
    assert blocks.std() > ground.std()
