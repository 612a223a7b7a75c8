"""The network with the arithmetic of the int8 file, in torch, with numbers that can be learnt.

Weights are int8 with one scale per output channel, activations uint8 with one scale per tensor.
Processors without VNNI add two products of a uint8 and an int8 in 16 bits (``vpmaddubsw``), which
saturates when the two weights are large and of one sign. ``bounds`` keeps any two weights of an
output channel at ``|w1| + |w2| <= 128``, so that 255 * 128 fits and no processor saturates,
whatever the order in which its kernel pairs the weights. Depthwise kernels widen first, so their
weights use all eight bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .network import PIXEL_SCALE, PIXEL_ZERO, Block, Layer, Network, convolve

PAIR = 128
STEPS = 255


def round_through(x: Tensor) -> Tensor:
    """Rounding whose gradient is that of the identity."""
    return x + (x.round() - x).detach()


class _Rounding(torch.autograd.Function):
    """Rounding to ``scale * (0..255 - zero)``, with the gradients of LSQ, in few passes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
        step, origin = float(scale), float(zero.clamp(0, STEPS).round())
        y = x * (1.0 / step)
        y.round_().clamp_(-origin, STEPS - origin).mul_(step)
        ctx.save_for_backward(x, y)
        ctx.numbers = step, origin
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        (gradient,) = gradients
        x, y = ctx.saved_tensors
        step, origin = ctx.numbers
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        inside = torch.empty_like(gradient)
        torch.mul(gradient, (x >= -origin * step) & (x <= (STEPS - origin) * step), out=inside)
        along = _dot(gradient, y) - _dot(inside, x)
        outside = gradient.sum() - inside.sum()
        return inside, along / step, outside * -step


def _dot(a: Tensor, b: Tensor) -> Tensor:
    rows = [t.permute(0, 2, 3, 1).reshape(-1) for t in (a, b)]
    return torch.dot(*rows)


@dataclass(frozen=True)
class Activation:
    """The quantisation of a tensor of activations, as the ONNX file holds it."""

    scale: np.float32
    zero: np.uint8


@dataclass(frozen=True)
class Convolution:
    """A quantised convolution, as the ONNX file holds it."""

    layer: Layer
    weight: NDArray[np.int8]
    weight_scale: NDArray[np.float32]
    bias: NDArray[np.int32]


def bounds(weight: Tensor) -> Tensor:
    """The largest magnitude that each (rounded) weight of (out, k) may have: see above."""
    limit = torch.full_like(weight, PAIR / 2)
    for sign in (1.0, -1.0):
        side = weight * sign
        if side.shape[1] < 2:
            continue
        top, where = side.topk(2, dim=1)
        second = top[:, 1].round().clamp(0, PAIR / 2)
        largest = (PAIR - second).clamp(max=127.0)
        largest = torch.where(top[:, 0] > 0, largest, PAIR / 2)
        limit.scatter_(
            1, where[:, :1], torch.maximum(largest[:, None], limit.gather(1, where[:, :1]))
        )
    return limit


class QuantisedActivation(nn.Module):
    """Rounds to 256 values between two learnt ends; ReLU6 is part of the rounding."""

    def __init__(self, low: float, high: float, relu6: bool) -> None:
        super().__init__()
        self.relu6 = relu6
        low, high = (0.0, min(high, 6.0)) if relu6 else (min(low, 0.0), max(high, 0.0))
        scale = max(high - low, 1e-3) / STEPS
        self.log_scale = nn.Parameter(torch.tensor(scale, dtype=torch.float32).log())
        self.zero = nn.Parameter(torch.tensor(-low / scale), requires_grad=not relu6)

    def scale(self) -> Tensor:
        """The step; of a ReLU6 never so large that 255 steps would pass 6."""
        scale = self.log_scale.exp()
        return scale.clamp(max=6.0 / STEPS) if self.relu6 else scale

    def forward(self, x: Tensor) -> Tensor:
        """The values that the uint8 tensor stands for; gradients as in LSQ."""
        y: Tensor = _Rounding.apply(x, self.scale(), self.zero)  # type: ignore[no-untyped-call]
        return y

    def numbers(self) -> Activation:
        """What is written into the file."""
        zero = int(self.zero.detach().clamp(0, STEPS).round())
        return Activation(np.float32(self.scale().item()), np.uint8(zero))


