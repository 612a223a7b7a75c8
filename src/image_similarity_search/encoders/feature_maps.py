"""What an encoder averages over places: the last feature map of its network, where it has one.

The network is loaded once more, with that map as another output, so the encoder itself and its
file stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.onnx import OnnxEncoder
from image_similarity_search.encoders.registry import model_of

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_OVER_PLACES = ([2, 3], [-2, -1], [1, 2], [-3, -2])  # axes of pictures, whichever way they lie


def feature_encoder(encoder: Encoder) -> OnnxEncoder | None:
    """An encoder whose ``features`` are likely what ``encoder`` averages; None where none is.

    Likely, because what a network does after averaging is not looked at: compare their mean.

    Raises:
        EncoderUnavailableError: the model's file can't be read any more.
    """
    if not isinstance(encoder, OnnxEncoder):
        return None
    if encoder.pooling != "none":  # then the output has places, or tokens of which one counts
        return encoder if encoder.pooling == "mean" else None
    model = model_of(encoder.spec)
    found = _with_features(model, encoder.output) if model is not None else None
    if found is None:
        return None
    content, output = found
    return OnnxEncoder(
        encoder.name,
        content,
        encoder.preprocessing,
        dim=encoder.dim,
        output=output,
        pooling="mean",
        device="cpu",
    )


def _with_features(model: str | bytes, output: str) -> tuple[bytes, str] | None:
    """A model with another output, what is averaged on the way to ``output``, and its name."""
    import onnx

    if isinstance(model, bytes):
        graph_model = onnx.load_model_from_string(model)
    else:
        graph_model = onnx.load(model, load_external_data=False)
    node = _last_average(graph_model, output)
    if node is None:
        return None
    name = node.input[0]
    if name not in [one.name for one in graph_model.graph.output]:
        graph_model.graph.output.append(onnx.ValueInfoProto(name=name))
    return graph_model.SerializeToString(), name


def _last_average(model: ModelProto, output: str) -> NodeProto | None:
    """The last node before ``output`` that averages over places."""
    makers: dict[str, NodeProto] = {name: node for node in model.graph.node for name in node.output}
    waiting, met = [output], {output}
    while waiting:
        node = makers.get(waiting.pop(0))
        if node is None:
            continue
        if _averages(model, node):
            return node
        waiting += [name for name in node.input if name not in met]
        met.update(node.input)
    return None


def _averages(model: ModelProto, node: NodeProto) -> bool:
    """Whether a node averages over the places of a picture."""
    from onnx import helper, numpy_helper

    if node.op_type != "ReduceMean":
        return bool(node.op_type == "GlobalAveragePool")
    axes = next((helper.get_attribute_value(a) for a in node.attribute if a.name == "axes"), None)
    if axes is None and len(node.input) > 1:  # as newer operators have them
        constants = {one.name: one for one in model.graph.initializer}
        if node.input[1] in constants:
            axes = numpy_helper.to_array(constants[node.input[1]]).tolist()
    return axes is not None and list(axes) in _OVER_PLACES
