"""Disks below an indexed folder that are unplugged, and plugged in again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import MakePicture, until
from test_sync import counts, paths
from test_watch import following

from image_similarity_search.collection import Collection
from image_similarity_search.collection.disks import disks_below
from image_similarity_search.reports import SyncReport
from image_similarity_search.types import Progress

_LEADS_TO_NOTHING = (
    "it is a link that leads nowhere, or to an empty folder; its images are kept"
    " ('iss remove' drops them)"
)
_AWAY = "its disk is not mounted; its images are kept ('iss remove' drops them)"


@pytest.fixture
def disk(tmp_path: Path, make_picture: MakePicture) -> Iterator[Path]:
    """A folder of two pictures, and one below it, on another device than ``tmp_path``."""
    device = tmp_path.stat().st_dev
    for place in ("/dev/shm", tempfile.gettempdir(), "/var/tmp", os.getcwd()):
        if os.access(place, os.W_OK) and os.stat(place).st_dev != device:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                for number in range(2):
                    make_picture(Path(folder) / f"{number}.png", 20 + number)
                make_picture(Path(folder) / "below" / "2.png", 22)
                yield Path(folder)
                return
    pytest.skip("all folders that can be written to are on one device")


class Plugged:
    """A disk below an indexed folder: a link to another device, that passes for a mount."""

    def __init__(self, collection: Collection, photos: Path, disk: Path) -> None:
        self.collection = collection
        self.photos = photos
        self.disk = disk
        self.place = photos / "disk"
        self.plug()

    def plug(self) -> None:
        """Plug it in."""
        if self.place.is_dir():
            shutil.rmtree(self.place)
        self.place.symlink_to(self.disk)

    def unplug(self, left: str) -> None:
        """Unplug it; its place is "gone", "empty", or holds something else than it did."""
        self.place.unlink()
        if left != "gone":
            self.place.mkdir()
        if left == "other":
            shutil.copy(self.photos / "picture 0.jpg", self.place / "camera.jpg")

    def sync(self) -> SyncReport:
        """Sync all."""
        return self.collection.sync(self.photos, follow_symlinks=True)

    @property
    def known(self) -> set[str]:
        """The disks that are remembered."""
        return disks_below(self.collection._catalog, str(self.photos))


@pytest.fixture
def plugged(
    collection: Collection, photos: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> Plugged:
    """A disk whose pictures were indexed, beside twelve others."""
    is_mount = os.path.ismount
    monkeypatch.setattr(os.path, "ismount", lambda path: os.path.islink(path) or is_mount(path))
    made = Plugged(collection, photos, disk)
    assert counts(made.sync()) == {"indexed": 15}
    return made


@pytest.mark.parametrize("left", ["gone", "empty", "other"])
def test_what_an_unplugged_disk_held_is_kept(plugged: Plugged, left: str) -> None:
    before = paths(plugged.collection)
    plugged.unplug(left)
    for known in (12, 12 + (left == "other")):
        report = plugged.sync()
        assert (report.unchanged, report.removed) == (known, 0)
        assert report.unreadable_folders == [f"{plugged.place}: {_AWAY}"]
        assert paths(plugged.collection) >= before
    plugged.plug()
    report = plugged.sync()
    assert (report.unchanged, report.removed) == (15, int(left == "other"))
    assert not report.unreadable_folders
    assert paths(plugged.collection) == before


def test_what_is_deleted_on_a_disk_that_is_there_is_forgotten(plugged: Plugged) -> None:
    (plugged.disk / "0.png").unlink()
    assert counts(plugged.sync()) == {"unchanged": 14, "removed": 1}
    shutil.rmtree(plugged.photos / "holiday")
    plugged.unplug("gone")
    assert counts(plugged.sync()) == {"unchanged": 6, "removed": 6}  # what lies beside it
    assert len(plugged.collection) == 6 + 2


def test_a_disk_that_is_truly_gone_is_removed(plugged: Plugged) -> None:
    assert plugged.known == {str(plugged.place)}
    plugged.unplug("empty")
    plugged.sync()
    assert plugged.collection.remove(plugged.place) == 3
    assert plugged.known == set()
    assert counts(plugged.sync()) == {"unchanged": 12}
    shutil.copy(plugged.disk / "0.png", plugged.place)
    assert counts(plugged.sync()) == {"unchanged": 12, "indexed": 1}
    (plugged.place / "0.png").unlink()  # now it is a folder as any other
    assert counts(plugged.sync()) == {"unchanged": 12, "removed": 1}


def test_a_disk_whose_files_were_copied_to_its_place_is_none(plugged: Plugged) -> None:
    plugged.place.unlink()
    shutil.copytree(plugged.disk, plugged.place)
    (plugged.place / "1.png").unlink()
    assert counts(plugged.sync()) == {"unchanged": 14, "removed": 1}
    assert plugged.known == set()


def test_a_disk_of_which_as_much_was_copied_as_is_gone_may_be_away(plugged: Plugged) -> None:
    (plugged.disk / "1.png").unlink()
    plugged.sync()
    plugged.unplug("empty")
    shutil.copy2(plugged.disk / "0.png", plugged.place)  # the one below is not there
    report = plugged.sync()
    assert (report.unchanged, report.removed) == (13, 0)
    assert report.unreadable_folders == [f"{plugged.place}: {_AWAY}"]
    assert plugged.known == {str(plugged.place)}


def test_a_disk_that_is_met_first_and_unplugged_meanwhile_is_away(plugged: Plugged) -> None:
    """As one of a collection that was made before disks were remembered."""
    catalog = plugged.collection._catalog
    with catalog.transaction():
        catalog.disks.change(forget=plugged.known)

    first = sum(path.is_file() for path in plugged.photos.iterdir())

    def unplug(progress: Progress) -> None:
        if progress.done == first + 2 and plugged.place.is_symlink():  # the disk was listed
            plugged.unplug("empty")
            (plugged.place / "below").mkdir()

    report = plugged.collection.sync(plugged.photos, follow_symlinks=True, progress=unplug)
    assert not plugged.place.is_symlink()
    assert (report.unchanged, report.removed) == (14, 0)
    assert report.unreadable_folders == [f"{plugged.place}: {_AWAY}"]


def test_a_disk_that_is_mounted_elsewhere_is_recognised(plugged: Plugged) -> None:
    plugged.unplug("gone")
    plugged.place = plugged.photos / "other place"
    plugged.plug()
    assert counts(plugged.sync()) == {"unchanged": 12, "moved": 3}
    assert not plugged.sync().unreadable_folders
    assert plugged.known == {str(plugged.place)}


@pytest.mark.parametrize("copied_to", [".", "holiday"])
def test_a_copy_made_while_a_disk_is_away_is_no_move(plugged: Plugged, copied_to: str) -> None:
    picture, copy = plugged.place / "0.png", plugged.photos / copied_to / "copy.png"
    plugged.collection.add_tags([picture], "best")
    id_ = plugged.collection.get(picture).id
    plugged.unplug("empty")
    shutil.copy(plugged.disk / "0.png", copy)
    report = plugged.collection.sync(copy.parent, follow_symlinks=True)
    assert (report.moved, report.indexed) == (0, 1)
    plugged.plug()
    assert counts(plugged.sync()) == {"unchanged": 16}
    assert plugged.collection.get(picture).id == id_
    assert plugged.collection.get(picture).metadata["tags"] == ["best"]
    assert "tags" not in plugged.collection.get(copy).metadata


def test_a_disk_is_known_where_its_root_was_moved(plugged: Plugged) -> None:
    plugged.photos = plugged.photos.rename(plugged.photos.with_name("moved"))
    plugged.collection.relocate(plugged.place.parent, plugged.photos)
    plugged.place = plugged.photos / "disk"
    assert plugged.known == {str(plugged.place)}
    plugged.unplug("empty")
    assert counts(plugged.sync()) == {"unchanged": 12}


@pytest.mark.parametrize("below", ["", "below"])
def test_a_link_to_another_disk_is_none_and_forgotten_when_it_is_removed(
    collection: Collection, photos: Path, disk: Path, below: str
) -> None:
    link = photos / "link"
    link.symlink_to(disk / below)
    assert counts(collection.sync(photos, follow_symlinks=True)) == {"indexed": 13 if below else 15}
    assert disks_below(collection._catalog, str(photos)) == set()
    link.unlink()
    report = collection.sync(photos, follow_symlinks=True)
    assert (report.unchanged, report.removed) == (12, 1 if below else 3)
    assert not report.unreadable_folders


@pytest.mark.parametrize("left", ["nowhere", "empty"])
def test_what_a_link_led_to_is_kept_while_that_is_away(
    collection: Collection, photos: Path, disk: Path, left: str
) -> None:
    link = photos / "link"
    link.symlink_to(disk)
    collection.sync(photos, follow_symlinks=True)
    away = disk.rename(disk.with_name(f"{disk.name} away"))
    try:
        if left == "empty":
            disk.mkdir()
        report = collection.sync(photos, follow_symlinks=True)
        assert (report.unchanged, report.removed) == (12, 0)
        assert report.unreadable_folders == [f"{link}: {_LEADS_TO_NOTHING}"]
    finally:
        away.rename(disk)
    assert counts(collection.sync(photos, follow_symlinks=True)) == {"unchanged": 15}
    assert counts(collection.sync(photos)) == {"unchanged": 12, "removed": 3}


@pytest.mark.slow
def test_a_disk_below_a_watched_folder_comes_back(plugged: Plugged) -> None:
    with following(plugged.collection, plugged.photos, follow_symlinks=True) as follower:
        plugged.unplug("empty")
        until(lambda: any(e.report and e.report.unreadable_folders for e in follower.events))
        (plugged.disk / "0.png").unlink()
        assert len(plugged.collection) == 15
        plugged.plug()
        until(lambda: len(plugged.collection) == 14)


_MOUNTS = """
import json, os, subprocess, sys
from image_similarity_search.collection import Collection

