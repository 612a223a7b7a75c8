"""ONNX models of any usual form run as encoders; any other form is refused with what it is."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_models as models
import pytest
from onnx import ModelProto

from image_similarity_search.encoders.onnx import OnnxEncoder
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import (
    ConfigError,
    EncoderOutputError,
    EncoderUnavailableError,
)
from image_similarity_search.testing import check_encoder

_SEEN = Preprocessing(40, 32, "bilinear", (0.5, 0.25, 0.125), (0.5, 0.25, 2.0))
_PIXELS = np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
_VALUES = (_PIXELS / 255 - np.array(_SEEN.mean)) / np.array(_SEEN.std)
_MEAN = _VALUES.mean(axis=(1, 2))
_RAW_MEAN = _PIXELS.mean(axis=(1, 2))


def encoder(model: ModelProto, **options: Any) -> OnnxEncoder:
    return OnnxEncoder("tiny", model.SerializeToString(), _SEEN, device="cpu", **options)


@pytest.mark.parametrize(
    ("model", "options", "expected", "tolerance"),
    [
        (models.mean_colour(), {}, _MEAN, 1e-5),
        (models.mean_colour(kind=models.HALF), {}, _MEAN, 1e-3),
        (models.mean_colour(["n", 3, 32, 32]), {}, _MEAN, 1e-5),
        (models.mean_colour([1, 3, 32, 32]), {}, _MEAN, 1e-5),  # picture by picture
        (models.mean_colour([1, 3, 32, 32], models.UINT8), {}, _RAW_MEAN, 1e-3),
        (models.channels_last(), {}, _RAW_MEAN, 1e-3),
        (models.channels_last([1, 32, 32, 3]), {}, _RAW_MEAN, 1e-3),
        (models.channels_last(kind=models.FLOAT), {}, _MEAN, 1e-5),
        (models.two_outputs(), {}, _MEAN, 1e-5),
        (models.two_outputs(), {"output": "twice"}, np.hstack([_MEAN, _MEAN]), 1e-5),
        (models.pooled_with_axes(), {}, _MEAN, 1e-5),
        (models.unpooled(), {"pooling": "mean"}, _MEAN, 1e-5),
        (models.tokens(32), {"pooling": "mean"}, _MEAN, 1e-5),
        (models.tokens(32), {"pooling": "cls"}, _VALUES[:, 0, 0], 1e-5),
        (models.corner(32), {}, _VALUES[:, 0, -1], 1e-5),
    ],
)
def test_a_model_sees_what_it_wants_and_its_output_is_pooled(
    model: ModelProto, options: dict[str, str], expected: np.ndarray[Any, Any], tolerance: float
) -> None:
    made = encoder(model, **options)
    assert made.dim == expected.shape[1]
    np.testing.assert_allclose(made.encode(_PIXELS), expected, atol=tolerance)
    check_encoder(made)


def test_what_is_chosen_is_part_of_the_fingerprint() -> None:
    prints = {
        encoder(model, **options).fingerprint
        for model, options in [
            (models.two_outputs(), {}),
            (models.two_outputs(), {"output": "twice"}),
            (models.tokens(32), {"pooling": "mean"}),
            (models.tokens(32), {"pooling": "cls"}),
            (models.mean_colour(), {}),
        ]
    }
    assert len(prints) == 5


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            models.mean_colour(["n", 3, 64, 64]),
            "crop is 32; expected 64: tiny takes only this size",
        ),
        (models.channels_last(["n", 48, 48, 3]), "crop is 32; expected 48"),
    ],
)
def test_a_model_of_one_size_refuses_another(model: ModelProto, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        encoder(model)


@pytest.mark.parametrize("model", [models.unpooled(), models.tokens(32)])
def test_an_output_with_more_axes_wants_a_pooling(model: ModelProto) -> None:
    with pytest.raises(EncoderOutputError, match=r"'none'.*set pooling = 'mean' or 'cls'"):
        encoder(model)
    with pytest.raises(ConfigError, match="pooling is 'max'; expected one of none, mean, cls"):
        encoder(model, pooling="max")


def test_an_output_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"output is 'logits'; .*of tiny: embedding, twice"):
        encoder(models.two_outputs(), output="logits")


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        (models.mean_colour(kind=models.INT64), r"pixels: tensor\(int64\) \['n', 3, 'h', 'w'\]"),
        (models.mean_colour([4, 3, 32, 32]), r"pixels: tensor\(float\) \[4, 3, 32, 32\]"),
        (
            models.model(
                [models.node("Flatten", "pixels", "embedding")],
                ["n", 3],
            ),
            r"pixels: tensor\(float\) \['n', 3\]",
        ),
        (
            models.model(
                [
                    models.node("Flatten", "pixels", "flat"),
                    models.node("Add", ["flat", "more"], "embedding"),
                ],
                ["n", 3, 1, 1],
                more=["n", 3],
            ),
            r"pixels: .*, more: tensor\(float\) \['n', 3\]",
        ),
    ],
)
def test_a_model_with_other_inputs_is_refused_with_what_it_takes(
    model: ModelProto, shown: str
) -> None:
    with pytest.raises(EncoderUnavailableError, match=shown) as caught:
        encoder(model)
    assert "one input of pixels, (n, 3, h, w) or (n, h, w, 3)" in caught.value.remedy


@pytest.mark.parametrize("as_bytes", [True, False])
def test_weights_in_a_second_file_are_refused_wherever_it_lies(
    tmp_path: Path, as_bytes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime would find them in the working folder, and no checksum would cover them."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.onnx"
    onnx.save_model(
        models.weighted(), path, save_as_external_data=True, location="data", size_threshold=0
    )
    assert (tmp_path / "data").stat().st_size == 48
    with pytest.raises(EncoderUnavailableError, match=r"complete ONNX file, in one part\?"):
        OnnxEncoder("tiny", path.read_bytes() if as_bytes else str(path), _SEEN, device="cpu")


def test_the_checksum_is_of_what_is_run(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(models.weighted().SerializeToString())
    from_path = OnnxEncoder("tiny", str(path), _SEEN, device="cpu")
    assert from_path.fingerprint == encoder(models.weighted()).fingerprint
    other = models.weighted()
    other.graph.initializer[0].raw_data = bytes(48)
    assert encoder(other).fingerprint != from_path.fingerprint


def test_a_model_that_fails_while_running_says_so(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    reshape = models.tokens(16)  # does not fit 32 by 32 pixels
    reshape.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "h"
    reshape.graph.input[0].type.tensor_type.shape.dim[3].dim_param = "w"
    reshape.graph.node[1].attribute[0].t.CopyFrom(
        onnx.helper.make_tensor("", models.INT64, [3], [7, 11, 13])
    )
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(EncoderOutputError, match=r"Runtime \(does the model accept pictures of"),
    ):
        encoder(reshape, pooling="mean")
    assert capfd.readouterr() == ("", "")
