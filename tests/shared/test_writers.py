"""Several processes that change a shared collection at once, and such as end amid it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import CountingEncoder, draw
from postgres_server import PostgresServer

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection import Collection
from image_similarity_search.errors import (
    CollectionLockedError,
    CollectionUnavailableError,
)
from image_similarity_search.types import FloatArray, PixelArray
from shared.writers import Follower, ended, start, until_indexed

Opened = Callable[..., Collection]
Started = Callable[..., subprocess.Popen[str]]


def fill(folder: Path, seeds: range) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        draw(seed, (32, 32)).save(folder / f"{seed:03}.bmp")
    return folder


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Iterator[Opened]:
    """Opens the collection from an index folder of some computer."""
    made: list[Collection] = []

    def open_(computer: str, encoder: CountingEncoder | None = None) -> Collection:
        index = tmp_path / computer
        collection = Collection.open(
            index, encoder=encoder or CountingEncoder(), catalog=url, create=True
        )
        made.append(collection)
        return collection

    yield open_
    for collection in made:
        collection.close()


@pytest.fixture
def started(url: str, tmp_path: Path) -> Iterator[Started]:
    """Starts processes that sync folders, each on a computer of its own."""
    processes: list[subprocess.Popen[str]] = []

    def start_(computer: str, folder: Path, *, seconds: float = 0.02) -> subprocess.Popen[str]:
        processes.append(start(url, tmp_path / computer, folder, seconds=seconds))
        return processes[-1]

    yield start_
    for process in processes:
        with process:
            process.kill()


def test_many_write_at_once_and_who_follows_misses_nothing(
    started: Started, opened: Opened, tmp_path: Path
) -> None:
    here = opened("here")
    roots = [fill(tmp_path / f"root{n}", range(n * 50, n * 50 + 60)) for n in range(3)]
    processes = [started(f"computer{n}", root) for n, root in enumerate(roots)]
    with closing(Catalog(str(tmp_path / "here"))) as catalog:
        follower = Follower(catalog)
        follower.follow_while(lambda: any(process.poll() is None for process in processes))
        encoded = [ended(process)[0] for process in processes]
        assert not follower.lacks()
        assert len(follower.generations) > 5, "it followed, or nothing was shown"
        paths = {record.path for record in catalog.all_records()}
    assert paths == {str(path) for root in roots for path in root.iterdir()}
    assert 160 <= sum(encoded) <= 180  # of 160 pictures; 20 of them lie in two roots
    assert not here.verify().damaged
    assert len(here.search(1, k=500)) == 179


def test_a_root_is_indexed_by_one_at_a_time_and_each_picture_encoded_once(
    started: Started, opened: Opened, tmp_path: Path
) -> None:
    root = fill(tmp_path / "root", range(60))
    processes = [started(f"computer{n}", root) for n in range(3)]
    assert sorted(ended(process)[0] for process in processes) == [0, 0, 60]
    here = opened("here")
    assert len({record.path for record in here}) == len(here) == 60


def test_whoever_waits_takes_in_a_root_that_another_syncs(
    started: Started, url: str, tmp_path: Path
) -> None:
    around = tmp_path / "around"
    root = fill(around / "root", range(24))
    fill(around, range(30, 34))
    with started("there", root, seconds=0.1) as process:
        until_indexed(process, 8)
        with Collection.open(
            tmp_path / "here", encoder=CountingEncoder(), catalog=url, wait=60
        ) as here:
            report = here.sync(around)
            assert (report.indexed, report.unchanged) == (4, 24)
            assert here.roots() == [str(around)]


def test_whoever_does_not_wait_is_told_who_writes(
    started: Started, opened: Opened, tmp_path: Path
) -> None:
    here = opened("here")
    root, other = fill(tmp_path / "root", range(200)), fill(tmp_path / "other", range(300, 304))
    with started("there", root, seconds=0.1) as process:
        until_indexed(process, 16)
        with pytest.raises(CollectionLockedError, match=f"iss {process.pid} on .* .since .* writ"):
            here.sync(root)
        with pytest.raises(CollectionLockedError, match=f"iss {process.pid} on "):
            here.sync(root / "..")  # which would take it in
        with pytest.raises(CollectionLockedError):
            here.relocate(root, tmp_path / "elsewhere", force=True)
        # and what is beside it goes on meanwhile
        assert here.sync(other).indexed == 4
        before = here.add(root / "199.bmp")[0].id
        assert here.change_tags([before], add="sea") == 1
        assert here.remove(other / "300.bmp") == 1
        assert process.poll() is None
        process.kill()
    report = here.sync(root)
    assert report.unchanged + report.indexed == 200
    assert here.tags() == {"sea": 1}
    assert here.get(root / "199.bmp").id == before


@pytest.mark.unix
def test_a_killed_writer_leaves_whole_batches_and_no_lock(
    started: Started, opened: Opened, tmp_path: Path
) -> None:
    roots = [fill(tmp_path / name, seeds) for name, seeds in
             (("a", range(200)), ("b", range(200, 240)))]  # fmt: skip
    killed = started("killed", roots[0], seconds=0.1)
    goes_on = started("goes on", roots[1])
    until_indexed(killed, 24)
    killed.send_signal(signal.SIGKILL)
    assert ended(goes_on)[0] == 40
    encoder = CountingEncoder()
    here = opened("here", encoder)
    done = len(here) - 40
    assert 24 <= done < 200
    assert not here.verify().damaged
    assert here.sync(roots[0]).indexed == encoder.count == 200 - done
    assert len({record.path for record in here}) == 240


@pytest.mark.unix
def test_a_server_that_crashes_loses_nothing_that_was_said_to_be_kept(
    server: PostgresServer, started: Started, opened: Opened, tmp_path: Path
) -> None:
    root = fill(tmp_path / "root", range(120))
    here = opened("here")
    writer = started("writer", root, seconds=0.1)
    until_indexed(writer, 24)
    before = len(here.search(1, k=500)) + 1
    assert before >= 24
    server.stop(signal.SIGQUIT)
    with pytest.raises(CollectionUnavailableError, match="PGPASSWORD"):
        here.search(1)
    _, errors = ended(writer, 4)
    assert errors.startswith("CollectionUnavailableError postgresql://iss@127.0.0.1")
    assert server.password not in errors
    server.start()
    assert len(here.search(1, k=500)) + 1 >= before  # by the same connection, as it seems
    report = here.sync(root)
    assert report.unchanged >= before
    assert len({record.path for record in here}) == len(here) == 120
    assert not here.verify().damaged


def test_a_lost_connection_is_not_made_up_for_amid_a_turn(
    server: PostgresServer, opened: Opened, tmp_path: Path
) -> None:
    """Its locks went with it: another may be at the same root by now."""

    class CutOff(CountingEncoder):
        def encode(self, pixels: PixelArray) -> FloatArray:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'iss %'"
            )
            return super().encode(pixels)

    root = fill(tmp_path / "root", range(8))  # one batch: nothing else is asked meanwhile
    with pytest.raises(CollectionUnavailableError):
        opened("cut off", CutOff()).sync(root)
    here = opened("here")
    assert len(here) == 0
    assert here.sync(root).indexed == 8


def test_a_searcher_sees_what_others_commit(
    started: Started, opened: Opened, tmp_path: Path
) -> None:
    root = fill(tmp_path / "root", range(40))
    searcher, writer = opened("searcher"), opened("writer")
    assert searcher.search(root / "000.bmp") == []
    writer.sync(root)
    found = searcher.search(root / "007.bmp", k=40)
    assert (found[0].path, found[0].score) == (str(root / "007.bmp"), 1.0)
    assert len(found) == 40
    (root / "007.bmp").unlink()
    writer.sync(root)
    assert len(searcher.search(root / "008.bmp", k=40)) == 39


# Files that go from one computer's folder to another's


def test_an_image_that_another_computer_found_is_not_forgotten(
    opened: Opened, tmp_path: Path
) -> None:
    one, other = fill(tmp_path / "one", range(8)), fill(tmp_path / "other", range(8, 12))
    there = opened("there")

    class Meanwhile(CountingEncoder):
        def encode(self, pixels: PixelArray) -> FloatArray:
            assert there.sync(other).moved == 1
            return super().encode(pixels)

    here = opened("here", Meanwhile())
    there.sync(one)
    there.sync(other)
    image = there.get(one / "003.bmp").id
    there.add_tags([image], "kept")
    shutil.move(one / "003.bmp", other / "moved.bmp")
    fill(one, range(20, 21))
    assert here.sync(one).removed == 0
    assert there.get(other / "moved.bmp").id == image
    assert there.tags() == {"kept": 1}


@pytest.mark.parametrize("mount_point", [False, True])
def test_what_is_not_mounted_here_is_not_gone(
    opened: Opened, tmp_path: Path, mount_point: bool
) -> None:
    theirs, ours = fill(tmp_path / "theirs", range(8)), fill(tmp_path / "ours", range(6, 10))
    opened("there").sync(theirs)
    os.rename(theirs, tmp_path / "on another computer")
    if mount_point:
        theirs.mkdir()  # with nothing in it
    here = opened("here")
    report = here.sync(ours)
    assert (report.moved, report.removed) == (0, 0)
    assert len(here) == 12


@pytest.mark.unix
def test_an_interrupt_ends_a_run_in_peace(started: Started, opened: Opened, tmp_path: Path) -> None:
    root = fill(tmp_path / "root", range(150))
    here = opened("here")
    for batches in (1, 5):
        process = started(f"computer{batches}", root, seconds=0.01)
        until_indexed(process, 8 * batches)
        process.send_signal(signal.SIGINT)
        _, errors = ended(process, 130)
        assert errors.startswith("interrupted")
        assert not here.verify().damaged
    assert here.sync(root).unchanged >= 8 * 5
    assert len({record.path for record in here}) == len(here) == 150
