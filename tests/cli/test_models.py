"""Models from the command line: listed, chosen, prepared for otherwise, and refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Iss


@pytest.fixture
def iss(tmp_path: Path) -> Iss:
    return Iss(tmp_path)


def test_the_table_says_what_each_is_and_whether_it_is_here(iss: Iss) -> None:
    rows = {row["name"]: row for row in iss.json("models")}
    assert {"efficientnet-lite0", "resnet50", "resnet101", "clip-vit-b32", "dinov2-small"} <= set(
        rows
    )
    assert rows["efficientnet-lite0"]["here"]
    assert rows["efficientnet-lite0"]["bytes"] > 3_000_000
    resnet = rows["resnet50"]
    assert (resnet["dim"], resnet["resize"], resnet["crop"]) == (2048, 256, 224)
    assert resnet["sha256"]
    assert all(row["licence"] and row["source"] for row in rows.values())
    text = iss("models").out
    for name in rows:
        assert f"\n{name} " in f"\n{text}"
    table = [line for line in text.splitlines() if not line.startswith(" ")]
    starts = {line.index(row["source"]) for line, row in zip(table[1:], rows.values(), strict=True)}
    assert starts == {table[0].index("from")}


def test_preprocessing_is_chosen_once_and_remembered(iss: Iss, photos: Path) -> None:
    chosen = ("--resize", "72", "--crop", "64", "--interpolation", "bilinear")
    iss("index", photos, *chosen)
    again = iss("index", photos)
    assert "unchanged 12" in again.out
    iss("index", photos, *chosen)
    other = iss("index", photos, "--crop", "48", status=4)
    assert "crop is 64, but 48 was requested" in other.err
    info = iss.json("info")
    assert "resize=72;crop=64;bilinear" in info["fingerprint"]


def test_the_whole_picture_may_be_asked_for_and_is_remembered(iss: Iss, photos: Path) -> None:
    chosen = ("--resize", "64", "--crop", "64", "--fit", "stretch")
    iss("index", photos, *chosen)
    assert "unchanged 12" in iss("index", photos).out
    info = iss.json("info")
    assert info["fingerprint"].endswith(";stretch")
    found = iss.json("search", next(photos.rglob("*.png")))
    assert found["hits"][0]["score"] == 1.0
    other = iss("index", photos, "--fit", "crop", status=4)
    assert "fit is stretch, but crop was requested" in other.err


def test_added_files_may_say_the_model_too(iss: Iss, photos: Path) -> None:
    picture = next(photos.rglob("*.jpg"))
    iss("add", picture, "--model", "colour-texture", "--metric", "l1")
    info = iss.json("info")
    assert (info["encoder"], info["metric"]) == ("colour-texture", "l1")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--model", "resnet5"), 5, "unknown model 'resnet5'"),
        (("--model", "mine.onnx"), 5, "can't be read"),
        (("--crop", "0"), 2, "crop is 0"),
        (("--crop", "300", "--fit", "crop"), 2, "crop is 300"),
        (("--interpolation", "best"), 2, "best"),
        (("--device", "tpu"), 2, "tpu"),
    ],
)
def test_what_can_not_be_had_is_refused_and_nothing_is_made(
    iss: Iss, photos: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    assert message in iss("index", photos, *arguments, status=status).err
    assert not (iss.folder / "index_data").exists()


def test_the_device_is_said_to_those_who_ask(iss: Iss, photos: Path) -> None:
    assert "runs on" not in iss("index", photos).err
    picture = next(photos.rglob("*.jpg"))
    done = iss("search", picture, "--device", "cpu")
    assert done.err == "efficientnet-lite0-whole runs on the processor\n"
    assert len(done.out.splitlines()) == 10
