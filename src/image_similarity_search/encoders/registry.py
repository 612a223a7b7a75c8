"""The table of encoders that have a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import UnknownEncoderError

DEFAULT_ENCODER = "efficientnet-lite0"


@dataclass(frozen=True, slots=True)
class EncoderRow:
    """One line of the table.

    Attributes:
        name: what ``create`` and ``--model`` take.
        dim: length of an embedding.
        licence: of the weights.
        source: where the weights come from.
        summary: what it is, in a line.
        make: makes the encoder; loads what it needs.
    """

    name: str
    dim: int
    licence: str
    source: str
    summary: str
    make: Callable[[], Encoder]


def _efficientnet_lite0() -> Encoder:
    from image_similarity_search.encoders.onnx import OnnxEncoder

    file = resources.files(__package__) / "models" / "efficientnet-lite0-int8.onnx"
    with resources.as_file(file) as path:
        return OnnxEncoder("efficientnet-lite0", str(path), Preprocessing(), dim=1280)


def _colour_texture() -> Encoder:
    from image_similarity_search.encoders.colour_texture import ColourTextureEncoder

    return ColourTextureEncoder()


_ROWS = (
    EncoderRow(
        name="efficientnet-lite0",
        dim=1280,
        licence="Apache-2.0",
        source="inside this package",
        summary="EfficientNet-Lite0 trained on ImageNet, 8-bit: quick, good at objects and scenes",
        make=_efficientnet_lite0,
    ),
    EncoderRow(
        name="colour-texture",
        dim=1152,
        licence="Apache-2.0",
        source="inside this package",
        summary="no weights: where which colours and edges are",
        make=_colour_texture,
    ),
)
ENCODERS: dict[str, EncoderRow] = {row.name: row for row in _ROWS}


def create(name: str) -> Encoder:
    """Make the encoder called ``name``.

    Raises:
        UnknownEncoderError: no encoder has this name.
        EncoderUnavailableError: something it needs is missing.
    """
    if name not in ENCODERS:
        raise UnknownEncoderError(name, ENCODERS)
    return ENCODERS[name].make()
