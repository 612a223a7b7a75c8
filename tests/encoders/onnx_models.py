"""Tiny ONNX models whose embeddings can be told by hand: the mean colour, in this form or that."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper

FLOAT, HALF, UINT8, INT64 = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.UINT8,
    TensorProto.INT64,
)
Shape = list[str | int]

AS_THEY_ARE = "resize = 32\ncrop = 32\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n"
"""The file beside a model that sees pixels from 0 to 1."""


def node(kind: str, source: str | list[str], output: str, **attributes: Any) -> NodeProto:
    inputs = [source] if isinstance(source, str) else source
    return helper.make_node(kind, inputs, [output], **attributes)


def model(
    nodes: list[NodeProto],
    shape: Shape,
    kind: int = FLOAT,
    outputs: dict[str, Shape] | None = None,
    constants: dict[str, np.ndarray[Any, Any]] | None = None,
    more: Shape | None = None,
) -> ModelProto:
    """A model of these nodes from ``pixels`` to ``embedding``; ``more`` is a second input."""
    inputs = [helper.make_tensor_value_info("pixels", kind, shape)]
    if more is not None:
        inputs.append(helper.make_tensor_value_info("more", FLOAT, more))
    graph = helper.make_graph(
        nodes,
        "tiny",
        inputs,
        [
            helper.make_tensor_value_info(name, FLOAT, sides)
            for name, sides in (outputs or {"embedding": ["n", 3]}).items()
        ],
        [
            helper.make_tensor(name, FLOAT, values.shape, values.astype("<f4").tobytes(), raw=True)
            for name, values in (constants or {}).items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _pooled(source: str) -> list[NodeProto]:
    return [node("GlobalAveragePool", source, "mean"), node("Flatten", "mean", "embedding")]


def mean_colour(shape: Shape | None = None, kind: int = FLOAT) -> ModelProto:
    """``(n, 3, h, w)`` to the mean of each channel."""
    cast = node("Cast", "pixels", "values", to=FLOAT)
    return model([cast, *_pooled("values")], shape or ["n", 3, "h", "w"], kind)


def channels_last(shape: Shape | None = None, kind: int = UINT8) -> ModelProto:
    """The same of ``(n, h, w, 3)``."""
    cast = node("Cast", "pixels", "values", to=FLOAT)
    nodes = [cast, node("Transpose", "values", "first", perm=[0, 3, 1, 2]), *_pooled("first")]
    return model(nodes, shape or ["n", "h", "w", 3], kind)


def two_outputs() -> ModelProto:
    """``embedding``, the mean, and ``twice``, which has it twice."""
    nodes = [*_pooled("pixels"), node("Concat", ["embedding", "embedding"], "twice", axis=1)]
    outputs: dict[str, Shape] = {"embedding": ["n", 3], "twice": ["n", 6]}
    return model(nodes, ["n", 3, "h", "w"], outputs=outputs)


def divided(*, broken: bool = False) -> ModelProto:
    """The mean by itself, no number where it is black; ``broken``, of any picture."""
    nodes = [node("GlobalAveragePool", "pixels", "mean"), node("Flatten", "mean", "flat")]
    nodes.append(node("Sub", ["flat", "flat"], "nothing"))
    by = "nothing" if broken else "flat"
    return model([*nodes, node("Div", [by, by], "embedding")], ["n", 3, "h", "w"])


def unpooled() -> ModelProto:
    """``(n, 3, h, w)`` as it is."""
    outputs: dict[str, Shape] = {"embedding": ["n", 3, "h", "w"]}
    return model([node("Identity", "pixels", "embedding")], ["n", 3, "h", "w"], outputs=outputs)


def pooled_with_axes() -> ModelProto:
    """The mean as ``(n, 3, 1, 1)``."""
    outputs: dict[str, Shape] = {"embedding": ["n", 3, 1, 1]}
    pool = node("GlobalAveragePool", "pixels", "embedding")
    return model([pool], ["n", 3, "h", "w"], outputs=outputs)


def corner(crop: int) -> ModelProto:
    """The top right pixel."""
    sides = [
        helper.make_node(
            "Constant", [], [name], value=helper.make_tensor("", INT64, [2], [row, column])
        )
        for name, row, column in (("from", 0, crop - 1), ("to", 1, crop), ("axes", 2, 3))
    ]
    cut = node("Slice", ["pixels", "from", "to", "axes"], "pixel")
    return model([*sides, cut, node("Flatten", "pixel", "embedding")], ["n", 3, crop, crop])


def tokens(crop: int) -> ModelProto:
    """``(n, h * w, 3)``: each pixel is a token, the top left one the first."""
    nodes = [
        node("Transpose", "pixels", "last", perm=[0, 2, 3, 1]),
        helper.make_node(
            "Constant",
            [],
            ["shape"],
            value=helper.make_tensor("", INT64, [3], [-1, crop * crop, 3]),
        ),
        node("Reshape", ["last", "shape"], "embedding"),
    ]
    outputs: dict[str, Shape] = {"embedding": ["n", crop * crop, 3]}
    return model(nodes, ["n", 3, crop, crop], outputs=outputs)


def weighted() -> ModelProto:
    """The mean times a matrix of weights, for a model that has some."""
    nodes = [
        node("GlobalAveragePool", "pixels", "mean"),
        node("Flatten", "mean", "flat"),
        node("Gemm", ["flat", "weights"], "embedding"),
    ]
    weights = np.arange(12).reshape(3, 4)
    outputs: dict[str, Shape] = {"embedding": ["n", 4]}
    return model(nodes, ["n", 3, "h", "w"], outputs=outputs, constants={"weights": weights})
