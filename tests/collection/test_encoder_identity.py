"""A collection makes its encoder again from what it remembers, and knows one from another."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from conftest import MakePicture

from image_similarity_search import Collection, EncoderSpec, create_encoder
from image_similarity_search.catalog.checksums import checksum_of_meta
from image_similarity_search.errors import (
    CollectionMismatchError,
    ConfigError,
    EncoderUnavailableError,
    UnknownEncoderError,
)
from image_similarity_search.legacy import ImageSimilaritySearch

_BUNDLED = (
    Path(__file__).parents[2] / "src/image_similarity_search/encoders/models"
) / "efficientnet-lite0-int8.onnx"
_TOML = """
resize = 72
crop = 64
interpolation = "bilinear"
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of one's own: an ONNX file with its TOML file."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(_BUNDLED, folder / "mine.onnx")
    (folder / "mine.toml").write_text(_TOML)
    return folder / "mine.onnx"


@pytest.fixture
def index(tmp_path: Path, photos: Path) -> Path:
    """A collection made with other sizes than usual."""
    spec = EncoderSpec(resize=80, crop=64, interpolation="lanczos")
    with Collection.open(tmp_path / "index", encoder=spec, create=True) as collection:
        collection.sync(photos)
    return tmp_path / "index"


def test_other_preprocessing_is_remembered_and_used(index: Path, photos: Path) -> None:
    picture = next(photos.rglob("*.png"))
    with Collection.open(index) as collection:
        assert collection.encoder.preprocessing.crop == 64
        assert "resize=80;crop=64;lanczos" in collection.info().fingerprint
        assert collection.search(picture, 1)[0].score == 1.0
        usual = create_encoder().encode
        assert collection.embed([picture]).shape == (1, 1280)
        assert collection.encoder.encode is not usual


@pytest.mark.parametrize(
    ("spec", "what", "stored", "given"),
    [
        (EncoderSpec(resize=256), "resize", 80, 256),
        (EncoderSpec(crop=32), "crop", 64, 32),
        (EncoderSpec(interpolation="box"), "interpolation", "lanczos", "box"),
        (EncoderSpec("resnet50"), "model", "efficientnet-lite0-whole", "resnet50"),
        (EncoderSpec("timm:resnet18"), "model", "efficientnet-lite0-whole", "timm:resnet18"),
    ],
)
def test_an_index_made_otherwise_is_refused_with_both_values(
    index: Path, spec: EncoderSpec, what: str, stored: object, given: object
) -> None:
    with pytest.raises(CollectionMismatchError, match=what) as caught:
        Collection.open(index, encoder=spec)
    assert (caught.value.stored, caught.value.given) == (stored, given)


def test_the_same_said_again_is_accepted(index: Path) -> None:
    for spec in [
        EncoderSpec("efficientnet-lite0-whole"),
        EncoderSpec(resize=80),
        EncoderSpec("efficientnet-lite0-whole", None, 80, 64, "lanczos"),
    ]:
        Collection.open(index, encoder=spec).close()


def test_an_encoder_made_by_hand_is_made_again_by_the_collection(
    tmp_path: Path, photos: Path
) -> None:
    encoder = create_encoder(EncoderSpec(resize=70, crop=64))
    with Collection.open(tmp_path / "i", encoder=encoder, create=True) as collection:
        collection.sync(photos)
    with Collection.open(tmp_path / "i") as collection:
        assert collection.encoder.fingerprint == encoder.fingerprint
        assert collection.search(next(photos.rglob("*.jpg")), 1)[0].score == 1.0


