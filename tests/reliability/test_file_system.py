"""Folders as they are on people's disks, by the command line: every picture once, and no harm."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import whole
from command_line import ISS, run_here
from conftest import CountingEncoder, MakePicture, draw
from privileges import as_anybody

from image_similarity_search.collection import Collection
from image_similarity_search.types import Progress


def index_of(folder: Path, index: Path, *options: str) -> dict[str, Any]:
    """What ``iss index`` says it did."""
    done = run_here(_indexing(folder, index, options))
    assert done.status == 0, done.err
    return _report(done.stdout)


def index_of_anybody(folder: Path, index: Path, *options: str) -> dict[str, Any]:
    """The same, run as somebody who obeys permissions."""
    command = [*as_anybody(), *ISS, *_indexing(folder, index, options)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return _report(done.stdout)


def _indexing(folder: Path, index: Path, options: Sequence[str]) -> list[str]:
    model = [] if index.exists() else ["--model", "colour-texture"]
    return ["index", str(folder), "--index-dir", str(index), "--json", *model, *options]


def _report(out: bytes) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(out)
    return report


@contextmanager
def deep_folder(root: Path, levels: int) -> Iterator[None]:
    """The process is in a folder many levels below ``root``, whose path is too long to be named."""
    before = os.open(".", os.O_RDONLY)
    os.chdir(root)
    try:
        for _ in range(levels):
            os.mkdir("d")
            os.chdir("d")
        yield
    finally:
        os.fchdir(before)
        os.close(before)


@pytest.mark.unix
def test_a_tree_with_everything_that_is_no_picture(
    tmp_path: Path, make_picture: MakePicture
) -> None:
    root = tmp_path / "tree"
    picture = make_picture(root / "a.png", 1)
    make_picture(root / "sub" / "b.jpg", 2)
    os.mkfifo(root / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket.png"))
    if os.geteuid() == 0:
        os.mknod(root / "device.png", 0o600 | 0o060000, os.makedev(7, 99))
    (root / "zero.png").symlink_to("/dev/zero")
    (root / "loop").symlink_to(root)
    (root / "sub" / "up").symlink_to("..")
    (root / "circle.png").symlink_to(root / "circle.png")
    (root / "gone.png").symlink_to(root / "nothing.png")
    (root / "link.png").symlink_to(picture)
    os.link(picture, root / "hard.png")
    (root / "folder.png").mkdir()
    (root / "empty.png").touch()
    closed = root / "closed"
    make_picture(closed / "c.png", 3)
    make_picture(root / "unreadable.png", 4).chmod(0)
    closed.chmod(0)
    try:
        for options in ([], ["--follow-symlinks"]):
            index = tmp_path / f"i{len(options)}"
            report = index_of_anybody(root, index, *options)
            assert report["indexed"] == 3  # a, its hard link, and b
            assert report["skipped"] == 2  # the empty and the unreadable one
            assert len(report["unreadable_folders"]) == 1
            again = index_of_anybody(root, index, *options)
            assert (again["unchanged"], again["indexed"], again["removed"]) == (3, 0, 0)
        assert len(whole.committed(index)) == 3
    finally:
        closed.chmod(0o755)


def test_names_of_any_bytes_and_of_any_length(tmp_path: Path, make_picture: MakePicture) -> None:
    root = os.fsencode(tmp_path / "names")
    os.makedirs(root)
    names = [
        b"new\nline\r.png",
        b"\xff\xfe no utf-8.png",
        "\u202eright to left.png".encode(),
        "decomposed e\u0301.png".encode(),
        "composed \xe9.png".encode(),
        b"-n.png",
        b" .png",
        b"'\"$(rm) `x`;*?[a]{b}.png",
        b"%s%00.png",
        b"x" * 251 + b".png",
        b"\xf0\x9f\x90\xa2" * 62 + b".png",
    ]
    for seed, name in enumerate(names):
        with open(os.path.join(root, name), "wb") as file:
            draw(seed).save(file, "PNG")
    index = tmp_path / "i"
    assert index_of(Path(os.fsdecode(root)), index)["indexed"] == len(names)
    assert index_of(Path(os.fsdecode(root)), index)["unchanged"] == len(names)
    paths = {os.path.join(root, name) for name in names}
    for path in sorted(paths)[::4]:
        options = ["--index-dir", str(index), "-k", "1", "--paths", "-0"]
        done = run_here(["search", os.fsdecode(path), *options])
        assert done.stdout == path + b"\0", done.err
    assert {os.fsencode(path) for path in whole.committed(index)} == paths


def test_a_very_deep_tree(tmp_path: Path, make_picture: MakePicture) -> None:
    """What can't be reached by its path is named, and the rest is indexed."""
    root = tmp_path / "deep"
    make_picture(root / "top.png", 1)
    make_picture(root / "z" / "last.png", 2)
    with deep_folder(root, 2_100):
        draw(3).save("hidden.png")
    try:
        report = index_of(root, tmp_path / "i")
        assert report["indexed"] == 2
        (unreadable,) = report["unreadable_folders"]
        assert os.strerror(errno.ENAMETOOLONG).lower() in unreadable.lower()
    finally:
        subprocess.run(["rm", "-rf", root / "d"], check=True)


