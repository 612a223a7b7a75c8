"""Encoders that are torch modules: any of yours, and any of timm by its name.

For the extra ``[torch]``; nothing else in this package imports torch.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from image_similarity_search.encoders.devices import Device, check_device
from image_similarity_search.encoders.hub import HubFile, require_answer
from image_similarity_search.encoders.preprocessing import Fit, Interpolation, Preprocessing
from image_similarity_search.encoders.spec import EncoderSpec
from image_similarity_search.errors import (
    ConfigError,
    EncoderOutputError,
    EncoderUnavailableError,
)
from image_similarity_search.types import FloatArray, PixelArray

if TYPE_CHECKING:
    import torch

_INSTALL = "Install it: pip install 'image-similarity-search[torch]'"
_MARGIN = 0.875  # of timm: what part of the resized picture the crop shows, where it says nothing


class TorchEncoder:
    """Runs a ``torch.nn.Module``: ``(n, 3, crop, crop)`` float32 to ``(n, dim)``.

    The module is put into evaluation mode and moved to the device. Its output may have further
    axes of length 1.

    Args:
        module: the network, without a classifier.
        preprocessing: what it wants to see of a picture; mean and std are applied.
        name: what people call it.
        fingerprint: instead of one made from its weights. A module whose code changes while its
            weights stay needs one of its own.
        spec: with which ``registry.create`` makes the same encoder again.
        device: ``auto``, ``cpu`` or ``cuda``; the attribute ``device`` says which was taken.

    Raises:
        EncoderUnavailableError: torch is not installed, or CUDA was asked for and can't be used.
        EncoderOutputError: what the module gives is no embedding.
    """

    thread_safe = False

    def __init__(
        self,
        module: torch.nn.Module,
        preprocessing: Preprocessing,
        *,
        name: str,
        fingerprint: str | None = None,
        spec: EncoderSpec | None = None,
        device: Device = "auto",
    ) -> None:
        self.name = name
        self.preprocessing = preprocessing
        self.spec = (spec or EncoderSpec()).made_with(preprocessing)
        self.device = _chosen_device(name, device)
        self._module = module.eval()
        mark = fingerprint or f"{name};weights={_digest(self._module)[:16]}"
        self.fingerprint = f"{mark};{preprocessing.fingerprint}"
        self._module.to(self.device)
        side = preprocessing.crop
        self.dim = int(self._run(np.zeros((1, side, side, 3), dtype=np.uint8)).shape[1])

    def encode(self, pixels: PixelArray) -> FloatArray:
        """Embed ``(n, crop, crop, 3)`` uint8 RGB pixels as ``(n, dim)`` float32.

        Raises:
            ConfigError: other pixels than these.
            EncoderOutputError: the module's output has another shape, or it fails.
        """
        if not len(pixels):
            return np.empty((0, self.dim), dtype=np.float32)
        self.preprocessing.check(pixels)
        rows = self._run(pixels)
        if rows.shape[1] != self.dim:
            raise EncoderOutputError(self.name, f"{rows.shape[1]} values, expected {self.dim}")
        return rows

    def _run(self, pixels: PixelArray) -> FloatArray:
        import torch

        values = self.preprocessing.normalise(pixels).transpose(0, 3, 1, 2)
        try:
            with torch.inference_mode():
                batch = torch.from_numpy(np.ascontiguousarray(values)).to(self.device)
                output: Any = self._module(batch)
        except Exception as error:  # of torch, of the module's own code
            raise EncoderOutputError(self.name, f"an error of its module: {error}") from error
        if not isinstance(output, torch.Tensor) or output.numel() == 0:
            raise EncoderOutputError(self.name, f"a {type(output).__name__}, expected a tensor")
        rows_only = output.ndim > 1 and output.shape[0] * output.shape[1] == output.numel()
        if not rows_only or len(output) != len(pixels):
            raise EncoderOutputError(
                self.name, f"shape {tuple(output.shape)}, expected (n, dim): pool it in the module"
            )
        return np.asarray(output.flatten(1).float().cpu(), dtype=np.float32)


def timm_encoder(name: str, spec: EncoderSpec, device: Device) -> TorchEncoder:
    """A network of timm without its classifier, with its weights and its preprocessing.

    Raises:
        EncoderUnavailableError: timm is not installed, has no such model, or can't fetch it.
        ConfigError: a value of the preprocessing is not allowed.
    """
    shown = f"timm:{name}"
    try:
        import timm
    except Exception as error:  # a torchvision that doesn't fit its torch raises anything
        raise EncoderUnavailableError(
            shown, f"timm can't be imported ({error})", _INSTALL
        ) from error
    try:
        known = timm.get_pretrained_cfg(name)
        if known is not None and known.hf_hub_id:
            weights = HubFile(known.hf_hub_id, "model.safetensors", 0)
            require_answer(weights, shown, "Connect to the internet once to download them.")
        module = timm.create_model(name, pretrained=True, num_classes=0)
        config = timm.data.resolve_model_data_config(module)
    except EncoderUnavailableError:
        raise
    except Exception as error:  # of timm, of the hub's client, of torch
        problem = f"timm can't create it: {str(error).rstrip('.')}"
        raise EncoderUnavailableError(
            shown, problem, "timm.list_models(pretrained=True) lists the names."
        ) from error
    preprocessing = spec.applied_to(preprocessing_of(config))
    return TorchEncoder(module, preprocessing, name=shown, spec=spec, device=device)


def preprocessing_of(config: dict[str, Any]) -> Preprocessing:
    """What a network wants to see of a picture, from timm's data configuration of it."""
    crop = int(config["input_size"][-1])
    interpolation: Interpolation = config.get("interpolation", "bicubic")
    resize = int(crop / float(config.get("crop_pct") or _MARGIN))  # as timm rounds it
    fit: Fit = "stretch" if config.get("crop_mode") == "squash" and resize == crop else "crop"
    return Preprocessing(
        resize, crop, interpolation, tuple(config["mean"]), tuple(config["std"]), fit
    )


def _chosen_device(name: str, device: Device) -> Literal["cpu", "cuda"]:
    check_device(device)
    try:
        import torch
    except Exception as error:  # a broken install raises more than ImportError
        raise EncoderUnavailableError(
            name, f"torch can't be imported ({error})", _INSTALL
        ) from error
    if device == "openvino":
        raise ConfigError("device", device, f"auto, cpu or cuda: {name} is run by torch")
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise EncoderUnavailableError(
            name,
            "CUDA can't be used: torch finds no GPU, or was built without CUDA",
            "Use --device cpu (device='cpu').",
        )
    return "cuda"


def _digest(module: torch.nn.Module) -> str:
    """Of the weights' names, types and values."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)};".encode())
        digest.update(values.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
