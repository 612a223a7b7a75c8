"""The encoders that have a name keep the promises of one."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import draw
from PIL import Image

from image_similarity_search.collection import Collection
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.head import Head
from image_similarity_search.encoders.onnx import OnnxEncoder
from image_similarity_search.encoders.openvino import take_the_plain_way
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.encoders.table import DEFAULT_ENCODER, ENCODERS
from image_similarity_search.errors import (
    ConfigError,
    EncoderOutputError,
    EncoderUnavailableError,
    UnknownEncoderError,
)
from image_similarity_search.testing import check_encoder

_MODELS = resources.files("image_similarity_search") / "encoders" / "models"
_BUNDLED = _MODELS / "efficientnet-lite0-int8.onnx"

# the transposition that stores an upright picture under each EXIF orientation
_STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


_NAMES = ["efficientnet-lite0-whole", "efficientnet-lite0", "colour-texture"]


@pytest.mark.parametrize("name", _NAMES)
def test_it_keeps_its_promises(name: str) -> None:
    encoder = registry.create(name)
    check_encoder(encoder)
    assert encoder.name == name
    assert encoder.dim == ENCODERS[name].dim


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownEncoderError, match=", ".join(_NAMES)):
        registry.create("resnet5")


def test_the_card_is_of_the_file_that_ships() -> None:
    card = (_MODELS / "efficientnet-lite0-int8.md").read_text(encoding="utf-8")
    for file in (_BUNDLED, _MODELS / "efficientnet-lite0-head.npy"):
        assert hashlib.sha256(file.read_bytes()).hexdigest() in card
    assert re.search(r"Apache", card)
    assert (_MODELS / "LICENSE.efficientnet-lite0").is_file()
    assert len(_BUNDLED.read_bytes()) < 5_000_000


def test_collections_of_the_first_version_fit_the_encoder_of_that_name() -> None:
    known = "efficientnet-lite0;sha256=ba6d35254fe32a67;resize=256;crop=224;bicubic;0,0,0,1,1,1"
    assert registry.create("efficientnet-lite0").fingerprint == known


def test_collections_made_by_the_former_default_fit_it_still() -> None:
    known = (
        "efficientnet-lite0-whole;sha256=8ebfd5787ada7cc7;head=bd600599307dbf2c;rms;"
        "resize=224;crop=224;bicubic;0,0,0,1,1,1;stretch"
    )
    spec = EncoderSpec(DEFAULT_ENCODER, interpolation="bicubic")
    assert registry.create(spec).fingerprint == known


@pytest.mark.parametrize("side", [224, 226, 225, 96, 33])
def test_both_ways_through_the_first_convolution_are_the_same_to_the_bit(side: int) -> None:
    model = onnx.load_model_from_string(_BUNDLED.read_bytes())
    pixels = np.random.default_rng(side).integers(0, 256, (2, side, side, 3), np.uint8)
    usual = onnxruntime.InferenceSession(model.SerializeToString())
    assert take_the_plain_way(model)
    assert not take_the_plain_way(model)
    plain = onnxruntime.InferenceSession(model.SerializeToString())
    found = [session.run(None, {"pixels": pixels}) for session in (usual, plain)]
    for ours, theirs in zip(*found, strict=True):
        assert (ours == theirs).all()


def test_the_two_of_one_network_are_told_apart() -> None:
    whole = registry.create("efficientnet-lite0-whole")
    found = re.fullmatch(r"[a-z0-9-]+;sha256=\w{16};head=\w{16};rms;.*;stretch", whole.fingerprint)
    assert found, whole.fingerprint


@pytest.mark.parametrize("name", _NAMES[:2])
@pytest.mark.parametrize("batch", [1, 2, 7])
def test_an_embedding_is_the_same_to_the_bit_in_any_batch(name: str, batch: int) -> None:
    encoder = registry.create(name)
    views = np.stack([encoder.preprocessing.view(draw(seed, (300, 260))) for seed in range(7)])
    together = encoder.encode(views)
    apart = [encoder.encode(views[start : start + batch]) for start in range(0, 7, batch)]
    assert (np.concatenate(apart) == together).all()


def test_all_eight_orientations_have_the_same_embedding(tmp_path: Path) -> None:
    upright = draw(3, (400, 300))
    files = []
    for orientation, transposition in _STORED_AS.items():
        stored = upright.transpose(transposition) if transposition is not None else upright
        exif = Image.Exif()
        exif[0x0112] = orientation
        out = BytesIO()
        stored.save(out, "PNG", exif=exif)
        files.append(out.getvalue())
    with Collection.open(tmp_path / "i", create=True) as collection:
        embeddings = collection.embed(files)
    assert (embeddings == embeddings[0]).all()


def test_a_missing_or_broken_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailableError, match=r"'mine'.*can't be read"):
        OnnxEncoder("mine", str(tmp_path / "none.onnx"), Preprocessing(), dim=4)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    with pytest.raises(EncoderUnavailableError, match="Is it a complete ONNX file"):
        OnnxEncoder("mine", str(broken), Preprocessing(), dim=4)


def test_another_shape_than_promised_is_refused() -> None:
    with resources.as_file(_BUNDLED) as path:
        encoder = OnnxEncoder("mine", str(path), Preprocessing(), dim=7)
    with pytest.raises(EncoderOutputError, match=r"shape \(1, 1280\), expected \(1, 7\)"):
        encoder.encode(np.zeros((1, 224, 224, 3), dtype=np.uint8))


def test_a_stretched_view_shows_all_of_the_picture() -> None:
    image = Image.new("RGB", (120, 40), "red")
    image.paste("blue", (60, 0, 120, 40))
    image.paste("lime", (0, 0, 6, 40))
    cut = Preprocessing(40, 40, "box").view(image)
    whole = Preprocessing(40, 40, "box", fit="stretch").view(image)
    assert cut.shape == whole.shape == (40, 40, 3)
    assert not (cut == (0, 255, 0)).all(axis=2).any()
    assert (whole[:, :2] == (0, 255, 0)).all()
    assert (whole[:, 2:20] == (255, 0, 0)).all()
    assert (whole[:, 20:] == (0, 0, 255)).all()


def test_who_asks_for_a_crop_of_what_is_stretched_gets_one() -> None:
    stretched = Preprocessing(224, 224, fit="stretch")
    assert stretched.changed(512, 448, None) == Preprocessing(512, 448)
    assert stretched.changed(300, None, None) == Preprocessing(300, 300, fit="stretch")
    assert stretched.changed(None, 300, None) == Preprocessing(300, 300, fit="stretch")
    with pytest.raises(ConfigError, match="crop is 0"):
        stretched.changed(None, 0, None)
    with pytest.raises(ConfigError, match="nothing is cut"):
        stretched.changed(512, 448, None, "stretch")


def test_a_picture_without_anything_has_an_embedding() -> None:
    encoder = registry.create("efficientnet-lite0-whole")
    assert np.isfinite(
        Head(str(_MODELS / "efficientnet-lite0-head.npy")).applied(
            np.zeros((1, encoder.dim), np.float32)
        )
    ).all()


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (256, 256), (37, 1000), (500, 2), (1, 1)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_the_view_is_what_resize_then_crop_shows(size: tuple[int, int], interpolation: str) -> None:
    preprocessing = Preprocessing(64, 48, interpolation)  # type: ignore[arg-type]
    image = draw(5, size)
    whole = (int(64 * size[0] / min(size)), int(64 * size[1] / min(size)))
    if max(whole) < 5000:
        resized = image.resize(whole, Image.Resampling[interpolation.upper()])
        left, top = (round((side - 48) / 2) for side in whole)
        expected = np.asarray(resized.crop((left, top, left + 48, top + 48)), dtype=int)
        difference = np.abs(expected - preprocessing.view(image))
        assert difference.mean() < 0.6
    assert preprocessing.view(image).shape == (48, 48, 3)


@pytest.mark.parametrize(
    ("size", "like"),
    [((300, 200), "hamming"), ((48, 48), "hamming"), ((47, 300), "bicubic"), ((9, 9), "bicubic")],
)
def test_what_is_made_smaller_is_resized_by_one_filter_and_the_rest_by_the_other(
    size: tuple[int, int], like: str
) -> None:
    image = draw(5, size)
    views = [
        Preprocessing(48, 48, name, fit="stretch").view(image)  # type: ignore[arg-type]
        for name in ("hamming-bicubic", like)
    ]
    assert (views[0] == views[1]).all()


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((0, 0), "resize"),
        ((10, 11), "crop"),
        ((10, 0), "crop"),
        ((10, 10, "best"), "interpolation"),
        ((10, 10, "box", (0, 0, 0), (1, 1, 1), "best"), "fit"),
        ((12, 10, "box", (0, 0, 0), (1, 1, 1), "stretch"), "crop is 10; expected 12"),
    ],
)
def test_preprocessing_that_makes_no_sense_is_refused(
    values: tuple[int, int, str], word: str
) -> None:
    with pytest.raises(ConfigError, match=word):
        Preprocessing(*values)  # type: ignore[arg-type]


def test_other_preprocessing_is_another_fingerprint() -> None:
    prints = {
        Preprocessing(*values).fingerprint  # type: ignore[arg-type]
        for values in [(256, 224), (256, 225), (257, 224), (256, 224, "bilinear")]
    } | {Preprocessing(mean=(0.5, 0.5, 0.5)).fingerprint, Preprocessing(std=(2, 2, 2)).fingerprint}
    assert len(prints) == 6


@pytest.mark.parametrize("name", [DEFAULT_ENCODER, "colour-texture"])
def test_pixels_of_which_an_embedding_would_mean_nothing_are_refused(name: str) -> None:
    encoder = registry.create(name)
    image = draw(1, (400, 300)).convert("RGB")
    pixels = encoder.preprocessing.view(image)[None]
    assert encoder.encode(pixels).shape == (1, encoder.dim)
    assert encoder.encode(pixels[:0]).shape == (0, encoder.dim)
    wrong = [
        (pixels / 255).astype(np.float32),
        pixels.astype(np.float64),
        np.asarray(image)[None],
        pixels[0],
        pixels.transpose(0, 3, 1, 2),
        encoder.preprocessing.view(image.convert("RGBA"))[None],
        encoder.preprocessing.view(image.convert("L"))[None],
        [image],
    ]
    for other in wrong:
        with pytest.raises(ConfigError, match=r"preprocessing\.view"):
            encoder.encode(other)
