"""Models from the command line: listed, chosen, prepared for otherwise, and refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from image_similarity_search.cli import exits

ISS = [sys.executable, "-m", "image_similarity_search"]


def iss(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*ISS, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_table_says_what_each_is_and_whether_it_is_here(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in json.loads(iss(tmp_path, "models", "--json").stdout)}
    assert {"efficientnet-lite0", "resnet50", "resnet101", "clip-vit-b32", "dinov2-small"} <= set(
        rows
    )
    assert rows["efficientnet-lite0"]["here"]
    assert rows["efficientnet-lite0"]["bytes"] > 3_000_000
    resnet = rows["resnet50"]
    assert (resnet["dim"], resnet["resize"], resnet["crop"]) == (2048, 256, 224)
    assert resnet["sha256"]
    assert all(row["licence"] and row["source"] for row in rows.values())
    text = iss(tmp_path, "models").stdout
    for name in rows:
        assert f"\n{name} " in f"\n{text}"


def test_preprocessing_is_chosen_once_and_remembered(tmp_path: Path, photos: Path) -> None:
    chosen = ("--resize", "72", "--crop", "64", "--interpolation", "bilinear")
    assert iss(tmp_path, "index", photos, *chosen).returncode == exits.OK
    again = iss(tmp_path, "index", photos)
    assert "unchanged 12" in again.stdout
    assert iss(tmp_path, "index", photos, *chosen).returncode == exits.OK
    other = iss(tmp_path, "index", photos, "--crop", "48")
    assert other.returncode == 4
    assert "crop is 64, but 48 was asked for" in other.stderr
    info = json.loads(iss(tmp_path, "info", "--json").stdout)
    assert "resize=72;crop=64;bilinear" in info["fingerprint"]


def test_the_whole_picture_may_be_asked_for_and_is_remembered(tmp_path: Path, photos: Path) -> None:
    chosen = ("--resize", "64", "--crop", "64", "--fit", "stretch")
    assert iss(tmp_path, "index", photos, *chosen).returncode == exits.OK
    assert "unchanged 12" in iss(tmp_path, "index", photos).stdout
    info = json.loads(iss(tmp_path, "info", "--json").stdout)
    assert info["fingerprint"].endswith(";stretch")
    found = json.loads(iss(tmp_path, "search", next(photos.rglob("*.png")), "--json").stdout)
    assert found["hits"][0]["score"] == 1.0
    other = iss(tmp_path, "index", photos, "--fit", "crop")
    assert other.returncode == 4
    assert "fit is stretch, but crop was asked for" in other.stderr


def test_added_files_may_say_the_model_too(tmp_path: Path, photos: Path) -> None:
    picture = next(photos.rglob("*.jpg"))
    done = iss(tmp_path, "add", picture, "--model", "colour-texture", "--metric", "l1")
    assert done.returncode == exits.OK, done.stderr
    info = json.loads(iss(tmp_path, "info", "--json").stdout)
    assert (info["encoder"], info["metric"]) == ("colour-texture", "l1")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--model", "resnet5"), 5, "no encoder is called 'resnet5'"),
        (("--model", "mine.onnx"), 5, "can't be read"),
        (("--crop", "0"), 2, "crop is 0"),
        (("--crop", "300", "--fit", "crop"), 2, "crop is 300"),
        (("--interpolation", "best"), 2, "best"),
        (("--device", "tpu"), 2, "tpu"),
    ],
)
def test_what_can_not_be_had_is_refused_and_nothing_is_made(
    tmp_path: Path, photos: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    done = iss(tmp_path, "index", photos, *arguments)
    assert done.returncode == status
    assert message in done.stderr
    assert not (tmp_path / "index_data").exists()


def test_the_device_is_said_to_those_who_ask(tmp_path: Path, photos: Path) -> None:
    assert "runs on" not in iss(tmp_path, "index", photos).stderr
    picture = next(photos.rglob("*.jpg"))
    done = iss(tmp_path, "search", picture, "--device", "cpu")
    assert done.stderr == "efficientnet-lite0-whole runs on the processor\n"
    assert len(done.stdout.splitlines()) == 10