def test_a_name_that_only_changes_its_case(tmp_path: Path, make_picture: MakePicture) -> None:
    root, encoder = tmp_path / "p", CountingEncoder()
    old = make_picture(root / "Holiday" / "IMG_1.png", 1)
    with Collection.open(tmp_path / "i", encoder=encoder, create=True) as collection:
        collection.sync(root)
        id_ = collection.get(old).id
        old.rename(old.with_name("img_1.PNG"))
        (root / "Holiday").rename(root / "holiday")
        assert collection.sync(root).moved == 1
        assert collection.get(id_).path == str(root / "holiday" / "img_1.PNG")
        assert (len(collection), encoder.count) == (1, 1)


@pytest.mark.parametrize("year", [1950, 2300, 2440])
def test_a_file_of_whatever_date_is_indexed_once(
    tmp_path: Path, make_picture: MakePicture, year: int
) -> None:
    """After 2262 there are more nanoseconds than a catalog has numbers."""
    odd = make_picture(tmp_path / "p" / "odd.png", 1)
    make_picture(tmp_path / "p" / "other.png", 2)
    os.utime(odd, (int((year - 1970) * 365.2425 * 86400),) * 2)
    with Collection.open(tmp_path / "i", encoder=CountingEncoder(), create=True) as collection:
        assert collection.sync(tmp_path / "p").indexed == 2
        again = collection.sync(tmp_path / "p")
        assert (again.indexed, again.unchanged) == (0, 2)
        collection.add(odd)
        assert collection.search(odd, k=1)[0].score == 1.0
        assert not collection.verify(files=True).problems
        make_picture(odd, 3)
        assert collection.sync(tmp_path / "p").updated == 1


def test_files_that_vanish_or_are_replaced_while_a_run_is_at_work(
    tmp_path: Path, make_picture: MakePicture
) -> None:
    """What is kept of each is of one moment, and the next run has the rest."""
    root = tmp_path / "p"
    for seed in range(30):
        make_picture(root / f"{seed:02}.png", seed)
    seen: list[int] = []

    def meddle(progress: Progress) -> None:
        if progress.phase == "indexing" and not seen:  # all were seen, none was read
            seen.append(progress.done)
            for seed in range(0, 30, 3):
                (root / f"{seed:02}.png").unlink()
            for seed in range(1, 30, 3):
                new = make_picture(tmp_path / "new.png", 100 + seed)
                new.replace(root / f"{seed:02}.png")

    with Collection.open(tmp_path / "i", encoder=CountingEncoder(), create=True) as collection:
        report = collection.sync(root, progress=meddle)
        assert (report.indexed, report.skipped) == (20, 0)
        for path in root.iterdir():
            assert collection.search(path, k=1)[0].score == 1.0
        collection.sync(root)
        assert {record.path for record in collection} == whole.pictures(root)
        assert not collection.verify(files=True).problems


