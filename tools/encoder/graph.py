"""Writes networks as ONNX files, node by node: the float one and the int8 one (QDQ)."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from .network import PIXEL_SCALE, PIXEL_ZERO, Layer, Network
from .quantised import Activation, Convolution, QuantisedNetwork, input_numbers

OPSET = 17
IR_VERSION = 8
DIM = 1280
RMS = "rms"


class Graph:
    """Nodes and initializers in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        """An initializer; the same name again is the same constant."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """A node with one output, named after it."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def model(self, metadata: dict[str, str]) -> onnx.ModelProto:
        """The checked model, with the interface that every encoder file of this project has."""
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", "h", "w", 3])
        vectors = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIM])
        graph = helper.make_graph(
            self.nodes, "encoder", [pixels], [vectors], list(self.constants.values())
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        model.producer_name = "image-similarity-search"
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model


def float_model(network: Network, metadata: dict[str, str]) -> onnx.ModelProto:
    """The published network in float32, from pixels to embedding."""
    g = Graph()
    x = g.add("Cast", ["pixels"], "pixels.float", to=TensorProto.FLOAT)
    x = g.add("Transpose", [x], "pixels.nchw", perm=[0, 3, 1, 2])
    x = g.add("Sub", [x, g.constant("zero", np.float32(PIXEL_ZERO))], "pixels.centred")
    x = g.add("Mul", [x, g.constant("scale", np.float32(PIXEL_SCALE))], "pixels.normalised")
    low, high = g.constant("low", np.float32(0)), g.constant("high", np.float32(6))
    for block in network.blocks:
        start = x
        for layer in block.layers:
            weight = g.constant(f"{layer.name}.weight", layer.weight.numpy())
            bias = g.constant(f"{layer.name}.bias", layer.bias.numpy())
            x = g.add("Conv", [x, weight, bias], layer.name, **_attributes(layer))
            if layer.relu6:
                x = g.add("Clip", [x, low, high], f"{layer.name}.relu6")
        if block.residual:
            x = g.add("Add", [x, start], f"{block.name}.sum")
    _pool(g, x)
    return g.model(metadata)


def int8_model(network: QuantisedNetwork, metadata: dict[str, str]) -> onnx.ModelProto:
    """The quantised network as QuantizeLinear / DequantizeLinear pairs around float operators."""
    g = Graph()
    x = g.add("Transpose", ["pixels"], "pixels.nchw", perm=[0, 3, 1, 2])
    here = input_numbers()
    x = _dequantise(g, x, here)
    for block in network.parts():
        start = x
        for convolution, activation in block.pairs():
            numbers = convolution.numbers(here.scale)
            here = activation.numbers()
            x = _convolution(g, x, numbers)
            x = _dequantise(g, _quantise(g, x, here), here)
        if block.sum is not None:
            here = block.sum.numbers()
            x = g.add("Add", [x, start], f"{block.block.name}.sum")
            x = _dequantise(g, _quantise(g, x, here), here)
    _pool(g, x)
    return g.model(metadata)


def _convolution(g: Graph, x: str, numbers: Convolution) -> str:
    layer = numbers.layer
    name = layer.name
    scale = g.constant(f"{name}.weight.scale", numbers.weight_scale)
    zero = g.constant(f"{name}.weight.zero", np.zeros(len(numbers.weight_scale), np.int8))
    weight = g.constant(f"{name}.weight", numbers.weight)
    weight = g.add("DequantizeLinear", [weight, scale, zero], f"{name}.weight.float", axis=0)
    source = next(node for node in reversed(g.nodes) if node.output[0] == x)
    input_scale = numpy_helper.to_array(g.constants[source.input[1]])
    scale = g.constant(f"{name}.bias.scale", numbers.weight_scale * input_scale)
    bias = g.constant(f"{name}.bias", numbers.bias)
    zero = g.constant(f"{name}.bias.zero", np.zeros(len(numbers.bias), np.int32))
    bias = g.add("DequantizeLinear", [bias, scale, zero], f"{name}.bias.float", axis=0)
    return g.add("Conv", [x, weight, bias], name, **_attributes(layer))


def _quantise(g: Graph, x: str, numbers: Activation) -> str:
    scale = g.constant(f"{x}.scale", np.asarray(numbers.scale))
    zero = g.constant(f"{x}.zero", np.asarray(numbers.zero))
    return g.add("QuantizeLinear", [x, scale, zero], f"{x}.quantised")


def _dequantise(g: Graph, x: str, numbers: Activation) -> str:
    name = x.removesuffix(".quantised")
    scale = g.constant(f"{name}.scale", np.asarray(numbers.scale))
    zero = g.constant(f"{name}.zero", np.asarray(numbers.zero))
    return g.add("DequantizeLinear", [x, scale, zero], f"{name}.dequantised")


def _pool(g: Graph, x: str) -> None:
    x = g.add("GlobalAveragePool", [x], "pooled")
    g.add("Flatten", [x], "embedding", axis=1)


def _attributes(layer: Layer) -> dict[str, Any]:
    size = int(layer.weight.shape[-1])
    return {
        "kernel_shape": [size, size],
        "strides": [layer.stride, layer.stride],
        "pads": list(layer.pads),
        "group": layer.groups,
    }


def add_rms(model: onnx.ModelProto) -> None:
    """A second output, ``rms``: the root mean square of the last features; the first stays."""
    (pool,) = (node for node in model.graph.node if node.op_type == "GlobalAveragePool")
    features = pool.input[0]
    model.graph.node.extend(
        [
            helper.make_node("Mul", [features, features], ["squares"], name="squares"),
            helper.make_node(
                "GlobalAveragePool", ["squares"], ["squares.mean"], name="squares.mean"
            ),
            helper.make_node("Sqrt", ["squares.mean"], ["squares.root"], name="squares.root"),
            helper.make_node("Flatten", ["squares.root"], [RMS], name=RMS, axis=1),
        ]
    )
    model.graph.output.append(helper.make_tensor_value_info(RMS, TensorProto.FLOAT, ["n", DIM]))
    onnx.checker.check_model(model, full_check=True)
