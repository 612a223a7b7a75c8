"""Torch modules as encoders. Run with ``make test-torch``; elsewhere most of it is skipped."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_similarity_search import EncoderSpec, Preprocessing, TorchEncoder, create_encoder
from image_similarity_search.encoders.torch_module import preprocessing_of
from image_similarity_search.errors import (
    ConfigError,
    EncoderOutputError,
    EncoderUnavailableError,
)
from image_similarity_search.testing import check_encoder

_INSTALLED = importlib.util.find_spec("torch") is not None
with_torch = pytest.mark.skipif(not _INSTALLED, reason="torch is not installed")
without_torch = pytest.mark.skipif(_INSTALLED, reason="torch is installed")
_SEEN = Preprocessing(36, 32, "bilinear", (0.5, 0.25, 0.125), (0.5, 0.25, 2.0))
_PIXELS = np.random.default_rng(3).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


def small_network(seed: int = 0, dim: int = 8) -> Any:
    """A network with what trained ones have: normalisation with statistics, dropout, a buffer."""
    import torch

    torch.manual_seed(seed)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, dim, 5, stride=3),
        torch.nn.BatchNorm2d(dim),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.5),
        torch.nn.AdaptiveAvgPool2d(1),
    )
    network[1].running_mean.uniform_(-1, 1)
    network[1].running_var.uniform_(0.5, 2)
    return network


def encoder(module: Any, **options: Any) -> TorchEncoder:
    return TorchEncoder(module, _SEEN, name="small", **{"device": "cpu", **options})


@without_torch
@pytest.mark.parametrize("make", [lambda: encoder(None), lambda: create_encoder("timm:resnet18")])
def test_without_torch_the_install_line_is_said(make: Any) -> None:
    with pytest.raises(EncoderUnavailableError) as caught:
        make()
    assert "can't be imported" in caught.value.problem
    assert "pip install 'image-similarity-search[torch]'" in caught.value.remedy


@pytest.mark.parametrize(
    ("said", "fit"),
    [
        ({"crop_pct": 1.0, "crop_mode": "squash"}, "stretch"),
        ({"crop_pct": 1.0, "crop_mode": "center"}, "crop"),
        ({"crop_pct": 0.9, "crop_mode": "squash"}, "crop"),  # which can't be said here
    ],
)
def test_a_network_of_timm_that_squashes_sees_the_whole_picture(
    said: dict[str, Any], fit: str
) -> None:
    channels = (0.5, 0.5, 0.5)
    made = preprocessing_of(
        {"input_size": (3, 336, 336), "mean": channels, "std": channels, **said}
    )
    assert made.fit == fit


@with_torch
def test_a_module_is_an_encoder() -> None:
    made = encoder(small_network().train())
    check_encoder(made)
    assert (made.name, made.dim, made.device) == ("small", 8, "cpu")
    assert made.spec == EncoderSpec(resize=36, crop=32, interpolation="bilinear", fit="crop")


@with_torch
def test_it_sees_normalised_pixels_channels_first() -> None:
    import torch

    made = encoder(torch.nn.Flatten())
    values = (_PIXELS / 255 - np.array(_SEEN.mean)) / np.array(_SEEN.std)
    expected: NDArray[Any] = values.transpose(0, 3, 1, 2).reshape(5, -1)
    np.testing.assert_allclose(made.encode(_PIXELS), expected, atol=1e-5)


@with_torch
def test_the_fingerprint_is_that_of_the_weights() -> None:
    usual = encoder(small_network()).fingerprint
    assert encoder(small_network()).fingerprint == usual
    changed, counted = small_network(), small_network()
    changed[0].bias.data[3] += 1e-6
    counted[1].num_batches_tracked += 1
    prints = {
        usual,
        encoder(changed).fingerprint,
        encoder(counted).fingerprint,
        encoder(small_network(seed=1)).fingerprint,
        encoder(small_network(), fingerprint="mine-1").fingerprint,
        TorchEncoder(small_network(), _SEEN, name="other").fingerprint,
        TorchEncoder(small_network(), Preprocessing(36, 32), name="small").fingerprint,
    }
    assert len(prints) == 7


@with_torch
@pytest.mark.parametrize("kind", ["bfloat16", "float16", "int64", "bool", "uint8"])
def test_weights_of_any_type_and_shape_are_digested(kind: str) -> None:
    import torch

    def digest(value: Any) -> str:
        module = torch.nn.Flatten()
        module.register_buffer("more", value)
        return encoder(module).fingerprint

    one = torch.ones(2, 3).to(getattr(torch, kind))
    prints = {digest(value) for value in (one, one[0], one[0, 0], one[:0], one.T, torch.ones(2, 3))}
    assert len(prints) == 6
    other = one.clone()
    other[1, 2] = 0
    assert digest(other) not in prints
    assert digest(one.T.contiguous().T) == digest(one)
    assert digest(torch.zeros(4, dtype=torch.int8)) != digest(torch.zeros(4, dtype=torch.uint8))


def _outputs(kind: str) -> Any:
    """What a module gives for a batch of float32 pixels."""
    import torch

    made: dict[str, Any] = {
        "axes of length 1": lambda x: x.mean((2, 3), keepdim=True),
        "half precision": lambda x: x.mean((2, 3)).half(),
        "unpooled": lambda x: x,
        "tokens": lambda x: x.flatten(2).transpose(1, 2),
        "a tuple": lambda x: (x.mean((2, 3)),),
        "a number": lambda x: x.sum(),
        "one row": lambda x: x.mean((0, 2, 3)),
        "one row of a batch": lambda x: x.mean((0, 2, 3), keepdim=True),
        "nothing": lambda x: x[:, :0].mean((2, 3)),
        "an error": lambda x: x @ torch.ones(7),
        "a list of numbers": lambda x: x.mean((2, 3)).tolist(),
        "as many as pictures": lambda x: torch.ones(len(x), 2 + len(x)),
    }

    class Module(torch.nn.Module):  # type: ignore[misc] # torch may not be installed
        def forward(self, batch: Any) -> Any:
            return made[kind](batch)

    return Module()


@with_torch
@pytest.mark.parametrize("kind", ["axes of length 1", "half precision"])
def test_an_output_that_is_one_row_for_each_picture_serves(kind: str) -> None:
    made = encoder(_outputs(kind))
    assert made.encode(_PIXELS).dtype == np.float32
    expected = encoder(_outputs("axes of length 1")).encode(_PIXELS)
    np.testing.assert_allclose(made.encode(_PIXELS), expected, atol=1e-3)


@with_torch
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("unpooled", r"shape \(1, 3, 32, 32\), expected \(n, dim\): pool it in the module"),
        ("tokens", r"shape \(1, 1024, 3\), expected"),
        ("a tuple", "a tuple, expected a tensor"),
        ("a list of numbers", "a list, expected a tensor"),
        ("a number", r"shape \(\), expected"),
        ("one row", r"shape \(3,\), expected"),
        ("one row of a batch", r"shape \(1, 3, 1, 1\), expected"),
        ("nothing", "a Tensor, expected a tensor"),
        ("an error", "an error of its module"),
        ("as many as pictures", "7 values, expected 3"),
    ],
)
def test_any_other_output_is_refused(kind: str, message: str) -> None:
    with pytest.raises(EncoderOutputError, match=rf"encoder 'small' returned {message}"):
        encoder(_outputs(kind)).encode(_PIXELS)


@with_torch
def test_it_runs_where_it_is_told_to() -> None:
    import torch

    with pytest.raises(ConfigError, match="device is 'gpu'; expected one of auto, cpu, cuda"):
        encoder(small_network(), device="gpu")
    assert encoder(small_network(), device="auto").device in ("cpu", "cuda")
    if torch.cuda.is_available():
        gpu = encoder(small_network(), device="cuda")
        assert gpu.device == "cuda"
        np.testing.assert_allclose(
            gpu.encode(_PIXELS), encoder(small_network()).encode(_PIXELS), atol=1e-2
        )
        return
    with pytest.raises(EncoderUnavailableError, match="torch finds no GPU") as caught:
        encoder(small_network(), device="cuda")
    assert "--device cpu" in caught.value.remedy
