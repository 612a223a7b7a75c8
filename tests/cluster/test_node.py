"""What a node answers, without a cluster: with encoders that give no finite embedding."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx_models as models
import pyarrow as pa
import pytest
from conftest import MakePicture
from onnx import ModelProto
from PIL import Image

from image_similarity_search import EncoderSpec, create_encoder
from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.collection.cluster.messages import (
    Answer,
    Encoded,
    Stopped,
    Task,
    answer_of,
    asked,
)
from image_similarity_search.collection.cluster.node import Encoding
from image_similarity_search.collection.pipeline import Job


@pytest.fixture
def pictures(make_picture: MakePicture, tmp_path: Path) -> list[Path]:
    """Two, and a black one between them."""
    Image.new("RGB", (64, 64)).save(tmp_path / "night.png")
    return [
        make_picture(tmp_path / "a.png", 1),
        tmp_path / "night.png",
        make_picture(tmp_path / "b.png", 2),
    ]


def _answers(model: ModelProto, folder: Path, pictures: list[Path]) -> Iterator[Answer]:
    """What a node with this model answers, in any order."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    path.with_suffix(".toml").write_text(models.AS_THEY_ARE)
    spec = EncoderSpec(str(path))
    task = Task(spec.to_json(), create_encoder(spec).fingerprint, "cpu", 60, False, 1)
    jobs = [
        asked(number, Job(str(picture), Place(0, ""), FileStat(os.path.getsize(picture), 0), None))
        for number, picture in enumerate(pictures)
    ]
    encoding = Encoding(task)
    try:
        table = encoding(pa.table({"job": pa.array(jobs, pa.binary())}))
    finally:
        encoding._decoders.close()
    return (answer_of(data)[1] for data in table.column("answer").to_pylist())


def test_an_encoder_that_gives_none_of_any_picture_is_an_error_there(
    tmp_path: Path, pictures: list[Path]
) -> None:
    (answer,) = _answers(models.divided(broken=True), tmp_path, pictures)
    assert isinstance(answer, Stopped)
    assert "'model' returned NaN or infinite values" in answer.reason
    assert f"(on {socket.gethostname()})" in answer.reason


@pytest.mark.parametrize("which", [slice(None), slice(1, 2)])
def test_a_picture_of_which_it_gives_none_costs_no_other(
    tmp_path: Path, pictures: list[Path], which: slice
) -> None:
    answers = list(_answers(models.divided(), tmp_path, pictures[which]))
    finite = [bool(np.isfinite(it.embedding).all()) for it in answers if isinstance(it, Encoded)]
    assert finite == [True, False, True][which]
