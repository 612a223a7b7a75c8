"""ResNets without their classifier, as ONNX models made from weights.

The networks of He et al., "Deep Residual Learning for Image Recognition" (2015), with the stride
in the 3 by 3 convolution, as torchvision has them ("v1.5"); the weights go by torchvision's
names, which timm has too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

    def convolution(self, source: str, conv: str, norm: str, channels: int, stride: int) -> str:
        """A convolution with the batch normalisation behind it worked into its weights."""
        weight = self._tensor(f"{conv}.weight", ndim=4)
        if weight.shape[0] != channels:
            raise ValueError(f"{conv}.weight has {weight.shape[0]} channels, expected {channels}")
        side = weight.shape[2]
        gamma, beta, mean, variance = (
            self._tensor(f"{norm}.{part}", ndim=1, length=channels).astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        constants = [
            self._constant(
                f"{conv}.folded", weight * scale[:, None, None, None].astype(np.float32)
            ),
            self._constant(f"{conv}.bias", (beta - mean * scale).astype(np.float32)),
        ]
        return self.add(
            "Conv",
            [source, *constants],
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[side // 2] * 4,
        )

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return name in self._tensors

    def finished(self, last: str, dim: int) -> bytes:
        """The model, whose output is that of the node ``last``."""
        from onnx import helper

        self.add("Identity", [last])
        model = self._model
        model.graph.node[-1].output[0] = "embedding"
        model.graph.name = "resnet"
        model.graph.input.append(_floats("pixels", ["n", 3, "h", "w"]))
        model.graph.output.append(_floats("embedding", ["n", dim]))
        model.opset_import.append(helper.make_opsetid("", _OPSET))
        model.ir_version = _IR_VERSION
        return bytes(model.SerializeToString())

    def _tensor(self, name: str, ndim: int, length: int | None = None) -> NDArray[np.float32]:
        if name not in self._tensors:
            raise ValueError(f"there is no tensor {name}")
        tensor = np.ascontiguousarray(self._tensors.pop(name), dtype="<f4")
        if tensor.ndim != ndim or (length is not None and len(tensor) != length):
            raise ValueError(f"{name} has the shape {tensor.shape}")
        if not np.isfinite(tensor).all():
            raise ValueError(f"{name} has values that are not finite")
        self.digest.update(name.encode())
        self.digest.update(tensor.tobytes())
        return tensor

    def _constant(self, name: str, values: NDArray[np.float32]) -> str:
        from onnx import TensorProto

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
    last = graph.convolution("pixels", "conv1", "bn1", channels=64, stride=2)
    last = graph.add("Relu", [last])
    last = graph.add("MaxPool", [last], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, blocks in enumerate(architecture.blocks, 1):
        for number in range(blocks):
            stride = 2 if stage > 1 and number == 0 else 1
            prefix = f"layer{stage}.{number}"
            width = 64 * 2 ** (stage - 1)
            last = _add_block(graph, last, prefix, width, stride, architecture.bottleneck)
    if graph.has(f"layer4.{architecture.blocks[3]}.conv1.weight"):
        raise ValueError(f"there are more blocks than {architecture.blocks[3]} in layer4")
    return graph.add("Flatten", [graph.add("GlobalAveragePool", [last])])


def _add_block(
    graph: _Graph, source: str, prefix: str, width: int, stride: int, bottleneck: bool
) -> str:
    if bottleneck:
        plan = [(width, 1), (width, stride), (4 * width, 1)]
    else:
        plan = [(width, stride), (width, 1)]
    last = source
    for number, (channels, step) in enumerate(plan, 1):
        conv, norm = f"{prefix}.conv{number}", f"{prefix}.bn{number}"
        last = graph.convolution(last, conv, norm, channels, step)
        if number < len(plan):
            last = graph.add("Relu", [last])
    if graph.has(f"{prefix}.downsample.0.weight"):
        conv, norm = f"{prefix}.downsample.0", f"{prefix}.downsample.1"
        source = graph.convolution(source, conv, norm, plan[-1][0], stride)
    return graph.add("Relu", [graph.add("Add", [last, source])])