def test_a_model_file_is_found_again_from_any_folder(
    tmp_path: Path, photos: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    with Collection.open(tmp_path / "i", encoder="mine.onnx", create=True) as collection:
        collection.sync(photos)
    monkeypatch.chdir(tmp_path)
    picture = next(photos.rglob("*.jpg"))
    with Collection.open(tmp_path / "i") as collection:
        assert collection.search(picture, 1)[0].score == 1.0
    with Collection.open(tmp_path / "i", encoder="models/mine.onnx") as collection:
        assert collection.info().encoder == "mine"


def test_a_model_file_that_was_moved_is_known_by_its_content(
    tmp_path: Path, photos: Path, model: Path
) -> None:
    with Collection.open(tmp_path / "i", encoder=str(model), create=True) as collection:
        collection.sync(photos)
    moved = tmp_path / "elsewhere"
    model.parent.rename(moved)
    picture = next(photos.rglob("*.jpg"))
    with (
        Collection.open(tmp_path / "i") as collection,
        pytest.raises(EncoderUnavailableError, match="Give its new location"),
    ):
        collection.search(picture)
    with Collection.open(tmp_path / "i", encoder=str(moved / "mine.onnx")) as collection:
        assert collection.search(picture, 1)[0].score == 1.0


def test_another_model_in_the_same_place_is_refused(
    tmp_path: Path, photos: Path, model: Path
) -> None:
    with Collection.open(tmp_path / "i", encoder=str(model), create=True) as collection:
        collection.sync(photos)
    model.with_suffix(".toml").write_text(_TOML.replace("[0.0,", "[0.5,"))
    with (
        Collection.open(tmp_path / "i") as collection,
        pytest.raises(CollectionMismatchError, match=r"0,0,0,1,1,1.*0\.5,0,0,1,1,1.*changed since"),
    ):
        collection.search(next(photos.rglob("*.jpg")))


def test_a_collection_of_before_specs_still_opens(index: Path, tmp_path: Path) -> None:
    with Collection.open(tmp_path / "old", encoder="efficientnet-lite0", create=True):
        pass
    with closing(sqlite3.connect(tmp_path / "old" / "catalog.sqlite")) as database:
        database.execute("DELETE FROM meta WHERE key = 'encoder_spec'")
        sealed = checksum_of_meta(dict(database.execute("SELECT key, value FROM meta")))
        database.execute("UPDATE meta SET value = ? WHERE key = 'crc32'", (sealed,))
        database.commit()
    with Collection.open(tmp_path / "old", encoder=EncoderSpec(resize=256)) as collection:
        assert collection.encoder.preprocessing.resize == 256
    with pytest.raises(CollectionMismatchError, match="resize is 256, but 80"):
        Collection.open(tmp_path / "old", encoder=EncoderSpec(resize=80))


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (EncoderSpec("resnet5"), UnknownEncoderError, r"resnet50, .*an \.onnx file, timm:NAME"),
        (EncoderSpec(crop=300, fit="crop"), ConfigError, r"crop is 300; expected 1 to 224 pixels"),
        (EncoderSpec("colour-texture", resize=99), ConfigError, "colour-texture needs it"),
        (EncoderSpec("colour-texture", weights="x"), ConfigError, "has no weights"),
        (
            EncoderSpec(weights="x"),
            ConfigError,
            "the model that they belong to as well, such as --model",
        ),
        (EncoderSpec("timm:x", weights="x"), ConfigError, "a built-in model with it"),
        (EncoderSpec("no.onnx"), EncoderUnavailableError, "can't be read"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_no_collection(
    tmp_path: Path, spec: EncoderSpec, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Collection.open(tmp_path / "i", encoder=spec, create=True)
    assert not (tmp_path / "i").exists()


def test_the_small_class_takes_model_metric_index_and_device(
    tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in range(5):
        make_picture(tmp_path / "images" / f"{seed}.jpg", seed)
    with ImageSimilaritySearch(
        "images",
        model=EncoderSpec(resize=72, crop=64),
        metric="l2",
        index="hnsw",
        device="cpu",
    ) as searcher:
        assert searcher.find_similar("images/3.jpg", k=1) == [
            {"path": "images/3.jpg", "score": 1.0}
        ]
        info = searcher.collection.info()
        assert (info.metric, info.index) == ("l2", "hnsw")
    with pytest.raises(CollectionMismatchError, match="hnsw"):
        ImageSimilaritySearch("images", index="exact")
    with pytest.raises(ConfigError, match="auto, cpu, cuda"):
        ImageSimilaritySearch("images", device="gpu")  # type: ignore[arg-type]


def test_what_was_made_before_there_was_a_fit_is_cut(index: Path) -> None:
    """As a catalog has it that an older version made."""
    with closing(sqlite3.connect(index / "catalog.sqlite")) as database:
        meta = dict(database.execute("SELECT key, value FROM meta"))
        spec = json.loads(meta["encoder_spec"])
        assert spec.pop("fit") == "crop"
        meta["encoder_spec"] = json.dumps(spec)
        for key, value in (meta | {"crc32": checksum_of_meta(meta)}).items():
            database.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))
        database.commit()
    for asked in (None, EncoderSpec(**spec), EncoderSpec(fit="crop")):
        with Collection.open(index, encoder=asked) as collection:
            assert collection.encoder.preprocessing.fit == "crop"
    with pytest.raises(CollectionMismatchError, match="fit is crop, but stretch was requested"):
        Collection.open(index, encoder=EncoderSpec(fit="stretch"))
