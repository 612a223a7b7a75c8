"""Calibration and tuning: the int8 network learns to give the vectors of the float network.

The student starts from rounded weights and measured ranges. It sees random altered views and is
corrected by the distance of its embedding (and, weakly, of every block's output) from that of the
float network on the same view. No labels, no pictures but those of ``pictures.py``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .network import Network, convolve, features, normalise
from .pictures import view_batch
from .quantised import QuantisedActivation, QuantisedConvolution, QuantisedNetwork

SAMPLE = 1 << 20


@dataclass(frozen=True)
class Recipe:
    """How long and how fast the student learns."""

    steps: int
    batch: int = 16
    window: int = 128
    """The side of the part of a view that is learnt from: a third of the work of the whole."""
    weight_rate: float = 0.004
    scale_rate: float = 2e-4
    block_weight: float = 0.1
    seed: int = 20240501


def measure_ranges(
    network: Network, pictures: list[Image.Image], seed: int, batches: int = 8, tail: float = 1e-4
) -> dict[str, tuple[float, float]]:
    """Per tensor, the ends between which all but a ``tail`` of the values on each side lie."""
    ends: dict[str, list[tuple[float, float]]] = {}

    def see(name: str, x: Tensor) -> None:
        flat = x.flatten()
        flat = flat[:: max(1, flat.numel() // SAMPLE)]
        low, high = torch.quantile(flat[:SAMPLE], torch.tensor([tail, 1 - tail])).tolist()
        ends.setdefault(name, []).append((low, high))

    with torch.no_grad():
        for batch in range(batches):
            x = normalise(torch.from_numpy(view_batch(pictures, 16, seed + batch)))
            for block in network.blocks:
                start = x
                for layer in block.layers:
                    x = convolve(layer, x, layer.weight, layer.bias)
                    x = x.clamp(0.0, 6.0) if layer.relu6 else x
                    see(layer.name, x)
                if block.residual:
                    x = x + start
                    see(block.name, x)
    return {name: (min(p[0] for p in e), max(p[1] for p in e)) for name, e in ends.items()}


def correct_biases(
    student: QuantisedNetwork, network: Network, pictures: list[Image.Image], seed: int
) -> None:
    """Layer by layer, shifts every channel so that its mean is that of the float network."""
    theirs = ours = normalise(torch.from_numpy(view_batch(pictures, 36, seed)))
    with torch.no_grad():
        for block, part in zip(network.blocks, student.parts(), strict=True):
            start, our_start = theirs, ours
            for layer, (convolution, activation) in zip(block.layers, part.pairs(), strict=True):
                theirs = convolve(layer, theirs, layer.weight, layer.bias)
                ours = convolution(ours)
                shift = theirs.mean((0, 2, 3)) - ours.mean((0, 2, 3))
                convolution.bias.add_(shift / convolution.bias_unit)
                ours = activation(ours + shift[:, None, None])
                theirs = theirs.clamp(0.0, 6.0) if layer.relu6 else theirs
            if part.sum is not None:
                theirs = theirs + start
                ours = part.sum(ours + our_start)


def embedding_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared distance in units of the teacher's norm: direction and length."""
    return ((student - teacher).square().sum(1) / teacher.square().sum(1)).mean()


def distance(student: list[Tensor], teacher: list[Tensor], block_weight: float) -> Tensor:
    """What is made small: the embedding's distance and a little of every block's."""
    loss = embedding_loss(student[-1].mean((2, 3)), teacher[-1].mean((2, 3)))
    for ours, theirs in zip(student, teacher, strict=True):
        variance = (theirs - theirs.mean((0, 2, 3), keepdim=True)).square().mean()
        loss = loss + block_weight / len(teacher) * (ours - theirs).square().mean() / variance
    return loss


def tune(
    student: QuantisedNetwork,
    network: Network,
    pictures: list[Image.Image],
    recipe: Recipe,
    say: Callable[[str], None],
) -> None:
    """Runs the recipe; the student is changed in place."""
    weights, scales = _parameters(student)
    optimiser = torch.optim.Adam(
        [
            {"params": weights, "lr": recipe.weight_rate},
            {"params": scales, "lr": recipe.scale_rate},
        ]
    )
    rates = [group["lr"] for group in optimiser.param_groups]
    began, mean = time.monotonic(), 0.0
    for step in range(recipe.steps):
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * _schedule(step / recipe.steps)
        x = _window(pictures, recipe, recipe.seed + 1000 + step)
        with torch.no_grad():
            teacher = features(network, x)
        loss = distance(student(x), teacher, recipe.block_weight)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        mean = loss.item() if step == 0 else 0.95 * mean + 0.05 * loss.item()
        if (step + 1) % 25 == 0:
            say(f"step {step + 1}/{recipe.steps}: {mean:.4f}, {time.monotonic() - began:.0f} s")


def _window(pictures: list[Image.Image], recipe: Recipe, seed: int) -> Tensor:
    pixels = view_batch(pictures, recipe.batch, seed)
    room = pixels.shape[1] - recipe.window
    y, x = np.random.default_rng(seed).integers(0, room + 1, 2)
    part = pixels[:, y : y + recipe.window, x : x + recipe.window]
    tensor = normalise(torch.from_numpy(np.ascontiguousarray(part)))
    return tensor.contiguous(memory_format=torch.channels_last)


def _schedule(done: float) -> float:
    warm = min(1.0, done / 0.03)
    return warm * 0.5 * (1 + math.cos(math.pi * done))


def _parameters(student: QuantisedNetwork) -> tuple[list[Tensor], list[Tensor]]:
    weights: list[Tensor] = []
    scales: list[Tensor] = []
    for module in student.modules():
        if isinstance(module, QuantisedConvolution):
            weights += [module.steps, module.bias]
            scales.append(module.log_scale)
        elif isinstance(module, QuantisedActivation):
            scales.append(module.log_scale)
            if not module.relu6:
                weights.append(module.zero)
    return weights, scales


def agreement(
    student: QuantisedNetwork, network: Network, pictures: list[Image.Image], seed: int
) -> tuple[float, float]:
    """Mean and least cosine of student and teacher on 64 views of another seed."""
    cosines = []
    with torch.no_grad():
        for batch in range(4):
            x = normalise(torch.from_numpy(view_batch(pictures, 16, seed + batch)))
            ours = student(x)[-1].mean((2, 3))
            theirs = features(network, x)[-1].mean((2, 3))
            cosines.append(torch.nn.functional.cosine_similarity(ours, theirs))
    every = torch.cat(cosines)
    return float(every.mean()), float(every.min())
