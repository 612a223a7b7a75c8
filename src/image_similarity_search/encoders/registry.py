"""Makes an encoder from its name, its file, or a spec of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

from image_similarity_search.encoders import hub
from image_similarity_search.encoders.base import Encoder
from image_similarity_search.encoders.devices import Device, check_device
from image_similarity_search.encoders.head import Head
from image_similarity_search.encoders.onnx import OnnxEncoder
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.encoders.table import DEFAULT_ENCODER, ENCODERS, EncoderRow
from image_similarity_search.encoders.text import TextEncoder, TextTower
from image_similarity_search.errors import (
    ConfigError,
    EncoderUnavailableError,
    UnknownEncoderError,
    reason_of,
)

_TIMM = "timm:"
_MODEL_TOO = (
    "the model that they belong to as well, such as --model resnet50 (EncoderSpec(model=)"
    " in Python); your own .onnx file is a model: --model FILE"
)
_OTHERS = ("an .onnx file", "timm:NAME")


def create(encoder: str | EncoderSpec | None = None, device: Device = "auto") -> Encoder:
    """Make an encoder; None is the default one.

    Args:
        encoder: a name of the table, the path of an ``.onnx`` file, ``timm:NAME``, or a spec,
            which can say other weights and another preprocessing too.
        device: where it runs: ``auto``, ``cpu``, ``cuda``, or ``openvino``: on the processor, by
            OpenVINO, in the fingerprint too. A spec that says ``openvino`` is run so by any of
            the others but ``cuda``.

    Raises:
        UnknownEncoderError: no encoder has this name.
        EncoderUnavailableError: something it needs is missing.
        ConfigError: a value is not allowed, or does not fit the model.
    """
    check_device(device)
    spec = resolved(encoder)
    device = _device_for(spec, device)
    if spec.weights is not None and spec.model is None:
        raise ConfigError("weights", spec.weights, _MODEL_TOO)
    model = spec.model or DEFAULT_ENCODER
    if model in ENCODERS:
        return _of_row(ENCODERS[model], spec, device)
    if spec.weights is not None:
        raise ConfigError("weights", spec.weights, f"a built-in model with it, not {model}")
    if model.startswith(_TIMM):
        from image_similarity_search.encoders.torch_module import timm_encoder

        return timm_encoder(model.removeprefix(_TIMM), spec, device)
    if is_onnx_file(model):
        from image_similarity_search.encoders.model_file import encoder_of_file

        return encoder_of_file(model, spec, device)
    raise _unknown(model)


def refuse_unknown(model: str) -> None:
    """Raise UnknownEncoderError where no encoder has this name; that it can be made is not seen."""
    if not (model in ENCODERS or model.startswith(_TIMM) or is_onnx_file(model)):
        raise _unknown(model)


def _unknown(model: str) -> UnknownEncoderError:
    return UnknownEncoderError(model, [*ENCODERS, *_OTHERS])


def runs_by_onnx(spec: EncoderSpec, device: Device) -> bool:
    """Whether ONNX Runtime runs the encoder of a spec on a device."""
    if "openvino" in (spec.runtime, device):
        return False
    model = spec.model or DEFAULT_ENCODER
    row = ENCODERS.get(model)
    return is_onnx_file(model) if row is None else row.weights is not None


def is_onnx_file(model: str) -> bool:
    """Whether a model, or its weights, are given by the path of an ONNX file."""
    return model.lower().endswith(".onnx")


def resolved(encoder: str | EncoderSpec | None) -> EncoderSpec:
    """A spec whose files are absolute paths, so that it is the same from every folder."""
    spec = encoder if isinstance(encoder, EncoderSpec) else EncoderSpec(encoder)
    model, weights = spec.model, spec.weights
    if model is not None and is_onnx_file(model) and model not in ENCODERS:
        model = os.path.abspath(model)
    return replace(spec, model=model, weights=os.path.abspath(weights) if weights else None)


def model_of(spec: EncoderSpec) -> str | bytes | None:
    """The ONNX model of an encoder that was made from ``spec``, as a path or its bytes.

    Raises:
        EncoderUnavailableError: its file can't be read any more.
    """
    model = spec.model or DEFAULT_ENCODER
    row = ENCODERS.get(model)
    if row is None:
        return model if is_onnx_file(model) else None
    if row.weights is None:
        return None
    path, _ = _weights(row, spec)
    return _network(row, path)[0] if row.architecture and not is_onnx_file(path) else path


def is_here(row: EncoderRow) -> bool:
    """Whether an encoder can be made without fetching anything."""
    return not isinstance(row.weights, hub.HubFile) or hub.cached(row.weights) is not None


def fetch(name: str, *, text: bool = False) -> str | None:
    """Have an encoder's weights on this machine from now on; returns their path, if it has any.

    With ``text``, its text tower too, where it has one.

    Raises:
        UnknownEncoderError: the table has no encoder of this name.
        EncoderUnavailableError: they can't be fetched.
    """
    if name not in ENCODERS:
        raise UnknownEncoderError(name, ENCODERS)
    row = ENCODERS[name]
    if text and row.text:
        create_text(name, row.dim)
    return _weights(row, EncoderSpec())[0] if row.weights else None


def size_of(row: EncoderRow) -> int:
    """Bytes of an encoder's weights; 0 when it has none."""
    if isinstance(row.weights, hub.HubFile):
        return row.weights.size
    return os.path.getsize(_weights(row, EncoderSpec())[0]) if row.weights else 0


def has_text(encoder: str | EncoderSpec | None) -> bool:
    """Whether pictures of this encoder can be searched by text."""
    try:
        return _tower(resolved(encoder)) is not None
    except (ConfigError, EncoderUnavailableError):  # a file that is not where it was
        return False


