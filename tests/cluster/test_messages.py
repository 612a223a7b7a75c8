"""What goes to the nodes of a cluster and comes back, and what is said where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import MakePicture

from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.collection.cluster.address import checked_cluster
from image_similarity_search.collection.cluster.messages import (
    Encoded,
    Refused,
    Stopped,
    answer_of,
    answered,
    asked,
    job_of,
)
from image_similarity_search.collection.pipeline import Job
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import Traits


def test_a_job_arrives_as_it_was() -> None:
    job = Job("/a/caf\udce9 \n.jpg", Place(7, "x"), FileStat(5, -3, "tag"), 9)
    arrived = job_of(asked(4, job))
    assert (arrived.path, arrived.stat, arrived.known_id) == (job.path, job.stat, 4)


def test_answers_arrive_as_they_were() -> None:
    embedding = np.array([1.5, -2.0, 0.1], dtype=np.float32)
    traits = Traits("Canon", 7, colours=("red",))
    sent = Encoded("ab", 640, 480, embedding, b"\xff\x00", traits)
    number, encoded = answer_of(answered(3, sent))
    assert number == 3
    assert isinstance(encoded, Encoded)
    assert np.array_equal(encoded.embedding, embedding)
    assert (encoded.content_hash, encoded.width, encoded.height) == ("ab", 640, 480)
    assert (encoded.thumbnail, encoded.traits) == (b"\xff\x00", traits)
    for answer in (Refused(None, "", "node"), Refused("ab", "broken \udce9", ""), Stopped("why")):
        assert answer_of(answered(1, answer)) == (1, answer)


@pytest.mark.parametrize("on", ["", "spark", "ray://host", "ray://u:p@h:1", "ray://h:x", "ray "])
def test_what_is_no_cluster_is_refused(on: str) -> None:
    with pytest.raises(ConfigError):
        checked_cluster(on)
    assert checked_cluster("ray") == "ray"
    assert checked_cluster("ray://head.example:10001") == "ray://head.example:10001"


def test_without_ray_it_says_what_to_install(make_picture: MakePicture, tmp_path: Path) -> None:
    make_picture(tmp_path / "photos" / "a.png", 1)
    command = [
        *(sys.executable, "-c"),
        "import sys; sys.modules['ray'] = None;"
        "from image_similarity_search.cli import main; main()",
        *("index", str(tmp_path / "photos"), "--on", "ray"),
        *("--index-dir", str(tmp_path / "index")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'image-similarity-search[ray]'" in done.stderr