def test_a_link_to_the_indexed_folder_that_leads_nowhere_empties_nothing(
    tmp_path: Path, make_picture: MakePicture
) -> None:
    """As where a disk was unplugged; plugged in elsewhere, its pictures are known again."""
    disk, link, index = tmp_path / "disk", tmp_path / "link", tmp_path / "i"
    for seed in range(3):
        make_picture(disk / f"{seed}.png", seed)
    link.symlink_to(disk)
    index_of(link, index)
    disk.rename(tmp_path / "elsewhere")
    done = run_here(["index", str(link), "--index-dir", str(index)])
    assert done.status == 3
    assert "no such folder; nothing was changed" in done.err
    assert len(whole.committed(index)) == 3
    link.unlink()
    link.symlink_to(tmp_path / "elsewhere")
    report = index_of(link, index)
    assert (report["moved"], report["encoded"]) == (3, 0)
    assert whole.committed(index) == whole.pictures(tmp_path / "elsewhere")


def test_a_folder_below_that_can_not_be_listed_any_more_is_kept(
    tmp_path: Path, make_picture: MakePicture
) -> None:
    root, index = tmp_path / "p", tmp_path / "i"
    make_picture(root / "a.png", 1)
    make_picture(root / "nas" / "deep" / "b.png", 2)
    index_of_anybody(root, index)
    (root / "nas").chmod(0)
    try:
        report = index_of_anybody(root, index)
        assert report["removed"] == 0
        (said,) = report["unreadable_folders"]
        assert said == f"{root / 'nas'}: permission denied; its images are kept"
        assert len(whole.committed(index)) == 2
    finally:
        (root / "nas").chmod(0o755)


def test_a_folder_that_can_not_be_listed_and_never_was_is_not_said_to_be_kept(
    tmp_path: Path, make_picture: MakePicture
) -> None:
    root, index = tmp_path / "p", tmp_path / "i"
    make_picture(root / "a.png", 1)
    make_picture(root / "nas" / "b.png", 2)
    (root / "nas").chmod(0)
    try:
        report = index_of_anybody(root, index)
        assert report["unreadable_folders"] == [f"{root / 'nas'}: permission denied"]
        assert report["indexed"] == 1
    finally:
        (root / "nas").chmod(0o755)


def test_a_folder_that_can_not_be_listed_itself_is_refused(
    tmp_path: Path, make_picture: MakePicture
) -> None:
    root, index = tmp_path / "p", tmp_path / "i"
    make_picture(root / "a.png", 1)
    command = [*as_anybody(), *ISS, *_indexing(root, index, [])]
    for known in (0, 1):
        root.chmod(0)
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        finally:
            root.chmod(0o755)
        assert (done.returncode, done.stdout) == (3, "")
        assert f"{root}: can't be read: permission denied; nothing was changed" in done.stderr
        assert index.exists() == bool(known)
        index_of_anybody(root, index)
        assert len(whole.committed(index)) == 1


@pytest.mark.parametrize("given", ["{}/", "{}/.", "{0}/../p", "{}//", "{}/sub/.."])
def test_one_folder_however_it_is_written(
    tmp_path: Path, make_picture: MakePicture, given: str
) -> None:
    root = tmp_path / "p"
    make_picture(root / "sub" / "a.png", 1)
    index_of(root, tmp_path / "i")
    report = index_of(Path(given.format(root)), tmp_path / "i")
    assert (report["unchanged"], report["indexed"]) == (1, 0)
    with Collection.open(tmp_path / "i") as collection:
        assert collection.roots() == [str(root)]


def test_a_file_is_no_folder(tmp_path: Path, make_picture: MakePicture) -> None:
    path = make_picture(tmp_path / "a.png", 1)
    done = run_here(["index", str(path), "--index-dir", str(tmp_path / "i")])
    assert done.status == 3
    assert f"iss: {path}: " in done.err
    assert not (tmp_path / "i").exists()


def test_a_disk_that_is_not_mounted_and_then_is(tmp_path: Path, make_picture: MakePicture) -> None:
    disk, index, away = tmp_path / "disk", tmp_path / "i", tmp_path / "away"
    make_picture(disk / "a.png", 1)
    make_picture(tmp_path / "home" / "b.png", 2)
    for folder in (disk, tmp_path / "home"):
        index_of(folder, index)
    disk.rename(away)
    disk.mkdir()  # the place where it is mounted
    report = index_of(disk, index)
    assert report["removed"] == 0
    assert "it is empty, as if its disk were not mounted" in report["unreadable_folders"][0]
    assert index_of(tmp_path / "home", index)["removed"] == 0
    assert len(whole.committed(index)) == 2
    shutil.rmtree(disk)
    away.rename(disk)
    assert index_of(disk, index)["unchanged"] == 1
