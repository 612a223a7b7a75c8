"""Collections of pictures in rows of Parquet files, and of files whose paths these hold."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from camera_files import exif
from click.testing import CliRunner
from conftest import CountingEncoder, draw
from PIL import Image, ImageFilter
from s3_server import picture

from image_similarity_search.cli.app import app
from image_similarity_search.collection import Collection
from image_similarity_search.errors import (
    ConfigError,
    FolderNotFoundError,
    ImageNotFoundError,
    SourceUnavailableError,
)
from image_similarity_search.filters import Filter
from image_similarity_search.objects import parquet_rows, storage
from image_similarity_search.service.files import read_inside
from image_similarity_search.service.roots import Roots
from image_similarity_search.types import Progress

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")


def _write(path: Path, columns: dict[str, Any], compression: str = "snappy") -> str:
    """Write a Parquet file; returns the address of its rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path, row_group_size=3, compression=compression)
    return f"parquet://{path}"


def _paths(collection: Collection) -> list[str]:
    return [image.path for image in collection]


def test_each_row_is_an_image(collection: Collection, tmp_path: Path) -> None:
    file = tmp_path / "data ü" / "train.parquet"
    pictures = [picture(seed) for seed in range(8)]
    address = _write(file, {"label": list("abcdefgh"), "image": pictures})
    report = collection.sync(file)
    assert (report.indexed, report.skipped, report.others) == (8, 0, 0)
    assert _paths(collection) == [f"{address}/{row:08}" for row in range(8)]
    for row in (7, 0, 5, 4):  # in any order
        hit = collection.search(pictures[row], k=1)[0]
        assert (hit.score, hit.path) == (1.0, f"{address}/{row:08}")
        assert collection.search(hit.path, k=1)[0].score == 1.0
    again = collection.sync(file)
    assert (again.unchanged, again.indexed, again.encoded) == (8, 0, 0)
    assert not collection.verify(files=True).problems


def test_pictures_as_hugging_face_has_them(collection: Collection, tmp_path: Path) -> None:
    rows = [
        {"bytes": picture(0), "path": "train/cat.png"},
        {"bytes": None, "path": "train/none.png"},
        {"bytes": b"no picture", "path": "x/y/bad\n.jpg"},
        {"bytes": picture(1, format="JPEG"), "path": None},
    ]
    address = _write(tmp_path / "a.parquet", {"image": rows, "label": [1, 2, 3, 4]})
    report = collection.sync(tmp_path / "a.parquet")
    assert (report.indexed, report.skipped) == (2, 2)
    skipped = {image.path: image.reason for image in collection.skipped()}
    assert _paths(collection) == [f"{address}/00000000-cat.png", f"{address}/00000003"]
    assert sorted(skipped) == [f"{address}/00000001-none.png", f"{address}/00000002-bad.jpg"]


def test_a_column_says_which_rows_belong_together(collection: Collection, tmp_path: Path) -> None:
    for name, labels in (("a", [7, None, 8]), ("b", [8, 7, 9])):
        rows = [{"bytes": picture(seed), "path": None} for seed in range(3)]
        _write(tmp_path / "set" / f"{name}.parquet", {"image": rows, "label": labels})
    collection.sync(f"parquet://{tmp_path / 'set'}")
    report = collection.evaluate("column:label")
    assert (report.sizes, report.ungrouped) == ({"7": 2, "8": 2, "9": 1}, 1)
    of_7 = [Path(query.image.path) for query in report.queries if query.group == "7"]
    assert [(path.parent.name, path.name) for path in of_7] == [
        ("a.parquet", "00000000"),
        ("b.parquet", "00000001"),
    ]
    with pytest.raises(
        ConfigError, match=r"expected a column of .*a.parquet, which has image, label"
    ):
        collection.evaluate("column:class")
    draw(1).save(tmp_path / "alone.png")
    collection.add(tmp_path / "alone.png")
    with pytest.raises(ConfigError, match="no images from Parquet files"):
        collection.evaluate("column:label", where=Filter(name="alone.png"))