root, disk, index = sys.argv[1:]

def run(*command):
    if subprocess.run(command).returncode:
        sys.exit(77)

def mount(place=disk):
    run("mount", "-t", "tmpfs", "tmpfs", place)
    for name in ("1.png", "2.png"):
        run("cp", "-p", root + "/../" + name, place)

def told(report):
    counts = report.indexed, report.unchanged, report.removed
    return [*counts, len(report.unreadable_folders)]

with Collection.open(index, encoder="colour-texture", create=True) as collection:
    mount()
    said = [told(collection.sync(root))]
    run("umount", disk)
    said.append(told(collection.sync(root)))
    run("cp", root + "/0.png", disk + "/other.png")
    said.append(told(collection.sync(root)))
    said.append(told(collection.sync(disk)))
    run("rm", disk + "/other.png")
    mount()
    said.append(told(collection.sync(root)))
with Collection.open(index + "2", encoder="colour-texture", create=True) as collection:
    said.append(told(collection.sync(disk)))
    run("umount", disk)
    run("cp", root + "/0.png", disk + "/other.png")
    said.append(told(collection.sync(disk)))
    os.rename(disk, disk + " gone")
    os.mkdir(root + "/../backup")
    run("cp", root + "/../1.png", root + "/../backup/copy.png")
    said.append(told(collection.sync(root + "/../backup")))
    os.rename(disk + " gone", disk)
