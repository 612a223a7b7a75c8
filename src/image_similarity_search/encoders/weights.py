"""Weights in a file, whatever its kind, as NumPy arrays by name."""

from __future__ import annotations

import hashlib
import os
import re
from typing import Any

from numpy.typing import NDArray

from image_similarity_search.encoders.torch_file import read_torch_file
from image_similarity_search.errors import EncoderUnavailableError, reason_of

_TORCH = (".pth", ".pt", ".bin")
_KINDS = "an .onnx or .safetensors file, or a torch .pth file of the state_dict alone"


def read_weights(name: str, path: str) -> dict[str, NDArray[Any]]:
    """The tensors of a safetensors file, or of one of torch, for the encoder ``name``.

    A file that has the first digits of its SHA-256 in its name, as torchvision's have
    (``resnet50-0676ba61.pth``), is held to it.

    Raises:
        EncoderUnavailableError: it is missing, damaged, or of another kind.
    """
    suffix = os.path.splitext(path)[1].lower()
    try:
        if suffix == ".safetensors":
            return _from_safetensors(path)
        if suffix in _TORCH:
            _check_promised_hash(path)
            return read_torch_file(path)
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        remedy = "Check the path given with --weights." if missing else f"Give {_KINDS}."
        reason = reason_of(error)
        raise EncoderUnavailableError(
            name, f"its weights can't be read from {path}: {reason}", remedy
        ) from error
    raise EncoderUnavailableError(
        name, f"its weights are not in a known file format: {path}", f"Give {_KINDS}."
    )


def _from_safetensors(path: str) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        with (
            open(path, "rb"),
            safe_open(path, framework="numpy") as file,
        ):  # open says what is wrong
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, TypeError) as error:  # TypeError: a type that NumPy has not
        raise ValueError(f"not a safetensors file, or damaged ({error})") from error


def _check_promised_hash(path: str) -> None:
    promised = re.search(r"-(?=[0-9a-f]*[a-f])([0-9a-f]{8,64})\.", os.path.basename(path))
    if promised is None:
        return
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(promised[1]):
        raise ValueError(
            f"its SHA-256 begins with {digest[: len(promised[1])]}, unlike its name says: it"
            " is damaged or was renamed"
        )
