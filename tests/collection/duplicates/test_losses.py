"""No file goes that holds what the one that stays does not."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from conftest import draw
from PIL import Image, ImageFilter

from image_similarity_search import Collection
from image_similarity_search.collection.duplicates.losses import what_differs
from image_similarity_search.duplicates import Holdings

_FILM = struct.pack(">L", 24) + b"ftypmp42" + b"film" * 100


def _noted(taken: str | None = None, camera: str | None = None) -> Image.Exif:
    made = Image.Exif()
    if taken:
        made.get_ifd(0x8769)[0x9003] = taken
    if camera:
        made[0x0110] = camera
    return made


class _Folder:
    """Where pictures are put: ``seed`` says which, so those of one seed are copies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def put(self, name: str, seed: int, width: int = 400, **options: Any) -> Path:
        target = self.path / name
        target.parent.mkdir(exist_ok=True)
        draw(seed, (width, width * 3 // 4)).save(target, **options)
        return target


@pytest.fixture
def folder(tmp_path: Path) -> _Folder:
    return _Folder(tmp_path / "pictures")


def test_only_what_holds_no_more_goes(collection: Collection, folder: _Folder) -> None:
    pages: dict[str, Any] = {
        "save_all": True,
        "append_images": [draw(90, (400, 300)), draw(91, (400, 300))],
    }
    folder.put("scan.tif", 0, **pages)
    folder.put("first page.jpg", 0, 800)
    folder.put("moving.webp", 1, **pages)
    folder.put("still.jpg", 1, 800)
    with folder.put("motion.jpg", 2).open("ab") as file:
        file.write(_FILM)
    folder.put("motionless.jpg", 2, 800)
    folder.put("blinked.jpg", 3, exif=_noted("2022:01:01 10:00:00"))
    folder.put("smiled.jpg", 3, 800, exif=_noted("2022:01:01 10:00:05"))
    folder.put("a.dng", 4, format="TIFF")
    folder.put("developed.jpg", 4, 800)
    folder.put("dated.jpg", 5, exif=_noted("2022:01:01 10:00:00", "Camera"))
    folder.put("enlarged.jpg", 5, 800)
    folder.put("live.jpg", 6)
    (folder.path / "LIVE.MOV").write_bytes(_FILM)
    folder.put("edited.jpg", 6, 800)
    noise = Image.blend(draw(8, (400, 300)), Image.effect_noise((400, 300), 60).convert("RGB"), 0.3)
    noise.save(folder.path / "sharp.jpg")
    blurred = noise.filter(ImageFilter.GaussianBlur(1))
    blurred.save(folder.path / "blurred.jpg", exif=_noted("2022:01:01 10:00:00"))
    # and ordinary copies
    folder.put("original.jpg", 7, exif=_noted("2023:01:01 10:00:00", "Camera"))
    folder.put("saved as.png", 7)
    folder.put("sent.jpg", 7, 300, quality=50)
    folder.put("smaller.jpg", 7, 200, exif=_noted("2023:01:01 10:00:00", "Camera"))

    collection.sync(folder.path)
    report = collection.resolve_duplicates(
        collection.duplicates("same").groups, "delete", dry_run=False
    )
    gone = {os.path.basename(deed.path) for deed in report.done}
    assert gone == {"saved as.png", "sent.jpg", "smaller.jpg"}
    assert {os.path.basename(deed.path): deed.problem.split(": ")[1] for deed in report.left} == {
        "dated.jpg": "the time taken, the camera",
        "live.jpg": "a .mov file next to it",
        "sharp.jpg": "finer detail",
    }
    near = collection.duplicates("near")
    assert {
        os.path.basename(other.image.path): (other.change, other.lost)
        for group in near.groups
        for other in group.others
        if other.level == "near"
    } == {
        "scan.tif": ("other frames", ("more frames",)),
        "moving.webp": ("other frames", ("more frames",)),
        "motion.jpg": ("other film", ("a video",)),
        "blinked.jpg": ("other time", ()),
        "a.dng": ("RAW", ("RAW data",)),
    }


def test_of_the_same_bytes_the_one_with_sidecars_stays(
    collection: Collection, folder: _Folder
) -> None:
    """Unless the other has the same ones; and a link leaves none of them without its picture."""
    first = folder.put("first.jpg", 0)
    live = folder.path / "second live.jpg"
    shutil.copy(first, live)
    live.with_suffix(".mov").write_bytes(_FILM)
    (folder.path / "second live.jpg.supplemental-metadata.json").write_text("{}")
    collection.sync(folder.path)
    (group,) = collection.duplicates("exact").groups
    assert (group.keep.path, group.why) == (str(live), "has accompanying files")
    assert group.others[0].lost == ()

    first.with_suffix(".MOV").write_bytes(_FILM)
    first.with_suffix(".xmp").write_text("five stars")
    groups = collection.duplicates("exact").groups
    assert groups[0].keep.path == str(first)
    assert groups[0].others[0].lost == ("a .json file next to it",)
    left = collection.resolve_duplicates(groups, "delete", dry_run=True).left
    assert [deed.path for deed in left] == [str(live)]
    assert not collection.resolve_duplicates(groups, "hardlink", dry_run=True).left


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("2022-01-01 10:00:00", "2022-01-01 10:00:00.25", False),
        ("2022-01-01 10:00:00.25", "2022-01-01 10:00:00.250", False),
        ("2022-01-01 10:00:00.25", "2022-01-01 10:00:00.5", True),
        ("2022-01-01 10:00:00", "2022-01-01 10:00:01", True),
        ("2022-01-01 10:00:00", None, False),
    ],
)
def test_times_differ_as_far_as_both_are_known(one: str, other: str | None, differs: bool) -> None:
    assert bool(what_differs(Holdings(taken=one), Holdings(taken=other))) is differs
