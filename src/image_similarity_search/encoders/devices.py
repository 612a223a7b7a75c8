"""Where a network runs: on the processor, or on a GPU by CUDA; by ONNX Runtime or OpenVINO."""

from __future__ import annotations

import logging
import os
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from image_similarity_search.errors import ConfigError, EncoderUnavailableError

if TYPE_CHECKING:
    import onnxruntime

_Providers: TypeAlias = "list[str | tuple[str, dict[str, str]]]"

Device = Literal["auto", "cpu", "cuda", "openvino"]
DEVICES: tuple[Device, ...] = get_args(Device)

_CUDA = "CUDAExecutionProvider"
_NO_CUDA_BUILD = "the installed ONNX Runtime has no CUDA support"
_REMEDY = (
    "It needs an NVIDIA GPU with its driver, pip install 'image-similarity-search[gpu]' and"
    " then pip install --force-reinstall --no-deps onnxruntime-gpu; or use --device cpu"
    " (device='cpu')."
)

_WARNING, _FATAL = 2, 4  # ONNX Runtime's levels of logging

_log = logging.getLogger(__name__)

# or ONNX Runtime, once imported, keeps a number for this computer and tells Microsoft of its use
os.putenv("ORT_DISABLE_TELEMETRY", "1")


def check_device(device: str) -> None:
    """Refuse a device that there is not, with a ConfigError."""
    if device not in DEVICES:
        raise ConfigError("device", device, f"one of {', '.join(DEVICES)}")


def onnx_session(
    name: str, model: str | bytes, device: Device, threads: int, shown: str = "it"
) -> tuple[onnxruntime.InferenceSession, Literal["cpu", "cuda"]]:
    """A session for a model (a path, or the file's bytes), and the device it runs on.

    Args:
        name: of the encoder, for errors.
        model: the model.
        device: ``auto`` takes CUDA where it works, and says so in the log where it should but
            does not.
        threads: processor threads that one call uses.
        shown: what errors call the model.

    Raises:
        ConfigError: there is no such device.
        EncoderUnavailableError: ONNX Runtime can't load the model, or CUDA was asked for and
            can't be used.
    """
    check_device(device)
    try:
        import onnxruntime  # noqa: F401 - here it is seen whether it is there
    except ImportError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # Ctrl-C within its initialisation
            raise error.__cause__ from None
        raise EncoderUnavailableError(
            name, f"ONNX Runtime can't be imported ({error})", "Install it: pip install onnxruntime"
        ) from error
    if device != "cpu":
        session, problem = _on_cuda(model, threads)
        if session:
            return session, "cuda"
        if device == "cuda":
            raise EncoderUnavailableError(name, f"CUDA is not available: {problem}", _REMEDY)
        # who installed no build for CUDA expects none
        level = logging.DEBUG if problem == _NO_CUDA_BUILD else logging.WARNING
        _log.log(level, "CUDA can't be used (%s): %s runs on the processor", problem, name)
    options = _options(threads)
    try:
        return _new_session(model, options, ["CPUExecutionProvider"]), "cpu"
    except Exception as error:  # its exceptions share no public base class
        raise EncoderUnavailableError(
            name,
            f"ONNX Runtime can't load {shown} ({error})",
            "Is it a complete ONNX file, in one part?",
        ) from error


def _on_cuda(model: str | bytes, threads: int) -> tuple[onnxruntime.InferenceSession | None, str]:
    """A session on the GPU, or None and why there is none."""
    import onnxruntime

    if _CUDA not in onnxruntime.get_available_providers():
        return None, _NO_CUDA_BUILD
    # full float32: TF32 has 10 bits, and equal fingerprints promise equal embeddings
    providers: _Providers = [(_CUDA, {"use_tf32": "0"}), "CPUExecutionProvider"]
    said = StringIO()
    onnxruntime.set_default_logger_severity(_FATAL)  # what is wrong, our error says
    try:
        with redirect_stdout(said):
            onnxruntime.preload_dlls()  # those of CUDA's own Python packages
        session = _new_session(model, _options(threads), providers)
    except Exception as error:  # its exceptions share no public base class
        return None, str(error).strip().splitlines()[-1]
    finally:
        onnxruntime.set_default_logger_severity(_WARNING)
    if session.get_providers()[0] != _CUDA:
        missing = said.getvalue().strip().splitlines()
        return None, missing[0] if missing else "no GPU with a driver was found"
    return session, ""


def _options(threads: int) -> onnxruntime.SessionOptions:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # a spinning thread would take the processor from the threads that decode pictures
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # weights in a file beside the model would escape its checksum: nothing is found there
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.devnull
    )
    options.log_severity_level = _FATAL  # what is wrong, our error says
    return options


def _new_session(
    model: str | bytes,
    options: onnxruntime.SessionOptions,
    providers: _Providers,
) -> onnxruntime.InferenceSession:
    import onnxruntime

    # its own way back to the processor prints to standard output
    return onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)
