"""The text tower of a model: words to embeddings that are compared with those of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_similarity_search.encoders.devices import onnx_session
from image_similarity_search.encoders.hub import HubFile
from image_similarity_search.errors import (
    ConfigError,
    EncoderOutputError,
    EncoderUnavailableError,
)
from image_similarity_search.types import FloatArray

_OUTPUT = "text_embeds"  # where a model has several; otherwise the first
_INPUTS = {"input_ids", "attention_mask"}
_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


@dataclass(frozen=True, slots=True)
class TextTower:
    """The files of a text tower.

    Attributes:
        model: an ONNX model from ``input_ids`` and perhaps ``attention_mask`` ``(n, tokens)``,
            int64 or int32, to embeddings ``(n, dim)``; a file of the hub, or a local one.
        tokenizer: the ``tokenizer.json`` of the library ``tokenizers``; the same.
        tokens: as many as the model takes; of a longer text the end is cut off.
    """

    model: HubFile | str
    tokenizer: HubFile | str
    tokens: int = 77


class TextEncoder:
    """Embeds texts. Several threads may call it at once.

    Args:
        name: what people call the encoder of the pictures.
        model: the path of the ONNX model.
        tokenizer: the path of the tokenizer's JSON.
        dim: length of an embedding of a picture, which those of texts must have.
        tokens: as many as the model takes.

    Raises:
        EncoderUnavailableError: the library ``tokenizers`` or a file is missing, or the model has
            other inputs.
    """

    def __init__(self, name: str, model: str, tokenizer: str, dim: int, tokens: int) -> None:
        self.name = name
        self.dim = dim
        self._tokenizer = _opened(name, tokenizer, tokens)
        self._tokens = tokens
        self._session, _ = onnx_session(name, model, "cpu", 1, model)
        self._inputs = {item.name: item for item in self._session.get_inputs()}
        fits = "input_ids" in self._inputs and set(self._inputs) <= _INPUTS
        if not fits or any(item.type not in _TYPES for item in self._inputs.values()):
            shown = ", ".join(f"{item.name}: {item.type}" for item in self._inputs.values())
            remedy = "Expected: input_ids and optionally attention_mask, of int64 or int32."
            raise EncoderUnavailableError(name, f"its text encoder takes {shown}", remedy)
        names = [item.name for item in self._session.get_outputs()]
        self._output = _OUTPUT if _OUTPUT in names else names[0]

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts as ``(n, dim)`` float32.

        Raises:
            ConfigError: a text is empty.
            EncoderOutputError: the model's output has another shape, or it fails.
        """
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        for at, text in enumerate(texts):  # one by one: nothing is to be filled up
            if not isinstance(text, str) or not text.strip():
                raise ConfigError("text", text, "a few words, such as 'a red boat'")
            rows[at] = self._embedding(text)
        return rows

    def _embedding(self, text: str) -> FloatArray:
        try:
            # a lone surrogate, as of a terminal's undecodable bytes, is no text to the tokenizer
            plain = text.encode("utf-8", "replace").decode("utf-8")
            encoded = self._tokenizer.encode(plain)
            feeds = {
                "input_ids": self._as_input("input_ids", encoded.ids),
                "attention_mask": self._as_input("attention_mask", encoded.attention_mask),
            }
            given = {name: feeds[name] for name in self._inputs}
            output = np.asarray(self._session.run([self._output], given)[0])
        except Exception as error:  # of the tokenizer and of ONNX Runtime: no public base class
            problem = f"an error of its text encoder: {type(error).__name__}: {error}"
            raise EncoderOutputError(self.name, problem) from error
        if output.shape != (1, self.dim):
            problem = f"shape {output.shape} of a text, expected {(1, self.dim)}"
            raise EncoderOutputError(self.name, problem)
        return np.asarray(output[0], dtype=np.float32)

    def _as_input(self, name: str, values: list[int]) -> NDArray[Any] | None:
        """One row; a model of fixed length gets the last token again, which the mask leaves out."""
        item = self._inputs.get(name)
        if item is None:
            return None
        length = item.shape[1]
        if isinstance(length, int) and length > len(values):
            filler = values[-1] if name == "input_ids" else 0
            values = values + [filler] * (length - len(values))
        return np.array([values], dtype=_TYPES[item.type])


def _opened(name: str, path: str, tokens: int) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise EncoderUnavailableError(
            name,
            "searching by text needs the package tokenizers, which is not installed",
            "Install it: pip install 'image-similarity-search[text]'.",
        ) from error
    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # that is the class that it raises
        problem = f"{path} is not a readable tokenizer ({error})"
        raise EncoderUnavailableError(name, problem, "Expected: a tokenizer.json.") from error
    tokenizer.enable_truncation(tokens)
    tokenizer.no_padding()
    return tokenizer
