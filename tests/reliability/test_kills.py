"""Killed (SIGKILL) at any moment: nothing that was committed is lost, and the next run goes on."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import ending_drive
import pytest
import whole
from conftest import CountingEncoder, draw

from image_similarity_search.catalog.schema import FORMAT_VERSION
from image_similarity_search.collection import Collection
from image_similarity_search.collection.pipeline import BATCH
from image_similarity_search.processors import available_processors

pytestmark = pytest.mark.unix

ISS = [sys.executable, "-m", "image_similarity_search"]
GOLDEN = Path(__file__).parent.parent / "golden"
PICTURES = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures in several folders, so many that they make several batches."""
    folder = tmp_path_factory.mktemp("kills") / "pictures"
    for seed in range(PICTURES):
        below = folder / ("", "one", "one/two", "drei")[seed % 4]
        below.mkdir(parents=True, exist_ok=True)
        draw(seed, (32, 24)).save(below / f"{seed:02}.png")
    return folder


def changed(folder: Path) -> None:
    """New, changed, moved and deleted pictures."""
    for seed in range(12):
        draw(100 + seed, (32, 24)).save(folder / f"new {seed}.png")
    for seed in range(4):
        draw(200 + seed, (32, 24)).save(folder / f"{4 * seed:02}.png")
    (folder / "one").rename(folder / "eins")
    for path in (folder / "drei").iterdir():
        if path.stem > "30":
            path.unlink()


# At every change of a file of the collection

_RUNS: dict[str, Callable[[Path, Path], list[object]]] = {
    "index": lambda index, folder: [*ISS, "index", folder, "--index-dir", index],
    "rebuild": lambda index, _: [*ISS, "rebuild", "--index", "hnsw", "--index-dir", index],
    "remove": lambda index, folder: [*ISS, "remove", folder / "one", "--index-dir", index],
    "migrate": lambda index, _: [*ISS, "info", "--index-dir", index],
    "create": lambda index, folder: [
        *ISS, "index", folder, "--index-dir", index, "--model", "colour-texture"
    ],
}  # fmt: skip


def _before(run: str, index: Path, folder: Path) -> None:
    """The collection, if any, that a run finds, and the folder."""
    if run == "migrate":
        shutil.copytree(GOLDEN / "format-1", index)
    elif run != "create":
        with Collection.open(index, encoder=CountingEncoder(), create=True) as collection:
            collection.sync(folder)
        if run == "index":
            changed(folder)


@pytest.fixture(params=_RUNS)
def start(request: pytest.FixtureRequest, tmp_path: Path, folder: Path) -> tuple[str, Path, Path]:
    """What a run does, with the collection as it is before, and the folder."""
    shutil.copytree(folder, tmp_path / "p")
    _before(request.param, tmp_path / "before", tmp_path / "p")
    return request.param, tmp_path / "before", tmp_path / "p"


def _kill_at_changes(start: tuple[str, Path, Path], work: Path, count: int) -> None:
    run, before, folder = start
    kept = whole.committed(before) if run != "migrate" else set()
    index = work / "i"
    if before.exists():
        shutil.copytree(before, index)
    total = ending_drive.run(_RUNS[run](index, folder), index, work).changes
    points = ending_drive.points(total, count)
    assert len(points) > 3
    for at in points:
        shutil.rmtree(index, ignore_errors=True)
        if before.exists():
            shutil.copytree(before, index)
        ended = ending_drive.run(_RUNS[run](index, folder), index, work, at)
        assert ended.status == -signal.SIGKILL, ended.err
        _survived(run, index, folder, kept)
    print(f"killed at {len(points)} of {total} changes of a file ({run}): nothing lost")


def _survived(run: str, index: Path, folder: Path, kept: set[str]) -> None:
    if run == "migrate":
        with Collection.open(index) as collection:
            assert not collection.verify().damaged
            assert len(collection.search(1, k=50)) == len(collection) - 1
        with closing(sqlite3.connect(index / "catalog.sqlite")) as database:
            assert database.execute("PRAGMA user_version").fetchone() == (FORMAT_VERSION,)
        return
    left = whole.committed(index)
    if run == "rebuild":
        assert left == kept
    elif run == "remove":
        assert left in (kept, {path for path in kept if not path.startswith(f"{folder}/one/")})
    elif run == "index":  # what is neither new, moved, changed nor deleted
        assert kept & whole.pictures(folder) <= left
    whole.finish(index, folder)


@pytest.mark.parametrize("start", ["index"], indirect=True)
def test_killed_at_changes_of_a_file(start: tuple[str, Path, Path], tmp_path: Path) -> None:
    _kill_at_changes(start, tmp_path, 4)