with Collection.open(index + "3", encoder="colour-texture", create=True) as collection:
    other, link = root + "/../other", root + "/link"
    os.makedirs(other + "/disk")
    mount(other + "/disk")
    os.symlink(other, link)
    said.append(told(collection.sync(root, follow_symlinks=True)))
    os.unlink(link)
    said.append(told(collection.sync(root, follow_symlinks=True)))
print(json.dumps(said))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="there are other ways to mount a disk")
def test_a_disk_that_is_really_mounted(tmp_path: Path, make_picture: MakePicture) -> None:
    disk = make_picture(tmp_path / "root" / "0.png", 0).parent / "disk"
    disk.mkdir()
    for number in (1, 2):
        make_picture(tmp_path / f"{number}.png", number)
    arguments = [str(tmp_path / "root"), str(disk), str(tmp_path / "index")]
    of_nobody = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", "--mount", *of_nobody, sys.executable, "-c", _MOUNTS, *arguments]
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77 or done.stderr.startswith("unshare"):
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        [3, 0, 0, 0],
        [0, 1, 0, 1],  # it is empty
        [1, 1, 0, 1],  # something else is there
        [0, 1, 0, 1],
        [0, 3, 1, 0],
        [2, 0, 0, 0],  # of a root that is a disk itself
        [1, 0, 0, 1],
        [1, 0, 0, 0],  # a copy while it is gone
        [4, 0, 0, 0],  # of a disk that a link leads to
        [0, 2, 2, 0],
    ]
