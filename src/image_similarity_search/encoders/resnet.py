"""ResNets without their classifier, as ONNX models made from weights.

The networks of He et al., "Deep Residual Learning for Image Recognition" (2015), with the stride
in the 3 by 3 convolution, as torchvision has them ("v1.5"); the weights go by torchvision's
names, which timm has too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ValueInfoProto

_EPSILON = 1e-5  # of torchvision's batch normalisation
_OPSET = 17
_IR_VERSION = 8  # what goes with that opset: runtimes of any age read it
_ARITHMETIC = b"1"  # another number when the same weights give other embeddings, to the last bit


@dataclass(frozen=True, slots=True)
class Architecture:
    """Blocks in each of the four stages; three convolutions a block, or two."""

    blocks: tuple[int, int, int, int]
    bottleneck: bool

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return 2048 if self.bottleneck else 512


ARCHITECTURES = {
    "resnet18": Architecture((2, 2, 2, 2), bottleneck=False),
    "resnet34": Architecture((3, 4, 6, 3), bottleneck=False),
    "resnet50": Architecture((3, 4, 6, 3), bottleneck=True),
    "resnet101": Architecture((3, 4, 23, 3), bottleneck=True),
    "resnet152": Architecture((3, 8, 36, 3), bottleneck=True),
}


def resnet_model(architecture: Architecture, tensors: dict[str, NDArray[Any]]) -> tuple[bytes, str]:
    """The ONNX model ``(n, 3, h, w)`` float32 to ``(n, dim)``, and a digest of its weights.

    Equal weights have equal digests, from whatever kind of file they come. They are taken out
    of ``tensors`` one by one, so that memory holds them once.

    Raises:
        ValueError: ``tensors`` are not the weights of this network; says which is wrong.
    """
    graph = _Graph(tensors)
    last = _add_network(graph, architecture)
    return graph.finished(last, architecture.dim), graph.digest.hexdigest()


class _Graph:
    """An ONNX graph that grows, node by node."""

    def __init__(self, tensors: dict[str, NDArray[Any]]) -> None:
        from onnx import ModelProto

        self._tensors = tensors
        self._model = ModelProto()  # filled in place: the helpers of onnx copy what they are given
        self.digest = hashlib.sha256(_ARITHMETIC)

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        from onnx import helper

        nodes = self._model.graph.node
        name = f"{kind.lower()}_{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def convolution(
        self, source: str, conv: str, norm: str, shape: tuple[int, int, int, int], stride: int
    ) -> str:
        """A convolution with the batch normalisation behind it worked into its weights.

        ``shape`` is that of the weights: channels, channels of the source, height and width.
        """
        channels, _, _, side = shape
        weight = self._tensor(f"{conv}.weight", shape)
        gamma, beta, mean, variance = (
            self._tensor(f"{norm}.{part}", (channels,)).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        with np.errstate(over="ignore", invalid="ignore"):  # the constants are looked at
            scale = gamma / np.sqrt(variance + _EPSILON)
            folded = weight * scale[:, None, None, None].astype(np.float32)
            bias = (beta - mean * scale).astype(np.float32)
        constants = [self._constant(f"{conv}.folded", folded), self._constant(f"{norm}.bias", bias)]
        return self.add(
            "Conv",
            [source, *constants],
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[side // 2] * 4,
        )

    def finished(self, last: str, dim: int) -> bytes:
        """The model, whose output is that of the node ``last``.

        Raises:
            ValueError: there are weights left, so the network is another.
        """
        from onnx import helper

        for name in self._tensors:
            if name.startswith("layer") and not name.endswith(".num_batches_tracked"):
                raise ValueError(f"there is a tensor {name}, which this network does not have")
        self.add("Identity", [last])
        model = self._model
        model.graph.node[-1].output[0] = "embedding"
        model.graph.name = "resnet"
        model.graph.input.append(_floats("pixels", ["n", 3, "h", "w"]))
        model.graph.output.append(_floats("embedding", ["n", dim]))
        model.opset_import.append(helper.make_opsetid("", _OPSET))
        model.ir_version = _IR_VERSION
        return bytes(model.SerializeToString())

    def _tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        if name not in self._tensors:
            raise ValueError(f"there is no tensor {name}")
        given = self._tensors.pop(name)
        if given.shape != shape:
            raise ValueError(f"{name} has the shape {given.shape}, expected {shape}")
        with np.errstate(over="ignore"):
            tensor = np.ascontiguousarray(given, dtype="<f4")
        if not np.isfinite(tensor).all():
            raise ValueError(f"{name} has values that are not finite")
        self.digest.update(name.encode())
        self.digest.update(tensor.tobytes())
        return tensor

    def _constant(self, name: str, values: NDArray[np.float32]) -> str:
        from onnx import TensorProto

        if not np.isfinite(values).all():
            raise ValueError(f"{name} comes out with values that are not finite")
        constant = self._model.graph.initializer.add()
        constant.name = name
        constant.data_type = TensorProto.FLOAT
        constant.dims.extend(values.shape)
        constant.raw_data = values.astype("<f4", copy=False).tobytes()
        return name


def _floats(name: str, shape: list[str | int]) -> ValueInfoProto:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _add_network(graph: _Graph, architecture: Architecture) -> str:
    last = graph.convolution("pixels", "conv1", "bn1", (64, 3, 7, 7), stride=2)
    last = graph.add("Relu", [last])
    last = graph.add("MaxPool", [last], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = 64
    for stage, blocks in enumerate(architecture.blocks, 1):
        width = 64 * 2 ** (stage - 1)
        for number in range(blocks):
            stride = 2 if stage > 1 and number == 0 else 1
            plan = _bottleneck(width, stride) if architecture.bottleneck else _basic(width, stride)
            last = _add_block(graph, last, f"layer{stage}.{number}", channels, plan)
            channels = plan[-1].channels
    return graph.add("Flatten", [graph.add("GlobalAveragePool", [last])])


class _Step(NamedTuple):
    """A convolution of a block."""

    channels: int
    side: int
    stride: int


def _bottleneck(width: int, stride: int) -> list[_Step]:
    return [_Step(width, 1, 1), _Step(width, 3, stride), _Step(4 * width, 1, 1)]


def _basic(width: int, stride: int) -> list[_Step]:
    return [_Step(width, 3, stride), _Step(width, 3, 1)]


def _add_block(graph: _Graph, source: str, prefix: str, inputs: int, plan: list[_Step]) -> str:
    last, channels = source, inputs
    for number, step in enumerate(plan, 1):
        conv, norm = f"{prefix}.conv{number}", f"{prefix}.bn{number}"
        shape = (step.channels, channels, step.side, step.side)
        last = graph.convolution(last, conv, norm, shape, step.stride)
        channels = step.channels
        if number < len(plan):
            last = graph.add("Relu", [last])
    stride = max(step.stride for step in plan)
    if stride > 1 or channels != inputs:
        conv, norm = f"{prefix}.downsample.0", f"{prefix}.downsample.1"
        source = graph.convolution(source, conv, norm, (channels, inputs, 1, 1), stride)
    return graph.add("Relu", [graph.add("Add", [last, source])])