@pytest.mark.slow
def test_killed_at_many_changes_of_a_file(start: tuple[str, Path, Path], tmp_path: Path) -> None:
    _kill_at_changes(start, tmp_path, 50)


# At random moments

# an encoder slow enough that most moments are within its work, and that writes down what it does
_INDEX = """
import os, sys, time
from image_similarity_search import Collection
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder

class Slow(ColourTextureEncoder):
    def encode(self, pixels):
        os.write(encoded, b"." * len(pixels))
        time.sleep(0.01)
        return super().encode(pixels)

encoded = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
with Collection.open(sys.argv[2], encoder=Slow(), create=True) as collection:
    collection.sync(sys.argv[1], progress=lambda step: step.phase == "indexing"
                    and print(step.done, flush=True))
"""


def _start(folder: Path, index: Path, encoded: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _INDEX, str(folder), str(index), str(encoded)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _kill_at_a_moment(folder: Path, work: Path, rng: random.Random) -> tuple[bool, int]:
    """Kill a run, early or amid its work; returns whether it was killed, and how many it left."""
    index, encoded = work / "i", work / "encoded"
    process = _start(folder, index, encoded)
    assert process.stdout
    reported = 0
    for _ in range(rng.randrange(PICTURES // BATCH + 2)):
        reported = int(process.stdout.readline() or reported)
    time.sleep(rng.uniform(0, 0.02 if reported else 0.4))
    process.kill()
    said, _ = process.communicate()
    reported = max(map(int, said.split()), default=reported)
    left = whole.committed(index)
    assert len(left) >= reported
    again = whole.finish(index, folder)
    begun = encoded.stat().st_size if encoded.exists() else 0
    assert begun + again <= PICTURES + BATCH * (available_processors() + 1)
    shutil.rmtree(index, ignore_errors=True)
    encoded.unlink(missing_ok=True)
    return process.returncode != 0, len(left)


def _kill_at_moments(folder: Path, work: Path, count: int) -> None:
    rng = random.Random(count)
    done = [_kill_at_a_moment(folder, work, rng) for _ in range(count)]
    killed = sum(hit for hit, _ in done)
    amid = sum(hit and 0 < left < PICTURES for hit, left in done)
    print(f"{killed} of {count} runs killed, {amid} of them with a part committed: nothing lost")
    assert killed > count / 2
    assert amid


def test_killed_at_random_moments(folder: Path, tmp_path: Path) -> None:
    _kill_at_moments(folder, tmp_path, 4)


def _committed_now(index: Path) -> int:
    """How many images another process has committed by now."""
    try:
        with closing(sqlite3.connect(f"file:{index}/catalog.sqlite?mode=ro", uri=True)) as database:
            (count,) = database.execute("SELECT count(*) FROM images").fetchone()
    except sqlite3.OperationalError:  # it is not made yet
        return 0
    return int(count)


def _kill_iss(folder: Path, index: Path, rng: random.Random) -> tuple[bool, int]:
    """Kill ``iss index``, early or amid its work; returns whether it was, and how many it left."""
    command = [*ISS, "index", str(folder), "--index-dir", str(index), "--json"]
    wanted = rng.randrange(PICTURES)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        while process.poll() is None and _committed_now(index) < wanted:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02 if wanted else 1.0))
        seen = _committed_now(index)
        process.kill()
    left = whole.committed(index)
    assert len(left) >= seen
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["encoded"] == PICTURES - len(left)
    assert whole.committed(index) == whole.pictures(folder)
    shutil.rmtree(index)
    return process.returncode == -signal.SIGKILL, len(left)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_iss_index_killed_at_100_random_moments(folder: Path, tmp_path: Path, part: int) -> None:
    rng = random.Random(part)
    killed = runs = amid = 0
    while killed < 25:
        hit, left = _kill_iss(folder, tmp_path / "i", rng)
        killed, runs, amid = killed + hit, runs + 1, amid + (hit and 0 < left < PICTURES)
        assert runs < 50
    print(f"iss index: {killed} of {runs} killed, {amid} with a part committed: nothing lost")
    assert amid > 5


def test_killed_again_and_again_a_run_still_comes_to_its_end(folder: Path, tmp_path: Path) -> None:
    """Each run goes on where the one before was killed."""
    index, encoded = tmp_path / "i", tmp_path / "encoded"
    done, runs = 0, 0
    while done < PICTURES:
        runs += 1
        assert runs < 20
        process = _start(folder, index, encoded)
        assert process.stdout
        for line in process.stdout:
            if int(line) >= 16:
                break
        process.kill()
        process.wait()
        process.stdout.close()
        left = len(whole.committed(index))
        assert left > done
        done = left
    assert whole.committed(index) == whole.pictures(folder)