def test_the_sharper_of_two_rows_is_kept(collection: Collection, tmp_path: Path) -> None:
    noise = Image.effect_noise((400, 300), 60).convert("RGB")
    sharp = Image.blend(draw(1, (400, 300)), noise, 0.3)
    pictures = []
    for image in (sharp.filter(ImageFilter.GaussianBlur(1)), sharp):
        data = BytesIO()
        image.save(data, "JPEG", quality=95)
        pictures.append(data.getvalue())
    address = _write(tmp_path / "two.parquet", {"image": pictures})
    collection.sync(tmp_path / "two.parquet")
    (group,) = collection.duplicates().groups
    assert (group.keep.path, group.why) == (f"{address}/00000001", "sharpest")


def test_only_what_changed_is_encoded(
    collection: Collection, encoder: CountingEncoder, tmp_path: Path
) -> None:
    file = tmp_path / "shards" / "0.parquet"
    address = _write(file, {"image": [picture(seed) for seed in range(5)]})
    _write(tmp_path / "shards" / "inner" / "1.parquet", {"jpg": [picture(seed) for seed in (8, 9)]})
    (tmp_path / "shards" / "notes.txt").write_text("no rows")
    shards = f"parquet://{tmp_path}/shards"
    assert collection.sync(shards).encoded == 7
    second = collection.get(f"{address}/00000001").id
    _write(file, {"image": [picture(seed) for seed in (0, 1, 3, 7)]})  # 2 and 4 are gone
    report = collection.sync(shards)
    assert (report.encoded, report.removed, encoder.count) == (1, 2, 8)
    assert len(collection) == 6
    assert collection.get(f"{address}/00000001").id == second
    assert collection.remove(file) == 4
    assert len(collection) == 2


@pytest.mark.parametrize("whole", [False, True], ids=["the file", "its folder"])
def test_the_rows_of_a_renamed_file_are_the_images_they_were(
    collection: Collection,
    encoder: CountingEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: bool,
) -> None:
    folder = tmp_path / "d"
    address = _write(folder / "a.parquet", {"image": [picture(seed) for seed in range(4)]})
    indexed = f"parquet://{folder}" if whole else str(folder / "a.parquet")
    collection.sync(indexed)
    collection.add_tags([f"{address}/00000002"], "beach")
    before = [image.id for image in collection]
    (folder / "a.parquet").rename(folder / "b.parquet")
    monkeypatch.setattr(storage, "fetch", None)  # none is read again to be decoded
    report = collection.sync(indexed if whole else folder / "b.parquet")
    assert (report.moved, report.indexed, report.removed, encoder.count) == (4, 0, 0, 4)
    assert [image.id for image in collection] == before
    address = f"parquet://{folder}/b.parquet"
    assert _paths(collection) == [f"{address}/{row:08}" for row in range(4)]
    assert collection.get(f"{address}/00000002").metadata["tags"] == ["beach"]
    assert collection.roots() == [f"parquet://{folder}" if whole else address]


def test_a_file_that_is_gone_is_told_once_and_the_rest_is_verified(
    collection: Collection, tmp_path: Path
) -> None:
    for name, seeds in (("a", range(3)), ("b", range(3, 6)), ("c", range(6, 9))):
        _write(tmp_path / "d" / f"{name}.parquet", {"image": [picture(seed) for seed in seeds]})
    plain = tmp_path / "p" / "plain.png"
    plain.parent.mkdir()
    draw(20).save(plain)
    collection.sync(f"parquet://{tmp_path}/d")
    collection.sync(plain.parent)
    assert not collection.verify(files=True).problems
    (tmp_path / "d" / "a.parquet").unlink()
    (tmp_path / "d" / "b.parquet").write_bytes(b"damaged")
    _write(tmp_path / "d" / "c.parquet", {"image": [picture(seed) for seed in (6, 10)]})
    plain.rename(plain.with_suffix(".txt"))
    report = collection.verify(files=True)
    assert report.checked["files"] == 10
    rows = f"parquet://{tmp_path}/d"
    assert sorted(problem.text for problem in report.problems) == sorted(
        [
            f"{rows}/a.parquet: can't be read: no such file or directory",
            f"{rows}/b.parquet: not a Parquet file, or a damaged one",
            f"{rows}/c.parquet/00000001: changed since it was indexed",
            f"{rows}/c.parquet/00000002: the file has no such row",
            f"{plain}: no such file",
        ]
    )


