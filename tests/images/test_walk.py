"""Folders as people have them: links, junk, strange names, trees too deep."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from image_similarity_search.images.walk import FoundFolder, walk

JPEG = b"\xff\xd8\xff\xe0 and so on"


def put(path: Path, data: bytes = JPEG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def link(path: Path, target: Path | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("this user may not make symbolic links here")
    return path


def found(root: Path | str, start: str = "", **options: Any) -> list[str]:
    return [
        f"{folder.path}/{file.name}".lstrip("/")
        for folder in walk(str(root), start, **options)
        for file in folder.files
    ]


def folders(root: Path, start: str = "", **options: Any) -> dict[str, FoundFolder]:
    return {folder.path: folder for folder in walk(str(root), start, **options)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "top" / "root"
    path.mkdir(parents=True)
    return path


# --- the order and the contents -------------------------------------------------------------


def test_depth_first_and_sorted_whatever_the_order_of_making(root: Path) -> None:
    for name in ("b/2.jpg", "z.jpg", "a/y/1.jpg", "b/1.jpg", "a/x/1.jpg", "a.jpg", "a/9.jpg"):
        put(root / name)
    assert [folder.path for folder in walk(str(root))] == ["", "a", "a/x", "a/y", "b"]
    assert found(root) == [
        "a.jpg",
        "z.jpg",
        "a/9.jpg",
        "a/x/1.jpg",
        "a/y/1.jpg",
        "b/1.jpg",
        "b/2.jpg",
    ]


def test_size_and_time_are_the_files_own(root: Path) -> None:
    path = put(root / "a.jpg", b"12345")
    os.utime(path, ns=(1, 1_234_567_890_123_456_700))
    [folder] = walk(str(root))
    [file] = folder.files
    assert (file.name, file.size, file.mtime_ns) == ("a.jpg", 5, path.stat().st_mtime_ns)


def test_pictures_by_name_or_else_by_their_first_bytes(root: Path) -> None:
    for name in ("a.JPG", "b.heic", "IMG_0001", "c.weird"):
        put(root / name)
    put(root / "not really.png", b"text")  # its name says so: found, and then refused
    put(root / "notes.txt")  # its name says no: not even opened
    put(root / "vector.svg", b"<svg/>")
    put(root / "unknown", b"text")
    put(root / "empty", b"")
    [folder] = walk(str(root))
    assert [file.name for file in folder.files] == [
        "IMG_0001",
        "a.JPG",
        "b.heic",
        "c.weird",
        "not really.png",
    ]
    assert folder.others == ["empty", "notes.txt", "unknown", "vector.svg"]
    [folder] = walk(str(root), all_files=True)
    assert (len(folder.files), folder.others) == (9, [])


def test_hidden_and_junk_are_passed_over_and_do_not_count(root: Path) -> None:
    put(root / "kept.jpg")
    for name in (".git", ".trash", "@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX"):
        put(root / name / "a.jpg")
    for name in ("System Volume Information", "lost+found", "node_modules", "@EADIR"):
        put(root / "sub" / name / "a.jpg")
    for name in ("._kept.jpg", ".hidden.jpg", "Thumbs.db", ".DS_Store"):
        put(root / name)
    assert found(root) == ["kept.jpg"]
    assert sorted(folders(root)) == ["", "sub"]
    assert folders(root)[""].others == []


def test_of_the_libraries_of_photo_applications_no_previews_are_found(root: Path) -> None:
    kept = ["My.photoslibrary/originals/0/a.jpg", "iPhoto.photolibrary/Masters/b.jpg"]
    kept += ["resources/c.jpg", "shoot/CaptureOne/Settings/d.jpg"]
    kept += ["CaptureOne/Private/e.jpg", "CaptureOne/Data/f.jpg"]
    made = ["My.photoslibrary/resources/derivatives", "iPhoto.photolibrary/Thumbnails/1"]
    made += ["Old.aplibrary/Previews", "shoot/CaptureOne/Cache/Thumbnails", "Previews.lrdata/1"]
    for name in (*kept, *(f"{folder}/x.jpg" for folder in made)):
        put(root / name)
    assert sorted(found(root)) == sorted(kept)
    assert found(root / "My.photoslibrary") == ["originals/0/a.jpg"]


def test_the_root_itself_may_be_hidden(tmp_path: Path) -> None:
    put(tmp_path / ".cache" / "@eaDir" / "a.jpg")
    assert found(tmp_path / ".cache" / "@eaDir") == ["a.jpg"]


def test_start_gives_paths_relative_to_the_root(root: Path) -> None:
    put(root / "a" / "b" / "1.jpg")
    put(root / "a" / "2.jpg")
    put(root / "c.jpg")
    for start in ("a", "a/", "/a"):
        assert found(root, start) == ["a/2.jpg", "a/b/1.jpg"]


def test_skipped_folders_are_not_entered(root: Path) -> None:
    put(root / "index_data" / "a.jpg")
    put(root / "sub" / "index_data" / "b.jpg")
    assert found(root, skip=[os.path.realpath(root / "index_data")]) == ["sub/index_data/b.jpg"]
    # but the folder that was asked for is visited
    assert found(root, skip=[os.path.realpath(root)]) == [
        "index_data/a.jpg",
        "sub/index_data/b.jpg",
    ]


def test_folders_without_files_are_reported_too(root: Path) -> None:
    (root / "empty").mkdir()
    assert [folder.path for folder in walk(str(root))] == ["", "empty"]


# --- patterns -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (["*.jpg"], ["a.jpg", "old/b.JPG"]),
        (["OLD/*"], ["old/b.JPG", "old/c.png"]),
        (["a.*", "c.*"], ["a.jpg", "old/c.png"]),
        (["[ab].jpg"], ["a.jpg", "old/b.JPG"]),
        (["none"], []),
    ],
)
def test_include(root: Path, include: list[str], expected: list[str]) -> None:
    for name in ("a.jpg", "old/b.JPG", "old/c.png", "old/notes.txt"):
        put(root / name)
    assert found(root, include=include) == expected
    assert folders(root, include=["*.jpg"])["old"].others == []


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        (["*.png"], ["a.jpg", "old/b.JPG", "old/deep/old/d.jpg"]),
        (["old"], ["a.jpg"]),
        (["old/"], ["a.jpg"]),
        (["OLD/deep"], ["a.jpg", "old/b.JPG", "old/c.png"]),
        (["old/*"], ["a.jpg"]),
    ],
)
def test_exclude(root: Path, exclude: list[str], expected: list[str]) -> None:
    for name in ("a.jpg", "old/b.JPG", "old/c.png", "old/deep/old/d.jpg"):
        put(root / name)
    assert found(root, exclude=exclude) == expected


def test_an_excluded_folder_is_not_entered(root: Path) -> None:
    put(root / "raw" / "a.jpg")
    assert list(folders(root, exclude=["raw"])) == [""]


# --- links to files -------------------------------------------------------------------------


def test_a_link_to_what_is_found_anyway_is_left_out(root: Path) -> None:
    put(root / "z" / "real.jpg")
    link(root / "a.jpg", root / "z" / "real.jpg")
    link(root / "b.jpg", "z/real.jpg")
    assert found(root) == ["z/real.jpg"]
    assert found(root, "z") == ["z/real.jpg"]
    assert folders(root)[""].others == []


def test_one_link_to_each_file_elsewhere_is_kept(root: Path, tmp_path: Path) -> None:
    target = put(tmp_path / "elsewhere" / "x.jpg", b"12345")
    for name in ("b.jpg", "c.jpg", "sub/a.jpg"):
        link(root / name, target)
    link(root / "d.jpg", put(tmp_path / "elsewhere" / "y.jpg"))
    link(root / "chain.jpg", root / "c.jpg")
    assert found(root) == ["b.jpg", "d.jpg"]
    assert folders(root)[""].files[0].size == 5


def test_a_link_to_what_the_walk_passes_over_is_kept(root: Path) -> None:
    link(root / "1.jpg", put(root / ".objects" / "a.jpg"))
    link(root / "2.jpg", put(root / "raw" / "b.jpg"))
    link(root / "3.jpg", put(root / "c.txt"))
    link(root / "4.jpg", put(root / "index" / "d.jpg"))
    skip = [os.path.realpath(root / "index")]
    assert found(root, exclude=["raw"], skip=skip) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]


def test_a_link_whose_target_is_not_included_is_kept(root: Path) -> None:
    link(root / "kept.jpg", put(root / "scan.tif"))
    assert found(root, include=["*.jpg"]) == ["kept.jpg"]


def test_broken_links_and_links_in_a_circle_are_passed_over(root: Path) -> None:
    link(root / "a.jpg", "nowhere.jpg")
    link(root / "b.jpg", "b.jpg")
    link(root / "c.jpg", "d.jpg")
    link(root / "d.jpg", "c.jpg")
    [folder] = walk(str(root), follow_symlinks=True)
    assert (folder.files, folder.others, folder.error) == ([], [], None)


def test_it_is_told_why_links_are_passed_over(root: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "elsewhere" / "x.jpg")
    put(root / "z" / "real.jpg")
    link(root / "again.jpg", root / "first.jpg")
    link(root / "broken.jpg", "nowhere.jpg")
    link(root / "first.jpg", outside)
    link(root / "folder", tmp_path / "elsewhere")
    link(root / "real.jpg", "z/real.jpg")
    link(root / "round", "z")
    told = {one.name: (one.why, one.counted_as) for one in folders(root)[""].passed_over}
    assert told == {
        "broken.jpg": ("a link that leads nowhere (no such file or directory)", ""),
        "first.jpg": ("the same file as again.jpg", "again.jpg"),
        "folder": ("a link to a folder, and these are not followed", ""),
        "real.jpg": ("a link to z/real.jpg, which is indexed itself", "z/real.jpg"),
        "round": ("a link to the folder z, which is indexed itself", ""),
    }
    (root / "again.jpg").unlink()
    followed = folders(root, follow_symlinks=True)
    assert [one.name for one in followed[""].passed_over] == ["broken.jpg", "real.jpg", "round"]
    assert [one.counted_as for one in followed["folder"].passed_over] == ["first.jpg"]


@pytest.mark.unix
def test_hard_links_are_separate_images(root: Path) -> None:
    os.link(put(root / "a.jpg"), root / "b.jpg")
    assert found(root) == ["a.jpg", "b.jpg"]


# --- links to folders -----------------------------------------------------------------------


def test_linked_folders_are_entered_only_on_demand(root: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "deep" / "x.jpg")
    link(root / "more", tmp_path / "elsewhere")
    assert found(root) == []
    assert found(root, follow_symlinks=True) == ["more/deep/x.jpg"]
    assert found(root, "more", follow_symlinks=True) == ["more/deep/x.jpg"]
    assert found(root, exclude=["more"], follow_symlinks=True) == []
    skip = [os.path.realpath(tmp_path / "elsewhere")]
    assert found(root, skip=skip, follow_symlinks=True) == []


@pytest.mark.parametrize("target", [".", "..", "../..", "sub", "sub/deep"])
def test_no_loop_and_no_folder_twice(root: Path, target: str) -> None:
    put(root / "sub" / "deep" / "a.jpg")
    link(root / "loop", target)
    link(root / "sub" / "loop", os.path.join("..", target))
    assert found(root, follow_symlinks=True).count("sub/deep/a.jpg") == 1
    assert len(found(root, follow_symlinks=True)) == 1


def test_two_links_to_one_folder_enter_it_once(root: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "x.jpg")
    put(tmp_path / "elsewhere" / "inner" / "y.jpg")
    link(root / "a", tmp_path / "elsewhere" / "inner")
    link(root / "b", tmp_path / "elsewhere")
    link(root / "c", tmp_path / "elsewhere")
    link(root / "d", tmp_path / "elsewhere" / "inner")
    assert found(root, follow_symlinks=True) == ["a/y.jpg", "b/x.jpg"]


def test_a_linked_folder_above_the_root_is_walked_around_it(root: Path, tmp_path: Path) -> None:
    put(root / "a.jpg")
    put(tmp_path / "beside" / "b.jpg")
    link(root / "up", tmp_path)
    assert found(root, follow_symlinks=True) == ["a.jpg", "up/beside/b.jpg"]


def test_a_file_linked_alone_and_by_its_folder_is_found_once(root: Path, tmp_path: Path) -> None:
    target = put(tmp_path / "elsewhere" / "x.jpg")
    link(root / "first.jpg", target)
    link(root / "more", tmp_path / "elsewhere")
    link(root / "more2" / "last.jpg", target)
    assert found(root, follow_symlinks=True) == ["first.jpg"]
    (root / "first.jpg").unlink()
    assert found(root, follow_symlinks=True) == ["more/x.jpg"]


def test_a_start_that_only_a_link_leads_to(root: Path, tmp_path: Path) -> None:
    link(tmp_path / "elsewhere" / "a.jpg", put(tmp_path / "elsewhere" / "x.jpg"))
    link(root / "more", tmp_path / "elsewhere")
    assert found(root, "more") == ["more/x.jpg"]


def test_a_folder_outside_that_links_back_in(root: Path, tmp_path: Path) -> None:
    put(root / "sub" / "a.jpg")
    link(tmp_path / "elsewhere" / "back", root)
    link(tmp_path / "elsewhere" / "back to sub", root / "sub")
    link(root / "out", tmp_path / "elsewhere")
    assert found(root, follow_symlinks=True) == ["sub/a.jpg"]


def test_the_root_may_be_a_link(root: Path, tmp_path: Path) -> None:
    put(root / "sub" / "a.jpg")
    link(root / "b.jpg", root / "sub" / "a.jpg")
    assert found(link(tmp_path / "other name", root)) == ["sub/a.jpg"]


# --- what can't be read ---------------------------------------------------------------------


def test_a_missing_root_is_reported(tmp_path: Path) -> None:
    [folder] = walk(str(tmp_path / "none"))
    assert (folder.path, folder.files, folder.error) == ("", [], "no such file or directory")


def test_a_file_as_the_root_is_reported(root: Path) -> None:
    [folder] = walk(str(put(root / "a.jpg")))
    assert folder.error


@pytest.mark.unix
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_an_unreadable_folder_is_reported_and_the_walk_goes_on(root: Path, mode: int) -> None:
    put(root / "a" / "1.jpg")
    put(root / "b" / "2.jpg")
    (root / "a").chmod(mode)
    try:
        listed = _walked_by_a_nobody(root)
    finally:
        (root / "a").chmod(0o755)
    assert listed == [("", 0, None), ("a", 0, "permission denied"), ("b", 1, None)]


def _walked_by_a_nobody(root: Path) -> list[tuple[str, int, str | None]]:
    """What a user without rights sees; the tests may run as root, who may read everything."""
    program = (
        "import os\n"
        "from image_similarity_search.images.walk import walk\n"
        "if os.geteuid() == 0:\n"
        "    os.setgid(65534)\n"
        "    os.setuid(65534)\n"
        "print([(one.path, len(one.files), one.error) for one in walk('.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    return list(ast.literal_eval(done.stdout))


@pytest.mark.unix
def test_pipes_sockets_and_devices_are_passed_over(root: Path) -> None:
    os.mkfifo(root / "pipe.jpg")
    os.mkfifo(root / "pipe")
    link(root / "null.jpg", "/dev/null")
    link(root / "fifo.jpg", root / "pipe")
    [folder] = walk(str(root), all_files=True)
    assert (folder.files, folder.others) == ([], [])


def test_what_vanishes_during_the_walk(root: Path) -> None:
    for name in ("a/1.jpg", "b/2.jpg", "c/3.jpg"):
        put(root / name)
    visited = walk(str(root))
    next(visited)
    (root / "b" / "2.jpg").unlink()
    (root / "b").rmdir()
    # reported rather than passed over, so that an unplugged disk doesn't look like empty folders
    assert [(one.path, one.error is None) for one in visited] == [
        ("a", True),
        ("b", False),
        ("c", True),
    ]


# --- depth and names ------------------------------------------------------------------------


@pytest.fixture
def deep(root: Path) -> Iterator[Path]:
    """A folder 2,100 levels deep, whose path is longer than the system takes."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(2100):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    yield root
    subprocess.run(["rm", "-rf", str(root)], check=True)


@pytest.mark.unix
def test_a_tree_too_deep_for_the_system_ends_with_an_error(deep: Path) -> None:
    put(deep / "e" / "after.jpg")
    visited = list(walk(str(deep)))
    assert len(visited) > sys.getrecursionlimit()
    assert [one.path for one in visited if one.error] == [visited[-2].path]
    assert visited[-1].files[0].name == "after.jpg"


@pytest.mark.unix
def test_any_name_survives(root: Path) -> None:
    names = [
        b"two\nlines.jpg",
        b" spaces .jpg",
        "größe 图片 🌻.jpg".encode(),
        b"not \xff\xfe utf8.jpg",
        b"back\\slash.jpg",
        b"star*[1].jpg",
        b"-n.jpg",
    ]
    folder = os.path.join(os.fsencode(root), b"f\xe9lder")
    try:
        os.mkdir(folder)
        for name in names:
            with open(os.path.join(folder, name), "wb") as file:
                file.write(JPEG)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    for include in ([], ["*.JPG"]):
        paths = found(root, include=include)
        assert {os.fsencode(path) for path in paths} == {b"f\xe9lder/" + name for name in names}
        assert all((root / path).read_bytes() == JPEG for path in paths)