class QuantisedConvolution(nn.Module):
    """A convolution on rounded weights; the weights are kept in units of their first step."""

    def __init__(self, layer: Layer, scale: Tensor) -> None:
        super().__init__()
        self.layer = layer
        self.unit = scale.clone()
        self.steps = nn.Parameter(layer.weight.flatten(1) / scale[:, None])
        self.log_scale = nn.Parameter(torch.zeros(len(scale)))
        self.bias_unit = 1.0
        self.bias = nn.Parameter(layer.bias.clone())

    def scale_bias(self, unit: float) -> None:
        """Keeps the bias in units of the step of the output, so that one rate suits all."""
        self.bias_unit = unit
        self.bias.data = self.layer.bias / unit

    def rounded(self) -> Tensor:
        """The integer weights, (out, k), with the gradient of unrounded ones."""
        if self.layer.depthwise:
            return round_through(self.steps).clamp(-127, 127)
        limit = bounds(self.steps.detach())
        return torch.minimum(torch.maximum(round_through(self.steps), -limit), limit)

    def weight_scale(self) -> Tensor:
        """One step per output channel."""
        return self.unit * self.log_scale.exp()

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of dequantised values."""
        weight = (self.rounded() * self.weight_scale()[:, None]).view_as(self.layer.weight)
        return convolve(self.layer, x, weight, self.bias * self.bias_unit)

    def numbers(self, input_scale: np.float32) -> Convolution:
        """What is written into the file."""
        scale = self.weight_scale().detach().numpy()
        steps = self.rounded().detach().numpy().astype(np.int8)
        bias = (self.bias * self.bias_unit).detach().numpy().astype(np.float64)
        whole = np.rint(bias / (np.float64(input_scale) * scale))
        return Convolution(
            self.layer,
            steps.reshape(self.layer.weight.shape),
            scale,
            np.clip(whole, -(2**31), 2**31 - 1).astype(np.int32),
        )


class QuantisedBlock(nn.Module):
    """The layers of a block, each followed by its rounding, then the rounded sum."""

    def __init__(self, block: Block, ranges: dict[str, tuple[float, float]]) -> None:
        super().__init__()
        self.block = block
        self.convolutions = nn.ModuleList(
            QuantisedConvolution(layer, first_scale(layer)) for layer in block.layers
        )
        self.activations = nn.ModuleList(
            QuantisedActivation(*ranges[layer.name], layer.relu6) for layer in block.layers
        )
        self.sum = QuantisedActivation(*ranges[block.name], relu6=False) if block.residual else None
        for convolution, activation in self.pairs():
            convolution.scale_bias(activation.scale().item())

    def pairs(self) -> list[tuple[QuantisedConvolution, QuantisedActivation]]:
        """Every convolution with the rounding that follows it."""
        pairs: list[tuple[QuantisedConvolution, QuantisedActivation]] = []
        for convolution, activation in zip(self.convolutions, self.activations, strict=True):
            assert isinstance(convolution, QuantisedConvolution)
            assert isinstance(activation, QuantisedActivation)
            pairs.append((convolution, activation))
        return pairs

    def forward(self, x: Tensor) -> Tensor:
        """The block on values that are already rounded."""
        start = x
        for convolution, activation in self.pairs():
            x = activation(convolution(x))
        return self.sum(x + start) if self.sum is not None else x


class QuantisedNetwork(nn.Module):
    """The whole extractor; the input is normalised pixels, which are uint8 already."""

    def __init__(self, network: Network, ranges: dict[str, tuple[float, float]]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(QuantisedBlock(block, ranges) for block in network.blocks)

    def parts(self) -> list[QuantisedBlock]:
        """The blocks, in order."""
        return [block for block in self.blocks if isinstance(block, QuantisedBlock)]

    def forward(self, x: Tensor) -> list[Tensor]:
        """The output of every block, as ``network.features`` gives them."""
        outputs = []
        for block in self.parts():
            x = block(x)
            outputs.append(x)
        return outputs


def input_numbers() -> Activation:
    """The pixels as they come: (pixel - 127) / 128."""
    return Activation(np.float32(PIXEL_SCALE), np.uint8(PIXEL_ZERO))


def first_scale(layer: Layer) -> Tensor:
    """Per output channel, the step of least squared error among clipped and unclipped ones."""
    weight = layer.weight.flatten(1)
    largest = weight.abs().amax(1).clamp(min=1e-8)
    unclipped = largest / 127 if layer.depthwise else _pair_scale(weight)
    best, least = unclipped.clone(), torch.full_like(unclipped, torch.inf)
    for ratio in np.linspace(1.0, 0.4, 61):
        scale = unclipped * float(ratio)
        steps = weight / scale[:, None]
        if layer.depthwise:
            rounded = steps.round().clamp(-127, 127)
        else:
            limit = bounds(steps)
            rounded = torch.minimum(torch.maximum(steps.round(), -limit), limit)
        error = (rounded * scale[:, None] - weight).square().sum(1)
        best = torch.where(error < least, scale, best)
        least = torch.minimum(error, least)
    return best


def _pair_scale(weight: Tensor) -> Tensor:
    pairs = [side.topk(2, dim=1).values.clamp(min=0) for side in (weight, -weight)]
    sums = torch.stack([pair.sum(1) for pair in pairs]).amax(0)
    return torch.maximum(sums / PAIR, weight.abs().amax(1) / 127).clamp(min=1e-8)