@pytest.mark.linux
def test_a_file_is_closed_when_it_was_read(collection: Collection, tmp_path: Path) -> None:
    address = _write(tmp_path / "a.parquet", {"image": [picture(seed) for seed in range(4)]})
    row = f"{address}/00000001"

    def is_open() -> bool:
        found = [f"/proc/self/fd/{one}" for one in os.listdir("/proc/self/fd")]
        return str(tmp_path / "a.parquet") in [os.path.realpath(one) for one in found]

    for act in (
        lambda: collection.sync(tmp_path / "a.parquet"),
        lambda: collection.verify(files=True),
        lambda: collection.search(row),
        lambda: collection.add(row),
    ):
        act()
        assert not is_open()
    with parquet_rows.reading():
        collection.search(row)
        assert is_open()
    assert not is_open()


def test_what_rows_say_of_themselves_is_read_where_it_lacks(
    collection: Collection, encoder: CountingEncoder, tmp_path: Path
) -> None:
    shots = [picture(seed, format="JPEG", exif=exif()) for seed in range(3)]
    address = _write(tmp_path / "train.parquet", {"image": [*shots, picture(5)]})
    collection.sync(address)
    with closing(sqlite3.connect(tmp_path / "index" / "catalog.sqlite")) as file, file:
        file.execute("DELETE FROM traits")
    told: list[Progress] = []
    report = collection.sync(address, progress=told.append)
    steps = [(step.done, step.total) for step in told if step.phase == "reading EXIF"]
    assert steps == [(0, 4), (4, 4)]
    assert (report.unchanged, report.encoded, encoder.count) == (4, 0, 4)
    assert len(collection.images(Filter(camera="canon"))) == 3
    assert all(collection.traits(image.id) for image in collection)


