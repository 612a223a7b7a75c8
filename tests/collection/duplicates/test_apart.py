"""A file that is reached by two paths is no duplicate of itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import two_paths
from conftest import draw

from image_similarity_search import Collection
from image_similarity_search.collection.duplicates.apart import aside, check_apart
from image_similarity_search.collection.duplicates.undo_log import Entry


@pytest.mark.skipif(sys.platform != "linux", reason="there are other ways to mount a folder")
@pytest.mark.parametrize("name", ["net", "mounted-again"])  # the shorter path is kept
def test_a_folder_that_is_mounted_twice_loses_nothing(tmp_path: Path, name: str) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in (1, 2):
        draw(number, (80, 60)).save(pictures / f"{number}.png")
    shutil.copy(pictures / "1.png", pictures / "copy.png")
    before = _files(pictures)
    of_nobody = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = [sys.executable, two_paths.__file__, str(tmp_path), name]
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare")
    done = subprocess.run(
        ["unshare", "--mount", *of_nobody, *script], capture_output=True, text=True, check=False
    )
    if done.returncode == 77 or done.stderr.startswith("unshare"):
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    kept = tmp_path / min("pictures", name, key=len)
    for deeds in map(json.loads, done.stdout.splitlines()):
        done_with = [one for one in deeds if not one[2]]
        assert all(Path(one[0]).parent == kept for one in done_with)  # which is of two files one
        told = [one[2] for one in deeds if Path(one[0]).parent != kept]
        assert len([one for one in told if "two paths" in one or "another path" in one]) >= 2
    left = _files(pictures)
    assert left == {name: before[name] for name in left}
    assert sorted(left.values()) == sorted(set(before.values()))


def _files(folder: Path) -> dict[str, bytes]:
    """What is in the files of a folder, hidden ones too; links are none."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.is_symlink()}


@pytest.mark.unix
@pytest.mark.parametrize("kept", ["a.png", "b.png"])
def test_what_may_be_the_file_to_keep_has_its_name_again(tmp_path: Path, kept: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(name.encode())
    (tmp_path / "linked").symlink_to(folder)
    entry = Entry("run", "delete", str(folder / "a.png"), kept=str(tmp_path / "linked" / kept))
    with pytest.raises(OSError, match="the same file" if kept == "a.png" else "two paths"):
        check_apart(entry)
    assert _files(folder) == {"a.png": b"a.png", "b.png": b"b.png"}
    check_apart(Entry("run", "delete", str(folder / "a.png"), kept=str(folder / "b.png")))
    assert _files(folder) == {"a.png": b"a.png", "b.png": b"b.png"}


@pytest.mark.parametrize("then", ["act", "undo", "another"])
def test_what_a_killed_process_left_aside_is_brought_back(
    tmp_path: Path, collection: Collection, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    pictures, rename = tmp_path / "pictures", os.rename
    pictures.mkdir()
    draw(1, (80, 60)).save(pictures / "a.png")
    shutil.copy(pictures / "a.png", pictures / "copy.png")
    collection.sync(pictures)
    before = _files(pictures)

    def killed(path: str, to: str) -> None:
        monkeypatch.setattr(os, "rename", _raises(KeyboardInterrupt))
        rename(path, to)

    groups = collection.duplicates().groups
    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        collection.resolve_duplicates(groups, "delete", dry_run=False)
    monkeypatch.undo()
    (hidden,) = pictures.glob(".iss-*")
    assert _files(pictures) == {"a.png": before["a.png"], hidden.name: before["copy.png"]}
    if then == "act":
        assert collection.resolve_duplicates(groups, "delete", dry_run=False).done
        assert _files(pictures) == {"a.png": before["a.png"]}
    elif then == "undo":
        (deed,) = collection.undo_duplicates().deeds
        assert not deed.problem
        assert _files(pictures) == before
    else:
        (pictures / "copy.png").write_bytes(b"something new")
        (deed,) = collection.undo_duplicates().deeds
        assert deed.problem == f"it is {pictures / 'copy (1).png'} now"
        assert (pictures / "copy (1).png").read_bytes() == before["copy.png"]
        assert (pictures / "copy.png").read_bytes() == b"something new"


def _raises(error: type[BaseException]) -> Callable[[str, str], None]:
    def refuse(_path: str, _to: str) -> None:
        raise error

    return refuse


def test_no_two_files_have_one_name_aside() -> None:
    entries = [Entry(run, "move", path) for run in ("one", "two") for path in ("/p/a", "/p/b")]
    assert len({aside(entry) for entry in entries}) == 4
