"""An encoder in words: what it takes to make the same one again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Literal, Self

from image_similarity_search.encoders.preprocessing import Fit, Interpolation, Preprocessing


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Which encoder, and what is other than usual about it; None is as usual.

    Attributes:
        model: a name of the table of encoders, the path of an ``.onnx`` file, or ``timm:NAME``.
        weights: a local file with the weights of ``model``: ONNX, safetensors or a torch ``.pth``.
        resize: pixels of the short side.
        crop: pixels of the square cut from the centre.
        interpolation: how pictures are resized.
        fit: ``crop``, or ``stretch`` for the whole picture, whatever its shape.
        runtime: ``openvino`` where that runs the model, and not ONNX Runtime.
    """

    model: str | None = None
    weights: str | None = None
    resize: int | None = None
    crop: int | None = None
    interpolation: Interpolation | None = None
    runtime: Literal["openvino"] | None = None
    fit: Fit | None = None

    def filled_from(self, other: Self) -> Self:
        """The same, with what ``other`` says where nothing is said here."""
        said = {key: value for key, value in asdict(self).items() if value is not None}
        return replace(other, **said)

    def applied_to(self, preprocessing: Preprocessing) -> Preprocessing:
        """A model's preprocessing, with the values that are given here."""
        return preprocessing.changed(self.resize, self.crop, self.interpolation, self.fit)

    def made_with(self, preprocessing: Preprocessing) -> Self:
        """The same with every value of the preprocessing that an encoder was made with."""
        return replace(
            self,
            resize=preprocessing.resize,
            crop=preprocessing.crop,
            interpolation=preprocessing.interpolation,
            fit=preprocessing.fit,
        )

    def to_json(self) -> str:
        """As text, for a catalog to keep."""
        return json.dumps({key: value for key, value in asdict(self).items() if value is not None})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From what ``to_json`` gave; what a newer version added is passed over.

        Raises:
            ValueError: it is no such text.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"not a spec of an encoder: {text}")
        return cls(**{key: values[key] for key in cls.__slots__ if key in values})