def create_text(encoder: str | EncoderSpec | None, dim: int) -> TextEncoder:
    """What embeds texts as the encoder embeds pictures, in ``dim`` values.

    Raises:
        EncoderUnavailableError: it has no text tower, or something it needs is missing.
    """
    spec = resolved(encoder)
    name, tower = spec.model or DEFAULT_ENCODER, _tower(spec)
    if tower is None:
        able = ", ".join(row.name for row in ENCODERS.values() if row.text)
        raise EncoderUnavailableError(
            name,
            "it has no text encoder, so its pictures can't be searched by text",
            f"Index them with a model that has one: {able}, or an .onnx file with a text encoder.",
        )
    model, tokenizer = (
        hub.fetched(file, name, _TEXT_REMEDY)[0] if isinstance(file, hub.HubFile) else file
        for file in (tower.model, tower.tokenizer)
    )
    return TextEncoder(name, model, tokenizer, dim, tower.tokens)


_TEXT_REMEDY = "Connect to the internet once to download it."


def _tower(spec: EncoderSpec) -> TextTower | None:
    model = spec.model or DEFAULT_ENCODER
    if model in ENCODERS:
        return ENCODERS[model].text
    if not is_onnx_file(model):
        return None
    from image_similarity_search.encoders.model_file import text_tower_of_file

    return text_tower_of_file(model)


def _of_row(row: EncoderRow, spec: EncoderSpec, device: Device) -> Encoder:
    spec = replace(spec, model=row.name)
    if row.weights is None:
        return _without_weights(row, spec, device)
    preprocessing = spec.applied_to(row.preprocessing)
    path, checksum = _weights(row, spec)
    fingerprint, head = _mark(row, spec, path, checksum), None
    if row.head:
        head = Head(_inside(row.head))
    model: str | bytes = path
    if row.architecture and not is_onnx_file(path):
        model, fingerprint = _network(row, path)
    encoder = OnnxEncoder(
        row.name,
        model,
        preprocessing,
        dim=row.dim if spec.weights is None else None,
        pooling=row.pooling,
        output=row.output,
        head=head,
        fingerprint=fingerprint,
        spec=spec,
        device=device,
    )
    if encoder.dim != row.dim:
        problem = f"the model in {path} gives {encoder.dim:,} values, expected {row.dim:,}"
        raise EncoderUnavailableError(row.name, problem, "Export it without its classifier.")
    return encoder


def _mark(row: EncoderRow, spec: EncoderSpec, path: str, checksum: str | None) -> str | None:
    """The fingerprint without preprocessing, where it is not the encoder's to make."""
    if spec.weights is None and row.fingerprint:
        return row.fingerprint
    if row.head:
        checksum = checksum or _sha256(row.name, path)
        head = _sha256(row.name, _inside(row.head))
        return f"{row.name};sha256={checksum[:16]};head={head[:16]}"
    return f"{row.name};sha256={checksum[:16]}" if checksum else None


def _device_for(spec: EncoderSpec, device: Device) -> Device:
    """The device for a spec, which may have been made with one that gives other embeddings."""
    if spec.runtime is None:
        return device
    if spec.runtime != "openvino":
        raise ConfigError("runtime", spec.runtime, "openvino, or nothing for ONNX Runtime")
    if device == "cuda":
        raise ConfigError(
            "device", device, "nothing, or openvino: collections made with OpenVINO need it"
        )
    return "openvino"


def _without_weights(row: EncoderRow, spec: EncoderSpec, device: Device) -> Encoder:
    from image_similarity_search.encoders.colour_texture import ColourTextureEncoder

    if device == "openvino":
        raise ConfigError("device", device, f"another device: it can't run {row.name}")
    if spec.weights is not None:
        raise ConfigError("weights", spec.weights, f"nothing: {row.name} has no weights")
    if spec.applied_to(row.preprocessing) != row.preprocessing:
        raise ConfigError("crop", spec, f"nothing other than the default: {row.name} needs it")
    return ColourTextureEncoder()


def _weights(row: EncoderRow, spec: EncoderSpec) -> tuple[str, str | None]:
    """The path of the weights, and their SHA-256 where it is known by now."""
    if spec.weights is not None:
        return spec.weights, None
    if isinstance(row.weights, hub.HubFile):
        return hub.fetched(row.weights, row.name, _remedy(row))
    return _inside(str(row.weights)), None


def _inside(file: str) -> str:
    """The path of a file that comes with the package."""
    return os.path.join(os.path.dirname(__file__), "models", file)


def _sha256(name: str, path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderUnavailableError(
            name,
            f"{path} can't be read ({reason_of(error)})",
            "Check the path given with --weights.",
        ) from error


def _network(row: EncoderRow, path: str) -> tuple[bytes, str]:
    """The ONNX model of a row with an architecture, and its fingerprint without preprocessing."""
    from image_similarity_search.encoders.resnet import ARCHITECTURES, resnet_model
    from image_similarity_search.encoders.weights import read_weights

    try:
        tensors = read_weights(row.name, path)
        model, digest = resnet_model(ARCHITECTURES[str(row.architecture)], tensors)
    except ValueError as error:
        raise EncoderUnavailableError(
            row.name, f"{path} does not have its weights ({error})", _remedy(row)
        ) from error
    return model, f"{row.name};weights={digest[:16]}"


def _remedy(row: EncoderRow) -> str:
    kinds = "an ONNX, safetensors or torch .pth file" if row.architecture else "an ONNX file"
    where = f" such as {row.elsewhere}" if row.elsewhere else ""
    return (
        "Connect to the internet once to download it; or give a local file, --weights FILE"
        f" (EncoderSpec(weights=FILE) in Python), {kinds}{where}."
    )
