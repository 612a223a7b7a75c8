"""ResNets with random weights, and their forward pass in plain NumPy, to hold the encoders against.

Written from the paper and torchvision's names, without a look at ``encoders/resnet.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

Weights = dict[str, NDArray[Any]]
Values = NDArray[np.float64]

BLOCKS = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}
_DEEP = {"resnet50", "resnet101", "resnet152"}  # three convolutions a block, and four times as wide


def shapes(name: str, classes: int = 1000) -> dict[str, tuple[int, ...]]:
    """Every tensor of torchvision's network, in its order; the classifier too."""
    found: dict[str, tuple[int, ...]] = {}

    def convolution(conv: str, norm: str, outputs: int, inputs: int, side: int) -> None:
        found[f"{conv}.weight"] = (outputs, inputs, side, side)
        for part in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{part}"] = (outputs,)
        found[f"{norm}.num_batches_tracked"] = ()

    convolution("conv1", "bn1", 64, 3, 7)
    inputs = 64
    for stage, count in enumerate(BLOCKS[name]):
        width = 64 << stage
        outputs = 4 * width if name in _DEEP else width
        for block in range(count):
            prefix = f"layer{stage + 1}.{block}"
            plan = [(width, 1), (width, 3), (outputs, 1)] if name in _DEEP else [(width, 3)] * 2
            last = inputs
            for number, (channels, side) in enumerate(plan, 1):
                convolution(f"{prefix}.conv{number}", f"{prefix}.bn{number}", channels, last, side)
                last = channels
            if block == 0 and (stage > 0 or outputs != inputs):
                convolution(f"{prefix}.downsample.0", f"{prefix}.downsample.1", outputs, inputs, 1)
            inputs = outputs
    found["fc.weight"], found["fc.bias"] = (classes, inputs), (classes,)
    return found


def random_weights(name: str, seed: int = 0, classes: int = 1000) -> Weights:
    """float32 weights whose statistics are as uneven as those of trained networks.

    Values neither grow nor vanish on their way through the network.
    """
    rng = np.random.default_rng(seed)
    weights: Weights = {}
    spread: Values = np.ones(1)
    for key, shape in shapes(name, classes).items():
        if key.endswith("num_batches_tracked"):
            weights[key] = np.array(1000)
            continue
        values: NDArray[Any] = rng.standard_normal(shape, dtype=np.float32)
        if len(shape) > 1:
            values *= np.float32(np.sqrt(2 / np.prod(shape[1:])))
            spread = 10 ** rng.uniform(-2, 0, shape[0])  # of the channels that come out
        elif "running_var" in key:
            values = spread
        elif "running_mean" in key:
            values *= 0.2
        elif key.endswith("weight"):
            residual = 0.3 if key.split(".")[-2] == _last_norm(name) else 1.0
            values = residual * np.sqrt(spread) * rng.uniform(0.6, 1.4, shape)
        else:
            values *= 0.2
        weights[key] = np.asarray(values, dtype=np.float32)
    return weights


def _last_norm(name: str) -> str:
    return "bn3" if name in _DEEP else "bn2"


def forward(weights: Weights, images: NDArray[Any]) -> Values:
    """The features before the classifier, ``(n, dim)``, of ``(n, 3, h, w)`` normalised values."""
    values = _relu(_convolved(weights, "conv1", "bn1", np.asarray(images, np.float64), 2))
    values = _max_pooled(values)
    for stage in (1, 2, 3, 4):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in weights:
            values = _block(weights, f"layer{stage}.{block}", values, 2 if stage > 1 > block else 1)
            block += 1
    return np.asarray(values.mean(axis=(2, 3)))


def _block(weights: Weights, prefix: str, values: Values, stride: int) -> Values:
    deep = f"{prefix}.conv3.weight" in weights
    steps = (1, stride, 1) if deep else (stride, 1)  # torchvision's: in the 3 by 3 convolution
    last = values
    for number, step in enumerate(steps, 1):
        last = _convolved(weights, f"{prefix}.conv{number}", f"{prefix}.bn{number}", last, step)
        if number < len(steps):
            last = _relu(last)
    if f"{prefix}.downsample.0.weight" in weights:
        conv, norm = f"{prefix}.downsample.0", f"{prefix}.downsample.1"
        values = _convolved(weights, conv, norm, values, stride)
    return _relu(last + values)


def _convolved(weights: Weights, conv: str, norm: str, values: Values, stride: int) -> Values:
    kernel = weights[f"{conv}.weight"].astype(np.float64)
    side = kernel.shape[2]
    edge = side // 2
    padded = np.pad(values, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    windows = sliding_window_view(padded, (side, side), axis=(2, 3))[:, :, ::stride, ::stride]
    found = np.tensordot(windows, kernel, axes=((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    gamma, beta, mean, variance = (
        weights[f"{norm}.{part}"].astype(np.float64)[:, None, None]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    return np.asarray((found - mean) / np.sqrt(variance + 1e-5) * gamma + beta)


def _relu(values: Values) -> Values:
    return np.maximum(values, 0)


def _max_pooled(values: Values) -> Values:
    padded = np.pad(values, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    windows = sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    return np.asarray(windows.max(axis=(4, 5)))


def recipe_pixels(image: Image.Image, resize: int = 256, crop: int = 224) -> NDArray[np.uint8]:
    """Resize the short side, bilinear, and cut the centre, with Pillow alone."""
    width, height = image.size
    short = min(width, height)
    image = image.resize(
        (resize * width // short, resize * height // short), Image.Resampling.BILINEAR
    )
    left, top = round((image.width - crop) / 2), round((image.height - crop) / 2)
    return np.asarray(image.crop((left, top, left + crop, top + crop)))


def recipe_values(pixels: NDArray[np.uint8]) -> Values:
    """``(n, 3, h, w)`` with ImageNet's mean and deviation, of ``(n, h, w, 3)`` pixels."""
    values = pixels / 255.0
    values = (values - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    return np.asarray(values.transpose(0, 3, 1, 2))
