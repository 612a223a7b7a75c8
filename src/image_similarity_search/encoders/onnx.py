"""An encoder that is an ONNX model, run by ONNX Runtime or OpenVINO."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.encoders.devices import Device, onnx_session
from image_similarity_search.encoders.head import Head
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.errors import (
    ConfigError,
    EncoderOutputError,
    EncoderUnavailableError,
    reason_of,
)
from image_similarity_search.types import FloatArray, PixelArray

Pooling = Literal["none", "mean", "cls"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

_UNSAID = (None, "none")  # in a fingerprint
_RUNTIMES = {"cpu": "ONNX Runtime", "cuda": "ONNX Runtime", "openvino": "OpenVINO"}
# what lies between the layers of a few pictures stays in the cache of a processor
_AT_ONCE = {"cpu": 4, "cuda": 64, "openvino": 4}
_TYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxEncoder:
    """Runs an ONNX model. Several threads may call it at once.

    The model has one input: pixels ``(n, h, w, 3)`` or ``(n, 3, h, w)``. Those of type uint8 are
    given as they are, those of type float32 or float16 as ``preprocessing`` normalises them. A
    model whose ``n`` is fixed to 1 is run picture by picture.

    Args:
        name: what people call the encoder.
        model: the path of an ONNX file, or what is in one.
        preprocessing: what the model wants to see of a picture.
        dim: length of an embedding, where it is known beforehand.
        output: which of the model's outputs has the embeddings; by default the first.
        pooling: what makes one vector of an output with more than two axes: ``mean`` over the
            tokens ``(n, tokens, dim)`` or places ``(n, dim, h, w)``, ``cls`` (the first token).
        head: what is done with the vectors, if anything.
        fingerprint: instead of one made from the file's SHA-256; the preprocessing's is added.
        spec: with which ``registry.create`` makes the same encoder again.
        device: where it runs; the attribute ``device`` says which was taken. With ``openvino``,
            the fingerprint says so: embeddings are others, by a little.
        threads: processor threads that one call uses.

    Raises:
        EncoderUnavailableError: the file is missing, ONNX Runtime can't load it, CUDA was asked
            for and can't be used, or the model has other inputs.
        ConfigError: an argument has a value that is not allowed, or does not fit the model.
        EncoderOutputError: the model's output is no embedding, or one of another length.
    """

    def __init__(
        self,
        name: str,
        model: str | bytes,
        preprocessing: Preprocessing,
        *,
        dim: int | None = None,
        output: str | None = None,
        pooling: Pooling = "none",
        head: Head | None = None,
        fingerprint: str | None = None,
        spec: EncoderSpec | None = None,
        device: Device = "auto",
        threads: int = 1,
    ) -> None:
        if pooling not in POOLINGS:
            raise ConfigError("pooling", pooling, f"one of {', '.join(POOLINGS)}")
        self.thread_safe = True
        self.name = name
        self.preprocessing = preprocessing
        self.spec = (spec or EncoderSpec()).made_with(preprocessing)
        mark, shown = fingerprint, model if isinstance(model, str) else "it"
        if mark is None or device == "openvino":
            model = _content(name, model)  # what is hashed is what is run, to the byte
            mark = mark or f"{name};sha256={hashlib.sha256(model).hexdigest()[:16]}"
        self._session: Any
        self.device: Device
        runtime = None
        if device == "openvino":
            self._session, self.device = _by_openvino(name, model, shown), device
            self.spec = replace(self.spec, runtime=device)
            runtime = f"openvino-{self._session.precision}"
        else:
            self._session, self.device = onnx_session(name, model, device, threads, shown)
        how = "".join(f"{word};" for word in (output, pooling, runtime) if word not in _UNSAID)
        self.fingerprint = f"{mark};{how}{preprocessing.fingerprint}"
        self._input = self._only_input()
        self.pooling = pooling
        self._head = head
        self.output = self._chosen_output(output)
        self._check_crop()
        self.dim = dim or self._known_dim()

    def encode(self, pixels: PixelArray) -> FloatArray:
        """Embed ``(n, crop, crop, 3)`` uint8 RGB pixels as ``(n, dim)`` float32.

        Raises:
            ConfigError: other pixels than these.
            EncoderOutputError: the model's output has another shape, or it fails.
        """
        if not len(pixels):
            return np.empty((0, self.dim), dtype=np.float32)
        self.preprocessing.check(pixels)
        rows = self._pooled(self._run(pixels))
        if rows.shape != (len(pixels), self.dim):
            raise EncoderOutputError(
                self.name, f"shape {rows.shape}, expected {(len(pixels), self.dim)}"
            )
        return self._head.applied(rows) if self._head else rows

    def features(self, pixels: PixelArray) -> FloatArray:
        """What is averaged over places, ``(n, rows, columns, dim)``, with ``pooling`` ``mean``.

        Raises:
            EncoderOutputError: the model's output has no places, or it fails.
        """
        output = self._run(pixels)
        if output.ndim == 4 and output.shape[1] == self.dim:
            output = output.transpose(0, 2, 3, 1)
        if output.ndim != 4 or output.shape[3] != self.dim:
            raise EncoderOutputError(self.name, f"shape {output.shape}, expected one of places")
        return np.asarray(output, dtype=np.float32)

    def _run(self, pixels: PixelArray) -> NDArray[Any]:
        """The model's output as it is."""
        batch = self._as_input(pixels)
        at_once = 1 if self._input.shape[0] == 1 else _AT_ONCE[self.device]
        parts = [batch[start : start + at_once] for start in range(0, len(batch), at_once)]
        try:
            outputs = [
                self._session.run([self.output], {self._input.name: part})[0] for part in parts
            ]
        except Exception as error:  # its exceptions share no public base class
            runtime, crop = _RUNTIMES[self.device], self.preprocessing.crop
            raise EncoderOutputError(
                self.name,
                f"an error of {runtime} (does the model accept pictures of {crop} pixels?):"
                f" {error}",
            ) from error
        return np.concatenate(outputs)

    def _as_input(self, pixels: PixelArray) -> NDArray[Any]:
        wanted = _TYPES[self._input.type]
        values = pixels if wanted is np.uint8 else self.preprocessing.normalise(pixels)
        if self._channels_first():
            values = values.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(values, dtype=wanted)

    def _pooled(self, output: NDArray[Any]) -> FloatArray:
        """One vector for each picture, ``(n, dim)`` float32."""
        if output.ndim == 4 and (self.pooling == "mean" or output.shape[2:] == (1, 1)):
            output = output.mean(axis=(2, 3))
        elif output.ndim == 3 and self.pooling == "mean":
            output = output.mean(axis=1)
        elif output.ndim == 3 and self.pooling == "cls":
            output = output[:, 0]
        if output.ndim != 2:
            raise EncoderOutputError(
                self.name,
                f"shape {output.shape} with pooling {self.pooling!r}, expected (n, dim):"
                " choose another output, or set pooling = 'mean' or 'cls'",
            )
        return np.asarray(output, dtype=np.float32)

    def _only_input(self) -> Any:
        inputs = self._session.get_inputs()
        if len(inputs) == 1 and inputs[0].type in _TYPES and len(inputs[0].shape) == 4:
            count = inputs[0].shape[0]
            if not isinstance(count, int) or count == 1:
                return inputs[0]
        shown = ", ".join(f"{item.name}: {item.type} {item.shape}" for item in inputs)
        raise EncoderUnavailableError(
            self.name,
            f"it takes {shown}",
            "Expected: one input of pixels, (n, 3, h, w) or (n, h, w, 3), of any n or of n = 1.",
        )

    def _channels_first(self) -> bool:
        _, first, _, last = self._input.shape
        return bool(first == 3 or (last != 3 and self._input.type != "tensor(uint8)"))

    def _chosen_output(self, output: str | None) -> str:
        names = [item.name for item in self._session.get_outputs()]
        if output is not None and output not in names:
            raise ConfigError("output", output, f"an output of {self.name}: {', '.join(names)}")
        return output or str(names[0])

    def _check_crop(self) -> None:
        axes = slice(2, 4) if self._channels_first() else slice(1, 3)
        fixed = [side for side in self._input.shape[axes] if isinstance(side, int) and side > 0]
        crop = self.preprocessing.crop
        if any(side != crop for side in fixed):
            raise ConfigError("crop", crop, f"{fixed[0]}: {self.name} takes only this size")

    def _known_dim(self) -> int:
        side = self.preprocessing.crop
        output = self._run(np.zeros((1, side, side, 3), dtype=np.uint8))
        return int(self._pooled(output).shape[1])


def _by_openvino(name: str, model: str | bytes, shown: str) -> Any:
    from image_similarity_search.encoders.openvino import OpenVinoSession

    return OpenVinoSession(name, _content(name, model), shown)


def _content(name: str, model: str | bytes) -> bytes:
    if isinstance(model, bytes):
        return model
    try:
        with open(model, "rb") as file:
            return file.read()
    except OSError as error:
        raise EncoderUnavailableError(
            name,
            f"{model} can't be read ({reason_of(error)})",
            "Check the path given with --weights.",
        ) from error
