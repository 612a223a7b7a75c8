"""Words for thresholds, where scores were measured, and the refusal where they were not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import draw

from image_similarity_search import Collection, EncoderSpec
from image_similarity_search.encoders.table import ENCODERS
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import SCORE_WORDS

_MEASURED = [name for name, row in ENCODERS.items() if row.scores]


@pytest.mark.parametrize("name", _MEASURED)
def test_a_word_is_the_score_that_info_says(name: str, tmp_path: Path) -> None:
    for seed in range(4):
        draw(seed).save(tmp_path / f"{seed}.png")
    draw(0).save(tmp_path / "saved anew.jpg", quality=95)
    with Collection.open(tmp_path / "index", encoder=name, create=True) as collection:
        collection.sync(tmp_path)
        meant = collection.info().thresholds
        assert meant is not None
        assert tuple(meant) == SCORE_WORDS
        assert 1 > meant["same-picture"] > meant["same-object"] > meant["same-kind"] > 0.5
        query = tmp_path / "0.png"
        for word, score in meant.items():
            hits = collection.search(query, threshold=word)
            assert hits == collection.search(query, threshold=score)
        found = [
            os.path.basename(hit.path) for hit in collection.search(query, threshold="same-picture")
        ]
        assert found == ["0.png", "saved anew.jpg"]


def test_words_mean_the_same_in_a_collection_that_was_made_by_the_former_default(
    tmp_path: Path,
) -> None:
    former = EncoderSpec(interpolation="bicubic")
    with Collection.open(tmp_path / "index", encoder=former, create=True) as collection:
        assert collection.info().thresholds is not None


@pytest.mark.parametrize(
    ("encoder", "metric"),
    [
        ("colour-texture", "cosine"),
        ("efficientnet-lite0", "l2"),
        (EncoderSpec(resize=64, crop=64), "cosine"),
        (EncoderSpec(resize=256, crop=224), "cosine"),
    ],
)
def test_what_was_not_measured_is_not_known(
    tmp_path: Path, encoder: str | EncoderSpec, metric: str
) -> None:
    with Collection.open(
        tmp_path / "index",
        encoder=encoder,
        metric=metric,  # type: ignore[arg-type]  # a parameter's type
        create=True,
    ) as collection:
        assert collection.info().thresholds is None
        with pytest.raises(ConfigError, match="are not calibrated"):
            collection.search(draw(1), threshold="same-object")
        with pytest.raises(ConfigError, match="a score, or same-picture, same-object, same-kind"):
            collection.search(draw(1), threshold="alike")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", _MEASURED)
def test_the_words_hold_of_photographs(name: str, test_data: Path, tmp_path: Path) -> None:
    """Of 25 objects: most views are the same object, hardly anything else is."""
    files = sorted((test_data / "ukbench").iterdir())[200:300]
    for file in files:
        (tmp_path / file.name).symlink_to(file)
    with Collection.open(tmp_path / "index", encoder=name, create=True) as collection:
        collection.sync(tmp_path)
        right = wrong = same = 0
        for number, file in enumerate(files):
            id_ = collection.get(tmp_path / file.name).id
            hits = collection.search(id_, 99, threshold="same-object")
            own = [files[number // 4 * 4 + view].name for view in range(4)]
            found = sum(os.path.basename(hit.path) in own for hit in hits)
            right, wrong = right + found, wrong + len(hits) - found
            same += len(collection.search(id_, 99, threshold="same-picture"))
    assert right > 0.8 * 300
    assert wrong < 0.005 * 100 * 96
    assert same < 0.05 * 300
