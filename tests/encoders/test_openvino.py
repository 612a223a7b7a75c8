"""A model that OpenVINO runs gives nearly the same embeddings, and a fingerprint that says so."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import onnx
import onnx_models as models
import pytest
from conftest import draw

from image_similarity_search import Collection, EncoderSpec, create_encoder
from image_similarity_search.encoders.onnx import OnnxEncoder
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.errors import (
    CollectionMismatchError,
    ConfigError,
    EncoderUnavailableError,
)
from image_similarity_search.testing import check_encoder
from image_similarity_search.types import FloatArray

_HERE = importlib.util.find_spec("openvino") is not None
with_openvino = pytest.mark.skipif(not _HERE, reason="OpenVINO is not installed")
without_openvino = pytest.mark.skipif(_HERE, reason="OpenVINO is installed")


def views(encoder: Any, count: int = 8) -> Any:
    return np.stack([encoder.preprocessing.view(draw(seed, (300, 260))) for seed in range(count)])


@without_openvino
def test_where_it_is_missing_that_is_said_with_what_to_install(
    tmp_path: Path, photos: Path
) -> None:
    command = [sys.executable, "-m", "image_similarity_search", "index", str(photos)]
    done = subprocess.run(
        [*command, "--device", "openvino"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "pip install 'image-similarity-search[openvino]'" in done.stderr
    assert not (tmp_path / "index_data").exists()


@with_openvino
def test_the_bundled_model_gives_nearly_the_same_embeddings() -> None:
    encoder, usual = create_encoder(device="openvino"), create_encoder()
    check_encoder(encoder)
    ours, theirs = encoder.encode(views(encoder)), usual.encode(views(usual))
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    assert ((ours * theirs).sum(axis=1) / lengths).min() > 0.99
    precision = encoder._session.precision  # type: ignore[attr-defined]
    assert precision in ("bf16", "f32")
    said = f";openvino-{precision};resize"
    assert encoder.fingerprint == usual.fingerprint.replace(";resize", said)


@with_openvino
def test_threads_may_run_it_at_once() -> None:
    encoder = create_encoder(device="openvino")
    pixels = views(encoder, 4)
    alone = encoder.encode(pixels)
    found: list[FloatArray] = []
    threads = [
        Thread(target=lambda: found.extend(encoder.encode(pixels) for _ in range(4)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    for rows in found:
        np.testing.assert_allclose(rows, alone, rtol=1e-3, atol=1e-3)


@with_openvino
def test_a_collection_remembers_what_encoded_it(tmp_path: Path, photos: Path) -> None:
    with Collection.open(tmp_path / "i", device="openvino", create=True) as collection:
        collection.sync(photos)
        fingerprint = collection.encoder.fingerprint
    with Collection.open(tmp_path / "i") as collection:
        assert collection.encoder.fingerprint == fingerprint
        assert collection.search(photos / "picture 0.jpg")[0].score > 0.9999
    with pytest.raises(ConfigError, match="made with OpenVINO"):
        assert Collection.open(tmp_path / "i", device="cuda").encoder


@with_openvino
def test_a_collection_of_another_runtime_refuses_it(tmp_path: Path, photos: Path) -> None:
    with Collection.open(tmp_path / "i", create=True) as collection:
        collection.sync(photos)
    with pytest.raises(CollectionMismatchError, match="runtime is ONNX Runtime, but OpenVINO"):
        Collection.open(tmp_path / "i", device="openvino")


@with_openvino
def test_a_model_of_ones_own_and_a_damaged_one(tmp_path: Path) -> None:
    network = models.weighted().SerializeToString()
    usual = OnnxEncoder("mine", network, Preprocessing(32, 32))
    encoder = OnnxEncoder("mine", network, Preprocessing(32, 32), device="openvino")
    np.testing.assert_allclose(
        encoder.encode(views(encoder)), usual.encode(views(usual)), rtol=0.05, atol=0.05
    )
    with pytest.raises(EncoderUnavailableError, match="OpenVINO can't load it"):
        OnnxEncoder("mine", network[:-20], Preprocessing(32, 32), device="openvino")


@with_openvino
def test_weights_beside_a_model_are_refused(tmp_path: Path) -> None:
    network = models.weighted()
    path = str(tmp_path / "two.onnx")
    onnx.save_model(network, path, save_as_external_data=True, size_threshold=0)
    with pytest.raises(EncoderUnavailableError, match="in another file"):
        OnnxEncoder("two", path, Preprocessing(32, 32), device="openvino")


def test_what_it_can_not_run_is_refused() -> None:
    with pytest.raises(ConfigError, match="another device: it can't run"):
        create_encoder("colour-texture", device="openvino")
    with pytest.raises(ConfigError, match="openvino, or nothing"):
        create_encoder(EncoderSpec(runtime="tensorflow"))  # type: ignore[arg-type]
