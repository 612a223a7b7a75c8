"""ONNX models run by OpenVINO, which computes in bfloat16 where the processor can.

It is several times as quick as ONNX Runtime with models of floats, on processors with AMX or
AVX-512 BF16. Embeddings are not quite those of ONNX Runtime, nor of OpenVINO without bfloat16:
an encoder that runs so has a fingerprint of its own, which says in what it computes.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.errors import EncoderUnavailableError
from image_similarity_search.processors import available_processors

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_REMEDY = (
    "Install it: pip install 'image-similarity-search[openvino]'; or, for a new collection,"
    " omit --device openvino (device='openvino')."
)

_PLAIN_WAY = "stem.plain"  # through the first convolution of the bundled model

_TYPES = {"u8": "tensor(uint8)", "f32": "tensor(float)", "f16": "tensor(float16)"}


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: its name, its type as ONNX Runtime calls it, and its sides.

    Sides that may be of any length are None.
    """

    name: str
    type: str
    shape: list[int | None]


class OpenVinoSession:
    """A model ready to run, with the methods of an ``onnxruntime.InferenceSession`` that we use.

    Several threads may run it at once, each on a processor.

    Attributes:
        precision: in what it computes: ``bf16``, or ``f32`` where the processor has none.

    Raises:
        EncoderUnavailableError: OpenVINO is missing, or can't load the model.
    """

    def __init__(self, name: str, model: bytes, shown: str = "it") -> None:
        try:
            import openvino
        except Exception as error:  # a broken install raises more than ImportError
            problem = f"OpenVINO can't be imported ({error})"
            raise EncoderUnavailableError(name, problem, _REMEDY) from error
        streams = available_processors()
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16",  # a hint: where there is none, it takes f32
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            "ENABLE_CPU_PINNING": False,  # the decoding processes want the processors, too
        }
        try:
            core = openvino.Core()
            self._compiled = core.compile_model(core.read_model(_prepared(model)), "CPU", settings)
        except Exception as error:  # its exceptions share no public base class
            reason = str(error).strip().splitlines()[-1]
            raise EncoderUnavailableError(
                name,
                f"OpenVINO can't load {shown} ({reason})",
                "Is it a complete ONNX file, in one part?",
            ) from error
        chosen = self._compiled.get_property("INFERENCE_PRECISION_HINT")
        self.precision: str = chosen.get_type_name()
        self._requests = threading.local()

    def get_inputs(self) -> list[Port]:
        """The model's inputs, in order."""
        return [_port(port) for port in self._compiled.inputs]

    def get_outputs(self) -> list[Port]:
        """The model's outputs, in order."""
        return [_port(port) for port in self._compiled.outputs]

    def run(self, outputs: list[str], inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs of these names for inputs by name."""
        request = getattr(self._requests, "one", None)
        if request is None:  # each thread has one of its own
            request = self._requests.one = self._compiled.create_infer_request()
        results = request.infer(inputs, share_inputs=True)
        return [np.array(results[name]) for name in outputs]  # the next run writes over it


def _port(port: Any) -> Port:
    type_ = port.element_type.get_type_name()
    sides = [side.get_length() if side.is_static else None for side in port.partial_shape]
    return Port(port.any_name, _TYPES.get(type_, type_), sides)


def _prepared(model: bytes) -> bytes:
    """The model as OpenVINO is to see it."""
    from onnx import load_model_from_string

    loaded = load_model_from_string(model)
    _refuse_other_files(loaded)
    return loaded.SerializeToString() if take_the_plain_way(loaded) else model


def _refuse_other_files(model: ModelProto) -> None:
    """Weights in a file beside the model would escape its checksum."""
    from onnx.external_data_helper import uses_external_data

    for tensor in model.graph.initializer:
        if uses_external_data(tensor):
            raise ValueError(f"{tensor.name} is in another file")


def take_the_plain_way(model: ModelProto) -> bool:
    """Leave out of the bundled model what is quicker by ONNX Runtime, and slower by OpenVINO.

    Returns whether there was any of it.
    """
    nodes: list[NodeProto] = []
    changed = False
    for node in model.graph.node:
        way = next((one.g for one in node.attribute if one.name == "else_branch"), None)
        if way is None or way.name != _PLAIN_WAY:
            nodes.append(node)
            continue
        way.node[-1].output[0] = node.output[0]
        nodes += way.node
        changed = True
    if changed:
        del model.graph.node[:]
        model.graph.node.extend(nodes)
    return changed
