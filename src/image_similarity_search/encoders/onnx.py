"""An encoder that is an ONNX file, run by ONNX Runtime on the processor."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import EncoderOutputError, EncoderUnavailableError
from image_similarity_search.types import FloatArray, PixelArray

if TYPE_CHECKING:
    import onnxruntime


class OnnxEncoder:
    """Runs the model in the file ``path``. Several threads may call it at once.

    The model's input is either uint8 ``(n, h, w, 3)`` pixels, normalised inside the graph, or
    float32 ``(n, 3, h, w)``, for which ``preprocessing``'s mean and std are applied here. Its
    output is ``(n, dim)`` float32.

    Args:
        name: what people call the encoder.
        path: the ONNX file.
        preprocessing: what the model wants to see of a picture.
        dim: length of an embedding, where it is known beforehand (checked at the first use).
        threads: processor threads that one call uses.

    Raises:
        EncoderUnavailableError: the file is missing or ONNX Runtime can't load it.
    """

    def __init__(
        self,
        name: str,
        path: str,
        preprocessing: Preprocessing,
        *,
        dim: int,
        threads: int = 1,
    ) -> None:
        self.thread_safe = True
        self.name = name
        self.dim = dim
        self.preprocessing = preprocessing
        try:
            with open(path, "rb") as file:
                model = file.read()
        except OSError as error:
            raise EncoderUnavailableError(
                name, f"its file can't be read ({error})", "Reinstall image-similarity-search."
            ) from error
        checksum = hashlib.sha256(model).hexdigest()
        self.fingerprint = f"{name};sha256={checksum[:16]};{preprocessing.fingerprint}"
        self._session = _session(name, model, threads)
        (self._input,) = self._session.get_inputs()
        self._takes_pixels = self._input.type == "tensor(uint8)"

    def encode(self, pixels: PixelArray) -> FloatArray:
        """Embed ``(n, crop, crop, 3)`` uint8 RGB pixels as ``(n, dim)`` float32.

        Raises:
            EncoderOutputError: the model's output has another shape.
        """
        if not len(pixels):
            return np.empty((0, self.dim), dtype=np.float32)
        batch = pixels if self._takes_pixels else self._normalise(pixels)
        output = self._session.run(None, {self._input.name: batch})[0]
        if output.shape != (len(pixels), self.dim):
            raise EncoderOutputError(
                self.name, f"shape {output.shape}, expected {(len(pixels), self.dim)}"
            )
        return np.asarray(output, dtype=np.float32)

    def _normalise(self, pixels: PixelArray) -> FloatArray:
        mean = np.asarray(self.preprocessing.mean, dtype=np.float32)
        std = np.asarray(self.preprocessing.std, dtype=np.float32)
        values = (pixels.astype(np.float32) / 255 - mean) / std
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def _session(name: str, model: bytes, threads: int) -> onnxruntime.InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise EncoderUnavailableError(
            name, "onnxruntime is not installed", "Install it: pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # a spinning thread would take the processor from the threads that decode pictures
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no public base class
        raise EncoderUnavailableError(
            name, f"ONNX Runtime can't load it ({error})", "Is it a complete ONNX file?"
        ) from error
