"""Thumbnails of a collection: kept while indexing, by content, and never in the way."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import CountingEncoder, MakePicture, draw
from PIL import Image

from image_similarity_search.cli.app import app
from image_similarity_search.collection import Collection
from image_similarity_search.errors import (
    CollectionMismatchError,
    ConfigError,
    ImageNotFoundError,
    ImageUnreadableError,
)
from image_similarity_search.images.thumbnail import LEAST, MOST, thumbnail_of


def stored(index: Path) -> int:
    """How many thumbnails the file has."""
    with closing(sqlite3.connect(index / "thumbnails.sqlite")) as database:
        count: int = database.execute("SELECT count(*) FROM thumbnails").fetchone()[0]
        return count


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(BytesIO(jpeg))
    assert image.format == "JPEG"
    return image


@pytest.mark.parametrize(
    "size", [(500, 375), (4000, 3000), (640, 480), (660, 440), (400, 400), (321, 9), (40_000, 3)]
)
def test_the_longer_side_is_about_256(size: tuple[int, int]) -> None:
    small = opened(thumbnail_of(Image.new("RGB", size, "red")))
    assert LEAST <= max(small.size) <= MOST
    assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.02) or min(
        small.size
    ) in (1, 7)


def test_none_is_enlarged() -> None:
    assert opened(thumbnail_of(Image.new("RGB", (30, 20)))).size == (30, 20)


def test_indexing_keeps_them_with_no_second_decoding(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.sync(photos)
    for record in collection:
        os.remove(record.path)  # the file is not needed
        assert opened(collection.thumbnail(record.id)).size == (96, 72)
        assert collection.thumbnail(record.path) == collection.thumbnail(record.id)


def test_they_are_upright_and_of_the_right_picture(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = Image.new("RGB", (600, 400), "blue")
        image.paste("red", (0, 0, 600, 100))  # a band at the stored top
        image.save(folder / f"{orientation}.jpg", exif=exif)
    collection.sync(folder)
    for record in collection:
        kept = opened(collection.thumbnail(record.id))
        assert (kept.width > kept.height) == (record.width > record.height)  # type: ignore[operator]
        orientation = int(Path(record.path).stem)
        band = {1: "t", 2: "t", 3: "b", 4: "b", 5: "l", 6: "r", 7: "r", 8: "l"}[orientation]
        x = {"l": 4, "r": kept.width - 4}.get(band, kept.width // 2)
        y = {"t": 4, "b": kept.height - 4}.get(band, kept.height // 2)
        red, _, blue = kept.getpixel((x, y))  # type: ignore[misc]
        assert red > 200 > 100 > blue, orientation


def test_one_that_is_missing_is_made_and_kept(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    collection.sync(photos)
    kept = collection.thumbnail(1)
    os.remove(tmp_path / "index" / "thumbnails.sqlite")
    assert opened(collection.thumbnail(1)).size == opened(kept).size
    assert stored(tmp_path / "index") == 1


def test_a_file_that_was_changed_since_is_shown_and_not_kept(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    collection.sync(photos)
    record = collection.get(1)
    os.remove(tmp_path / "index" / "thumbnails.sqlite")
    draw(99, (50, 50)).save(record.path)
    assert opened(collection.thumbnail(1)).size == (50, 50)
    assert not (tmp_path / "index" / "thumbnails.sqlite").exists()


def test_what_has_none_says_why(collection: Collection, photos: Path, tmp_path: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"no picture")
    collection.sync(photos)
    bad = next(collection.skipped())
    with pytest.raises(ImageUnreadableError, match="not a supported image format"):
        collection.thumbnail(bad.id)
    with pytest.raises(ImageNotFoundError):
        collection.thumbnail(999)
    os.remove(tmp_path / "index" / "thumbnails.sqlite")
    os.remove(photos / "picture 0.jpg")
    with pytest.raises(ImageNotFoundError):
        collection.thumbnail(photos / "picture 0.jpg")


def test_they_go_with_their_images_and_stay_with_copies(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    first = photos / "picture 0.jpg"
    shutil.copy(first, photos / "copy.jpg")
    collection.sync(photos)
    assert (len(collection), stored(index)) == (13, 12)
    os.remove(first)
    (photos / "copy.jpg").rename(photos / "moved.jpg")
    collection.sync(photos)
    assert (len(collection), stored(index)) == (12, 12)
    os.remove(photos / "moved.jpg")
    draw(50).save(photos / "picture 4.png")
    collection.sync(photos)
    assert (len(collection), stored(index)) == (11, 11)
    draw(51).save(photos / "picture 4.png")
    collection.add(photos / "picture 4.png")
    assert stored(index) == 11
    collection.remove(photos / "holiday")
    assert stored(index) == len(collection) < 11


def test_a_collection_without_them_makes_them_when_asked(
    tmp_path: Path, photos: Path, encoder: CountingEncoder
) -> None:
    index = tmp_path / "i"
    with Collection.open(index, encoder=encoder, thumbnails=False, create=True) as collection:
        collection.sync(photos)
        assert opened(collection.thumbnail(1))
        assert not (index / "thumbnails.sqlite").exists()
        with pytest.raises(ConfigError, match="iss thumbnails --on"):
            collection.make_thumbnails()
    with pytest.raises(CollectionMismatchError, match="iss thumbnails --on"):
        Collection.open(index, encoder=encoder, thumbnails=True)
    with Collection.open(index, encoder=encoder, thumbnails=False) as collection:
        collection.keep_thumbnails()
        steps: list[int] = []
        report = collection.make_thumbnails(progress=lambda step: steps.append(step.done))
        assert (report.made, report.kept, report.failed, steps[-1]) == (12, 0, 0, 12)
        collection.keep_thumbnails(False)
        assert not (index / "thumbnails.sqlite").exists()


def test_a_file_that_was_changed_since_gets_none(collection: Collection, photos: Path) -> None:
    collection.sync(photos)
    collection.keep_thumbnails(False)
    collection.keep_thumbnails()
    draw(99).save(photos / "picture 0.jpg")
    report = collection.make_thumbnails()
    assert (report.made, report.failed) == (11, 1)
    assert collection.prune_thumbnails() == 0


def test_the_command(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def iss(*arguments: str) -> str:
        done = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    iss("index", "photos", "--model", "colour-texture")
    report = json.loads(iss("thumbnails", "--json"))
    assert (report["made"], report["kept"]) == (0, 12)
    os.remove("index_data/thumbnails.sqlite")
    assert iss("thumbnails").startswith("made 12, kept 0, removed 0 in ")
    shutil.rmtree("photos/holiday")
    (photos / "picture 0.jpg").unlink()
    assert iss("thumbnails", "--rebuild").startswith("made 5, kept 0, removed 0, failed 7 in ")
    assert iss("thumbnails", "--off") == "thumbnails are off\n"
    assert iss("thumbnails", "--on").startswith("made 5")
    with closing(sqlite3.connect("index_data/thumbnails.sqlite")) as database, database:
        database.execute("INSERT INTO thumbnails VALUES (x'ff', 0, x'')")
    assert iss("thumbnails", "--prune") == "removed 1\n"


def _damage(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    file.write_bytes(data)


def _no_database(file: Path) -> None:
    file.write_bytes(b"nothing of use" * 10_000)


def _folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("spoil", [_damage, _no_database, _folder])
def test_whatever_is_there_a_run_goes_on(
    tmp_path: Path, photos: Path, make_picture: MakePicture, spoil: Callable[[Path], None]
) -> None:
    index = tmp_path / "i"
    with Collection.open(index, encoder=CountingEncoder(), create=True) as collection:
        collection.sync(photos)
    spoil(index / "thumbnails.sqlite")
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        assert opened(collection.thumbnail(1))
        make_picture(photos / "new.png", 70)
        assert collection.sync(photos).indexed == 1
        assert opened(collection.thumbnail(photos / "new.png"))
        if spoil is not _folder:
            assert stored(index) == 1
        collection.remove(photos / "new.png")
        assert not collection.verify().problems


def test_two_processes_make_them_at_once(tmp_path: Path, photos: Path) -> None:
    index = tmp_path / "i"
    with Collection.open(index, encoder=CountingEncoder(), create=True) as collection:
        collection.sync(photos)
    os.remove(index / "thumbnails.sqlite")
    script = (
        "import sys; from image_similarity_search import Collection\n"
        "with Collection.open(sys.argv[1]) as c:\n"
        "    for record in c: assert c.thumbnail(record.id)[:2] == b'\\xff\\xd8'\n"
    )
    command: Sequence[str] = [sys.executable, "-c", script, str(index)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    for process in both:
        assert process.communicate()[1] == b""
        assert process.returncode == 0
    assert stored(index) == 12
