"""A model runs where it is told to, or it says at once why it can't."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx_models as models
import onnxruntime
import pytest
from conftest import draw

from image_similarity_search import create_encoder
from image_similarity_search.encoders.devices import onnx_session
from image_similarity_search.encoders.onnx import OnnxEncoder
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import ConfigError, EncoderUnavailableError
from image_similarity_search.testing import check_encoder

_FOR_CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
usual_build = pytest.mark.skipif(_FOR_CUDA, reason="this ONNX Runtime is built for CUDA")
cuda_build = pytest.mark.skipif(not _FOR_CUDA, reason="this ONNX Runtime is not built for CUDA")
_ISS = [sys.executable, "-m", "image_similarity_search"]


def iss(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*_ISS, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@usual_build
def test_cuda_without_it_is_refused_at_once_with_what_to_install(
    tmp_path: Path, photos: Path
) -> None:
    began = time.monotonic()
    done = iss(tmp_path, "index", photos, "--device", "cuda")
    assert time.monotonic() - began < 10
    assert done.returncode == 5
    assert done.stdout == ""
    for part in (
        "model 'efficientnet-lite0-whole' can't be used: CUDA is not available",
        "the installed ONNX Runtime has no CUDA support",
        "pip install 'image-similarity-search[gpu]'",
        "--device cpu",
    ):
        assert part in done.stderr
    assert not (tmp_path / "index_data").exists()


@usual_build
def test_auto_takes_the_processor_and_says_so_to_those_who_listen(
    tmp_path: Path,
    photos: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        encoder: Any = create_encoder()
    assert encoder.device == "cpu"
    (record,) = caplog.records
    assert (record.levelname, record.name) == (
        "DEBUG",
        "image_similarity_search.encoders.devices",
    )
    assert "efficientnet-lite0-whole runs on the processor" in record.message
    assert capfd.readouterr() == ("", "")
    done = iss(tmp_path, "-v", "index", photos)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert "CUDA" not in done.stderr
    assert "on the processor" not in done.stderr


def test_the_processor_is_taken_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        encoder: Any = create_encoder(device="cpu")
    assert encoder.device == "cpu"
    assert caplog.records == []


def test_a_device_that_there_is_not_is_refused() -> None:
    message = "device is 'gpu'; expected one of auto, cpu, cuda"
    for name in ("efficientnet-lite0", "colour-texture", "resnet50", "none.onnx"):
        with pytest.raises(ConfigError, match=message):
            create_encoder(name, "gpu")  # type: ignore[arg-type]
    model = models.mean_colour().SerializeToString()
    with pytest.raises(ConfigError, match=message):
        OnnxEncoder("tiny", model, Preprocessing(), device="gpu")  # type: ignore[arg-type]


def test_a_session_is_of_the_threads_that_were_asked_for() -> None:
    session, device = onnx_session("tiny", models.mean_colour().SerializeToString(), "cpu", 3)
    options = session.get_session_options()
    assert (device, options.intra_op_num_threads, options.inter_op_num_threads) == ("cpu", 3, 1)
    assert session.get_providers() == ["CPUExecutionProvider"]


def _on_gpu() -> bool:
    encoder: Any = create_encoder()
    return bool(encoder.device == "cuda")


@cuda_build
def test_a_build_for_cuda_that_finds_no_gpu_warns(
    tmp_path: Path,
    photos: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    if _on_gpu():
        pytest.skip("there is a GPU")
    caplog.clear()
    encoder: Any = create_encoder()
    assert encoder.device == "cpu"
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "CUDA can't be used" in record.message
    assert capfd.readouterr() == ("", "")
    with pytest.raises(EncoderUnavailableError, match="CUDA is not available") as caught:
        create_encoder(device="cuda")
    assert "NVIDIA GPU with its driver" in caught.value.remedy
    done = iss(tmp_path, "index", photos)
    assert len(done.stdout.splitlines()) == 1
    assert "iss: CUDA can't be used" in done.stderr


@cuda_build
def test_a_gpu_gives_the_embeddings_of_the_processor() -> None:
    if not _on_gpu():
        pytest.skip("there is no GPU, or no driver for it")
    gpu, cpu = create_encoder(device="cuda"), create_encoder(device="cpu")
    check_encoder(gpu)
    assert gpu.fingerprint == cpu.fingerprint
    views = np.stack([cpu.preprocessing.view(draw(seed, (300, 260))) for seed in range(6)])
    one, other = gpu.encode(views), cpu.encode(views)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    assert ((one * other).sum(axis=1) / lengths).min() > 0.999


def test_nobody_is_told_that_a_network_is_used(tmp_path: Path) -> None:
    code = "from image_similarity_search import create_encoder; create_encoder()"
    surroundings = {name: value for name, value in os.environ.items() if "TELEMETRY" not in name}
    subprocess.run(
        [sys.executable, "-c", code],
        env=surroundings | {"HOME": str(tmp_path), "XDG_CACHE_HOME": ""},
        check=True,
    )
    assert list(tmp_path.iterdir()) == []  # nor a number kept for this computer
