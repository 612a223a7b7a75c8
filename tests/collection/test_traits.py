"""Searching by what files say of themselves: read while indexing, or by the next sync."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from camera_files import TAKEN, exif
from conftest import CountingEncoder, draw
from PIL import Image

from image_similarity_search import Collection, Filter
from image_similarity_search.errors import ConfigError
from image_similarity_search.types import NO_TRAITS, Progress

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = tmp_path / "shots"
    folder.mkdir()
    draw(1).save(folder / "berne.jpg", exif=exif())
    place = {"south": "S", "latitude": (17, 0, 0), "longitude": (179, 30, 0)}
    fiji = exif(make="Apple", model="iPhone", taken="2023:01:02 03:04:05", **place)
    draw(2).save(folder / "fiji.png", exif=fiji)
    Image.new("RGB", (90, 60), (220, 30, 30)).save(folder / "red.webp")
    return folder


def names(collection: Collection, where: Filter) -> set[str]:
    return {Path(image.path).stem for image in collection.images(where)}


def test_images_are_found_by_what_their_files_say(collection: Collection, shots: Path) -> None:
    collection.sync(shots)
    for where, expected in (
        (Filter(camera="eos"), {"berne"}),
        (Filter(camera=" IPHONE"), {"fiji"}),
        (Filter(camera="%"), set()),
        (Filter(taken_after="2024"), {"berne"}),
        (Filter(taken_after="2024-05-17T18:30", taken_before="2024-05-17T18:30:01"), {"berne"}),
        (Filter(taken_before=datetime(2024, 5, 17, 18, 30)), {"fiji"}),
        (Filter(gps_box=(45.8, 5.9, 47.9, 10.5)), {"berne"}),
        (Filter(gps_box=[-20, 170, -10, -170]), {"fiji"}),
        (Filter(gps_box=tuple(np.array([-20.5, 170, -10, -170]))), {"fiji"}),
        (Filter(gps_box=(-90, -180, 90, 180)), {"berne", "fiji"}),
        (Filter(colours="red"), {"red"}),
        (Filter(colours=["red", "blue"]), set()),
        (Filter(camera="canon", taken_after="2025"), set()),
        (Filter(aspect="3:2"), {"red"}),
        (Filter(aspect=1.52), {"red"}),
        (Filter(aspect="4:3"), {"berne", "fiji"}),
        (Filter(aspect="landscape"), {"berne", "fiji", "red"}),
        (Filter(aspect="1:2"), set()),
        (Filter(camera="canon", name="*.jpg", tags=()), {"berne"}),
    ):
        assert names(collection, where) == expected, where
    found = collection.search(draw(5), k=5, where=Filter(camera="canon"))
    assert [Path(hit.path).stem for hit in found] == ["berne"]
    traits = collection.traits(shots / "berne.jpg")
    assert traits
    assert (traits.camera, traits.taken) == ("Canon EOS 5D", TAKEN)


def test_traits_go_with_their_image(collection: Collection, shots: Path) -> None:
    collection.sync(shots)
    (shots / "berne.jpg").rename(shots / "moved.jpg")
    shutil.copy(shots / "fiji.png", shots / "copy.png")
    draw(3).save(shots / "red.webp")
    collection.sync(shots)
    assert names(collection, Filter(camera="canon")) == {"moved"}
    assert names(collection, Filter(camera="iphone")) == {"fiji", "copy"}
    assert names(collection, Filter(colours="red")) == set()
    (shots / "moved.jpg").write_bytes(b"no picture any more")
    collection.sync(shots)
    (shots / "fiji.png").unlink()
    collection.sync(shots)
    assert names(collection, Filter(gps_box=(-90, -180, 90, 180))) == {"copy"}
    with closing(sqlite3.connect(collection._catalog.path)) as database:
        assert database.execute("SELECT count(*) FROM traits").fetchone() == (2,)
    assert not collection.verify().damaged


def _without_traits(index: Path, name: str = "%") -> None:
    with closing(sqlite3.connect(index / "catalog.sqlite")) as database:
        database.execute(
            "DELETE FROM traits WHERE image_id IN"
            " (SELECT id FROM images WHERE CAST(name AS TEXT) LIKE ?)",
            (name,),
        )
        database.commit()


def test_what_lacks_is_read_by_the_next_sync_and_nothing_is_encoded(
    collection: Collection, encoder: CountingEncoder, shots: Path, tmp_path: Path
) -> None:
    collection.sync(shots)
    images = encoder.count
    _without_traits(tmp_path / "index")
    assert names(collection, Filter(camera="canon")) == set()
    os.truncate(shots / "fiji.png", 100)  # which is seen to have changed, and left to the sync
    told: list[Progress] = []
    report = collection.sync(shots, progress=told.append)
    filled = [(step.done, step.total) for step in told if step.phase == "reading EXIF"]
    assert filled == [(0, 2), (2, 2)]
    assert (report.encoded, encoder.count) == (0, images)
    assert names(collection, Filter(camera="canon")) == {"berne"}
    assert names(collection, Filter(colours="red")) == {"red"}
    assert collection.traits(shots / "fiji.png") is None


def test_an_older_format_is_filled(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "format-2", tmp_path / "index")
    folder = tmp_path / "pictures"
    folder.mkdir()
    with Collection.open(tmp_path / "index") as collection:
        for record in collection:
            draw(record.id - 1).save(folder / Path(record.path).name)
            os.utime(folder / Path(record.path).name, ns=(record.mtime_ns, record.mtime_ns))
        collection.relocate(collection.roots()[0], folder, force=True)
        assert collection.traits(1) is None
        collection.sync(folder)
        assert collection.traits(1) is not None
        assert not collection.verify().damaged


def test_a_file_that_kills_the_reader_says_nothing(
    collection: Collection, shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.sync(shots)
    _without_traits(tmp_path / "index", "berne%")
    work = "hostile_exif:answer"
    monkeypatch.setattr("image_similarity_search.collection.trait_filling._WORK", work)
    collection.sync(shots)
    traits = collection.traits(shots / "berne.jpg")
    assert traits
    assert (traits.camera, traits.taken) == (None, None)


def test_damage_is_named(collection: Collection, shots: Path, tmp_path: Path) -> None:
    collection.sync(shots)
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as database:
        database.execute("UPDATE traits SET camera = 'Kanon' WHERE camera LIKE 'Canon%'")
        database.commit()
    (problem,) = collection.verify().problems
    assert "traits of image" in problem.text


def test_an_older_golden_says_nothing_and_the_newest_does(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "format-3", tmp_path / "index")
    with Collection.open(tmp_path / "index") as collection:
        assert collection.tags() == {"beach": 1}
        traits = collection.traits(2)
        assert traits
        assert (traits.camera, traits.taken) == ("Canon EOS 5D", TAKEN)
        none = collection.traits(1)
        assert none
        assert none.camera is NO_TRAITS.camera


@pytest.mark.parametrize(
    "wrong",
    [
        {"camera": " "},
        {"camera": 7},
        {"taken_after": "soon"},
        {"taken_after": "2024-05-17T18:30Z"},
        {"taken_after": "2025", "taken_before": "2024"},
        {"gps_box": (1, 2, 3)},
        {"gps_box": (10, 0, 5, 0)},
        {"gps_box": (0, 0, True, 1)},
        {"gps_box": (-91, 0, 0, 0)},
        {"gps_box": (0, 0, 0, 181)},
        {"gps_box": (0, 0, 0, float("nan"))},
        {"gps_box": "1,2,3,4"},
        {"colours": "mauve"},
        {"colours": 3},
        {"aspect": "round"},
        {"aspect": "3:0"},
        {"aspect": -1},
        {"aspect": True},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Filter(**wrong)  # type: ignore[arg-type]  # which is the point