@pytest.mark.parametrize("what", ["damaged", "gone", "no pictures"])
def test_nothing_is_forgotten_when_a_file_can_t_be_read(
    collection: Collection, tmp_path: Path, what: str
) -> None:
    file = tmp_path / "a.parquet"
    address = _write(file, {"image": [picture(seed) for seed in range(4)]})
    collection.sync(file)
    data = file.read_bytes()
    if what == "damaged":
        file.write_bytes(data[: len(data) // 2])
    elif what == "gone":
        file.unlink()
    else:
        _write(file, {"path": ["a.jpg"]})
    with pytest.raises(SourceUnavailableError, match=r"a\.parquet"):
        collection.sync(address)
    assert len(collection) == 4
    assert collection.search(picture(2), k=1)[0].score == 1.0


def test_the_command_line_takes_a_parquet_file(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    address = _write(file, {"image": [picture(seed) for seed in range(3)]})
    index = ["--index-dir", str(tmp_path / "index")]
    done = CliRunner().invoke(app, ["index", str(file), "--model", "colour-texture", *index])
    assert done.output.splitlines()[-1].startswith("indexed 3,")
    found = CliRunner().invoke(app, ["search", f"{address}/00000002", "--paths", "-k", "1", *index])
    assert found.output == f"{address}/00000002\n"
    file.unlink()
    assert CliRunner().invoke(app, ["remove", str(file), *index]).exit_code == 0


def test_rows_keep_their_names_where_links_lead_to_them(
    collection: Collection, tmp_path: Path
) -> None:
    _write(tmp_path / "blobs" / "abc", {"image": [picture(seed) for seed in range(3)]})
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    (snapshot / "x.parquet").symlink_to(tmp_path / "blobs" / "abc")
    (tmp_path / "link").symlink_to(snapshot)
    report = collection.sync(f"parquet://{tmp_path}/link")
    assert report.indexed == 3
    assert _paths(collection)[0] == f"parquet://{snapshot}/x.parquet/00000000"
    snapshot.rename(tmp_path / "moved")
    snapshot.symlink_to(tmp_path / "moved")
    report = collection.sync(f"parquet://{tmp_path}/link")
    assert (report.indexed, report.encoded, report.removed) == (3, 0, 0)


def test_what_can_t_be_listed_is_not_gone(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "d" / "a.parquet", {"image": [picture(0)]})
    _write(tmp_path / "d" / "sub" / "b.parquet", {"image": [picture(1)]})
    _write(tmp_path / "d" / ".trash" / "c.parquet", {"image": [b"never read"]})
    (tmp_path / "d" / "left out.parquet").write_bytes(b"damaged")
    folder = f"parquet://{tmp_path}/d"
    assert collection.sync(folder, exclude=["left out*"]).indexed == 2
    listed = os.scandir

    def refused(path: str) -> object:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(SourceUnavailableError, match="permission denied"):
        collection.sync(folder, exclude=["left out*"])
    assert len(collection) == 2


def test_a_row_that_failed_once_is_there_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [picture(seed) for seed in range(5)]
    address = _write(tmp_path / "a.parquet", {"image": pictures})
    assert storage.stat(f"{address}/00000000").size == len(pictures[0])
    with monkeypatch.context() as patch:
        patch.setattr(parquet_rows, "_leaf", lambda *_: 1 / 0)
        with pytest.raises(SourceUnavailableError, match="ZeroDivisionError"):
            storage.stat(f"{address}/00000003")
    for row in (3, 4, 4, 1):
        assert storage.stat(f"{address}/{row:08}").size == len(pictures[row])


def test_nothing_outside_a_folder_of_rows_is_handed_out(tmp_path: Path) -> None:
    inside = _write(tmp_path / "d" / "a.parquet", {"image": [picture(0)]})
    outside = _write(tmp_path / "out" / "s.parquet", {"image": [picture(1)]})
    (tmp_path / "d" / "l.parquet").symlink_to(tmp_path / "out" / "s.parquet")
    roots = Roots([f"parquet://{tmp_path}/d"])
    assert read_inside(f"{inside}/00000000", roots) == picture(0)
    for path in (
        f"{outside}/00000000",
        f"parquet://{tmp_path}/d/../out/s.parquet/00000000",
        f"parquet://{tmp_path}/d/l.parquet/00000000",
    ):
        with pytest.raises(ImageNotFoundError, match="not inside an indexed folder"):
            read_inside(path, roots)


def test_damage_in_the_midst_is_told(collection: Collection, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    _write(file, {"image": [picture(seed) for seed in range(12)]}, compression="gzip")
    collection.sync(file)
    data = bytearray(file.read_bytes())
    middle = len(data) * 2 // 3
    data[middle : middle + 400] = bytes(400)
    file.write_bytes(data)
    with pytest.raises(SourceUnavailableError, match="or a damaged one"):
        collection.sync(file)
    assert len(collection) == 12


def test_what_is_no_row_is_refused(collection: Collection, tmp_path: Path) -> None:
    address = _write(tmp_path / "a.parquet", {"image": [picture(0)]})
    collection.sync(tmp_path / "a.parquet")
    for one in (tmp_path / "a.parquet", f"{address}/00000001", f"{address}/x"):
        with pytest.raises(ImageNotFoundError, match="nothing was added"):
            collection.add(one)
    with pytest.raises(SourceUnavailableError, match="no such file"):
        collection.sync(f"parquet://{tmp_path}/nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FolderNotFoundError):
        collection.sync(f"parquet://{tmp_path}/empty")
    with pytest.raises(ConfigError, match="three '/'"):
        collection.sync("parquet://data/a.parquet")


def test_the_paths_of_a_parquet_file_are_added(tmp_path: Path) -> None:
    for seed in range(3):
        draw(seed).save(tmp_path / f"{seed}.png")
    listed = [str(tmp_path / f"{seed}.png") for seed in range(2)]
    _write(tmp_path / "list.parquet", {"caption": ["x", "y"], "path": listed})
    _write(tmp_path / "unclear.parquet", {"a": ["x"], "b": ["y"]})
    index = ["--index-dir", str(tmp_path / "index"), "--model", "colour-texture"]
    added = CliRunner().invoke(app, ["add", "--files-from", str(tmp_path / "list.parquet"), *index])
    assert added.output == "added 2, skipped 0\n"
    unclear = ["add", "--files-from", str(tmp_path / "unclear.parquet"), *index]
    done = CliRunner().invoke(app, unclear)
    assert "which column has the paths? Name it path; columns of text: a, b" in str(done.exception)
