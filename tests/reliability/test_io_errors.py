"""A disk that is full, or fails: a clear error, and all that was committed stays."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ending_drive
import pytest
import whole
from conftest import CountingEncoder, draw

from image_similarity_search.catalog.values import FileStat
from image_similarity_search.collection import Collection
from image_similarity_search.collection.worklist import Work, Worklist
from image_similarity_search.errors import CollectionUnwritableError

ISS = [sys.executable, "-m", "image_similarity_search"]
COLLECTION_FAILED = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full") / "pictures"
    folder.mkdir()
    for seed in range(60):
        draw(seed, (32, 24)).save(folder / f"{seed:02}.png")
    return folder


def _index(folder: Path, index: Path) -> list[object]:
    return [*ISS, "index", folder, "--index-dir", index, "--model", "colour-texture"]


# At every change of a file


def _fail_at_changes(folder: Path, work: Path, error: int, count: int) -> None:
    index = work / "i"
    total = ending_drive.run(_index(folder, index), index, work, error=error).changes
    points = ending_drive.points(total, count)
    kept = 0
    for at in points:
        shutil.rmtree(index, ignore_errors=True)
        ended = ending_drive.run(_index(folder, index), index, work, at, error)
        left = whole.committed(index)
        if ended.status:  # else only the store's file, which is made anew, was not written
            assert ended.status == COLLECTION_FAILED, ended.err
            assert ended.err.splitlines()[-1].startswith(f"iss: {index}"), ended.err
        else:
            assert left == whole.pictures(folder)
        assert "Traceback" not in ended.err
        kept += 0 < len(left) < len(whole.pictures(folder))
        whole.finish(index, folder)
    name = errno.errorcode[error]
    print(f"{name} at {len(points)} of {total} changes, {kept} amid the work: nothing lost")


def test_a_drive_that_fails(folder: Path, tmp_path: Path) -> None:
    _fail_at_changes(folder, tmp_path, errno.EIO, 4)


@pytest.mark.slow
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_drive_that_fails_at_any_change(folder: Path, tmp_path: Path, error: int) -> None:
    _fail_at_changes(folder, tmp_path, error, 60)


# A disk that is really full


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    place = tmp_path / "small disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if not sys.platform.startswith("linux") or subprocess.run(command, check=False).returncode:
        pytest.skip("may not mount anything")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def _iss(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*ISS, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _fill(disk: Path) -> None:
    with (disk / "filling").open("ab") as file:
        for size in (4096, 1):
            try:
                while True:
                    os.write(file.fileno(), bytes(size))
            except OSError:
                pass


def test_a_full_disk(tmp_path: Path, small_disk: Path) -> None:
    more = tmp_path / "more"
    more.mkdir()
    for seed in range(60, 260):
        draw(seed, (32, 24)).save(more / f"{seed:03}.png")
    index = small_disk / "i"
    done = _iss("index", more, "--index-dir", index, "--model", "colour-texture")
    assert done.returncode == COLLECTION_FAILED
    assert f"iss: {index / 'catalog.sqlite'} can't be written to" in done.stderr
    assert "full" in done.stderr
    assert "free disk space" in done.stderr
    left = whole.committed(index)
    assert 8 <= len(left) < 200

    _resize(small_disk, "20m")
    done = _iss("index", more, "--index-dir", index)
    assert done.returncode == 0, done.stderr
    assert whole.committed(index) == whole.pictures(more)


def test_on_a_full_disk_it_can_be_searched_and_when_there_is_room_changed(
    folder: Path, small_disk: Path
) -> None:
    _resize(small_disk, "4m")
    index = small_disk / "i"
    with Collection.open(index, encoder=CountingEncoder(), create=True) as collection:
        collection.sync(folder)
    _fill(small_disk)
    done = _iss("search", folder / "07.png", "--index-dir", index, "-k", 1, "--paths")
    assert done.stdout == f"{folder / '07.png'}\n", done.stderr
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        assert len(collection.search(1, k=100)) == 59
        (small_disk / "filling").unlink()
        assert collection.remove(1) == 1
        assert len(collection.search(2, k=100)) == 58


@pytest.mark.unix
def test_a_file_that_may_grow_no_further(folder: Path, tmp_path: Path) -> None:
    """As where a quota, or the file system, limits the size of one file."""
    script = (
        "import resource, signal, sys;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000));"
        "from image_similarity_search.cli import main; main()"
    )
    index = tmp_path / "i"
    command = [sys.executable, "-c", script, *_index(folder, index)[len(ISS) :]]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == COLLECTION_FAILED, done.stderr
    assert "Traceback" not in done.stderr
    assert len(whole.committed(index)) < 60
    whole.finish(index, folder)


# A disk for temporary files that is full


def test_where_no_temporary_file_can_be_made_none_is_needed(
    folder: Path, tmp_path: Path, small_disk: Path
) -> None:
    _fill(small_disk)
    settings = os.environ | {"TMPDIR": str(small_disk)}
    command = list(map(str, _index(folder, tmp_path / "i")))
    subprocess.run(command, env=settings, check=True, capture_output=True)
    assert whole.committed(tmp_path / "i") == whole.pictures(folder)


def _fill_with_work(worklist: Worklist) -> None:
    for number in range(200_000):
        worklist.append(Work("folder" * 5, f"{number}.png", FileStat(1, 1), None))
    next(iter(worklist))


def test_a_list_of_work_without_room_says_what_to_do(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    worklist = Worklist()
    with pytest.raises(CollectionUnwritableError, match=r"small disk.*TMPDIR"):
        _fill_with_work(worklist)
    worklist.close()
