"""An ONNX file of the user's own, with a small TOML file beside it that says what it wants.

::

    # model.toml, beside model.onnx
    resize = 256
    crop = 224
    interpolation = "bicubic"
    mean = [0.485, 0.456, 0.406]
    std = [0.229, 0.224, 0.225]
    text = "text.onnx"              # where the model has a text tower: its ONNX file,
    tokenizer = "tokenizer.json"    # its tokenizer, both beside this file,
    tokens = 77                     # and how many tokens it takes
"""

from __future__ import annotations

import os
import tomllib
from hashlib import sha256
from typing import Any

from image_similarity_search.encoders.devices import Device
from image_similarity_search.encoders.onnx import OnnxEncoder
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.encoders.text import TextTower
from image_similarity_search.errors import ConfigError, EncoderUnavailableError, reason_of
from image_similarity_search.types import number

_NEEDED = ("resize", "crop", "mean", "std")
_OPTIONAL = ("name", "interpolation", "fit", "output", "pooling", "text", "tokenizer", "tokens")
_EXAMPLE = (
    'resize = 256, crop = 224, interpolation = "bicubic", mean = [0.485, 0.456, 0.406],'
    " std = [0.229, 0.224, 0.225], a line each; optional: name, output,"
    ' pooling ("none", "mean" or "cls"), text and tokenizer (files), tokens,'
    ' fit ("crop" or "stretch")'
)


def encoder_of_file(path: str, spec: EncoderSpec, device: Device) -> OnnxEncoder:
    """The encoder that is the ONNX file ``path``, described by the TOML file beside it.

    Raises:
        EncoderUnavailableError: one of the two files is missing or can't be read.
        ConfigError: a value is missing, not known, or makes no sense.
    """
    name = os.path.splitext(os.path.basename(path))[0]
    try:
        with open(path, "rb") as file:
            model = file.read()
    except OSError as error:
        raise EncoderUnavailableError(
            name,
            f"{path} can't be read ({reason_of(error)})",
            "Give its new location with --model FILE (encoder=FILE in Python).",
        ) from error
    described = _described(name, os.path.splitext(path)[0] + ".toml")
    return OnnxEncoder(
        described.get("name", name),
        model,
        spec.applied_to(_preprocessing(described)),
        output=described.get("output"),
        pooling=described.get("pooling", "none"),
        fingerprint=f"onnx;sha256={sha256(model).hexdigest()[:16]}",  # whatever the file is called
        spec=spec,
        device=device,
    )


def text_tower_of_file(path: str) -> TextTower | None:
    """The text tower of the model in ``path``, where the TOML file beside it names one.

    Raises:
        EncoderUnavailableError: the TOML file is missing or can't be read.
        ConfigError: one of the two files is not named, or ``tokens`` is no number.
    """
    stem = os.path.splitext(path)[0]
    described = _described(os.path.basename(stem), stem + ".toml")
    given = [described.get(key) for key in ("text", "tokenizer")]
    if given == [None, None]:
        return None
    for key, value in zip(("text", "tokenizer"), given, strict=True):
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{key} in {stem}.toml", value, "the name of a file next to it")
    tokens = described.get("tokens", 77)
    if type(tokens) is not int or tokens < 2:
        raise ConfigError(f"tokens in {stem}.toml", tokens, "a whole number, at least 2")
    folder = os.path.dirname(path)
    model, tokenizer = (os.path.join(folder, str(value)) for value in given)
    return TextTower(model, tokenizer, tokens)


def _described(name: str, path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            described = tomllib.load(file)
    except FileNotFoundError as error:
        raise EncoderUnavailableError(
            name, f"{path} is missing, which describes its input", f"Write it: {_EXAMPLE}."
        ) from error
    except (OSError, ValueError) as error:
        raise EncoderUnavailableError(
            name, f"{path} can't be read ({error})", f"Expected: {_EXAMPLE}."
        ) from error
    for key in described:
        if key not in _NEEDED + _OPTIONAL:
            raise ConfigError(
                f"{key} in {path}", described[key], f"no such key; expected {_EXAMPLE}"
            )
    name = described.get("name", name)
    if not isinstance(name, str) or not name:
        raise ConfigError(f"name in {path}", name, "a text")
    for key in _NEEDED:
        if key not in described:
            raise ConfigError(f"{key} in {path}", None, f"a value; expected {_EXAMPLE}")
    return described


def _preprocessing(described: dict[str, Any]) -> Preprocessing:
    for key in ("resize", "crop"):
        if type(described[key]) is not int:
            raise ConfigError(key, described[key], "a whole number of pixels")
    for key in ("mean", "std"):
        values = described[key]
        numbers = isinstance(values, list) and all(type(v) in (int, float) for v in values)
        if not numbers or len(values) != 3:
            raise ConfigError(key, values, "three numbers, for red, green and blue, from 0 to 1")
    mean, std = (tuple(map(number, described[key])) for key in ("mean", "std"))
    return Preprocessing(
        described["resize"],
        described["crop"],
        described.get("interpolation", "bicubic"),
        (mean[0], mean[1], mean[2]),
        (std[0], std[1], std[2]),
        described.get("fit", "crop"),
    )
