"""The first convolution, made quicker without changing a bit of what comes out.

    python -m tools.encoder.stem FILE.onnx

A convolution of three channels is slow for its size: ONNX Runtime copies three bytes at a time to
make a matrix product of it. Rows of pixels that are taken four at a time have twelve channels
instead, and the same memory. Two of the steps that the kernel makes along such a row become one, of
twice as many output channels: with weights of 0 where one of the two does not look, the sums are
the same integers. The file's network does so where the width is a multiple of four, and as before
otherwise.
"""

from __future__ import annotations

import argparse
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

PIXELS, STEM = "pixels", "stem"
WIDE, PLAIN = "stem.wide", "stem.plain"  # the names of the two ways
MERGED = 4  # pixels taken as one
TOGETHER = 2  # steps of the kernel, which moves by two pixels
CHANNELS, SIDE = 3, 3  # of the kernel
_TO_PLACES_FIRST, _TO_CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def widen(model: ModelProto) -> None:
    """Give ``int8_model``'s first convolution its second way."""
    graph = model.graph
    constants = {one.name: one for one in graph.initializer}

    def value(name: str) -> NDArray[np.generic]:
        return numpy_helper.to_array(constants[f"{STEM}.{name}"])

    def add(name: str, array: NDArray[np.generic]) -> None:
        graph.initializer.append(numpy_helper.from_array(array, name))

    add(f"{WIDE}.weight", wide_weight(value("weight")))
    for name in ("weight.scale", "weight.zero", "bias", "bias.scale", "bias.zero"):
        add(f"{WIDE}.{name}", np.tile(value(name), TOGETHER))
    add(f"{WIDE}.merge", np.array([0, 0, -1, MERGED * CHANNELS]))
    add(f"{WIDE}.part", np.array([0, 0, -1, value("bias").size]))
    add("width.axis", np.array(2))
    add("width.unit", np.array(MERGED))
    add("width.none", np.array(0))
    last = next(
        at for at, node in enumerate(graph.node) if list(node.output) == [f"{STEM}.quantised"]
    )
    rest = list(graph.node)[last + 1 :]
    del graph.node[:]
    graph.node.extend([*_chosen(), *rest])
    onnx.checker.check_model(model, full_check=True)


def wide_weight(weight: NDArray[np.generic]) -> NDArray[np.generic]:
    """The kernel ``(out, 3, 3, 3)``, for pixels taken four at a time ``(2 * out, 12, 3, 2)``."""
    count = len(weight)
    wide = np.zeros((TOGETHER * count, MERGED * CHANNELS, SIDE, 2), weight.dtype)
    for step in range(TOGETHER):
        for column in range(SIDE):
            place, pixel = divmod(2 * step + column, MERGED)
            rows = slice(step * count, (step + 1) * count)
            channels = slice(pixel * CHANNELS, (pixel + 1) * CHANNELS)
            wide[rows, channels, :, place] = weight[:, :, :, column]
    return wide


def _chosen() -> list[NodeProto]:
    """The stem, one way or the other by the width of the pixels."""
    node = helper.make_node
    return [
        node("Shape", [PIXELS], ["size"]),
        node("Gather", ["size", "width.axis"], ["width"]),
        node("Mod", ["width", "width.unit"], ["width.over"]),
        node("Equal", ["width.over", "width.none"], ["width.fits"]),
        node(
            "If",
            ["width.fits"],
            [f"{STEM}.places"],
            then_branch=_way(WIDE),
            else_branch=_way(PLAIN),
            name=STEM,
        ),
        # outside, where ONNX Runtime joins it with what follows
        node("Transpose", [f"{STEM}.places"], [f"{STEM}.quantised"], perm=_TO_CHANNELS_FIRST),
    ]


def _way(name: str) -> GraphProto:
    """From pixels to what the convolution makes of them, quantised, ``(n, h, w, channels)``."""
    wide = name == WIDE
    constants, node = name if wide else STEM, helper.make_node
    nodes = [node("Reshape", [PIXELS, f"{WIDE}.merge"], [f"{name}.pixels"])] if wide else []
    nodes.append(
        node(
            "Transpose",
            [f"{name}.pixels" if wide else PIXELS],
            [f"{name}.nchw"],
            perm=_TO_CHANNELS_FIRST,
        )
    )
    scales = ["pixels.nchw.scale", "pixels.nchw.zero"]
    nodes.append(node("DequantizeLinear", [f"{name}.nchw", *scales], [f"{name}.input"]))
    for part in ("weight", "bias"):
        numbers = [f"{constants}.{part}{end}" for end in ("", ".scale", ".zero")]
        nodes.append(node("DequantizeLinear", numbers, [f"{name}.{part}.float"], axis=0))
    kernel = [SIDE, 2] if wide else [SIDE, SIDE]
    nodes += [
        node(
            "Conv",
            [f"{name}.input", f"{name}.weight.float", f"{name}.bias.float"],
            [f"{name}.sums"],
            kernel_shape=kernel,
            strides=[2, 1] if wide else [2, 2],
            pads=[0, 0, 1, 1],
            group=1,
        ),
        node("QuantizeLinear", [f"{name}.sums", "stem.scale", "stem.zero"], [f"{name}.quantised"]),
        node("Transpose", [f"{name}.quantised"], [f"{name}.places"], perm=_TO_PLACES_FIRST),
    ]
    if wide:
        nodes.append(node("Reshape", [f"{name}.places", f"{WIDE}.part"], [f"{name}.parted"]))
    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.UINT8, None)
    return helper.make_graph(nodes, name, [], [output])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    model = onnx.load(file)
    widen(model)
    data = model.SerializeToString(deterministic=True)
    file.write_bytes(data)
    print(f"{file}: {len(data):,} bytes, sha256 {sha256(data).hexdigest()}", file=sys.stderr)


if __name__ == "__main__":
    main()
