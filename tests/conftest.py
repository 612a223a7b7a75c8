"""Pictures and encoders that many tests share."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from lasting_pools import LastingPool
from PIL import Image

from image_similarity_search.collection import Collection
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.types import FloatArray, PixelArray

if TYPE_CHECKING:
    import httpx
    from running import Starter

MakePicture = Callable[..., Path]
_LONGEST = "test_docs.py"  # it begins first, so that no processor waits for it at the end
_SYSTEMS = {"unix": os.name == "posix", "linux": sys.platform == "linux"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this system can't do, and order the rest.

    ``make test`` gives files to processors in this order.
    """
    for item in items:
        for system, is_this in _SYSTEMS.items():
            if item.get_closest_marker(system) and not is_this:
                item.add_marker(pytest.mark.skip(reason=f"needs {system}"))
    items.sort(key=lambda item: item.path.name != _LONGEST)


@pytest.fixture(scope="session")
def _spare_pools() -> Iterator[None]:
    yield
    LastingPool.end()


@pytest.fixture(scope="module", autouse=True)
def pools(_spare_pools: None) -> Iterator[None]:
    """Processes are handed from user to user; a module that is about them overrides this."""
    with pytest.MonkeyPatch.context() as patch:
        for user in ("pipeline", "looking", "uploads"):
            patch.setattr(f"image_similarity_search.collection.{user}.Pool", LastingPool)
        yield


@pytest.fixture(autouse=True)
def _as_talkative_as_before() -> Iterator[None]:
    """The command line, run within a test, says how much is logged from then on."""
    yield
    logging.getLogger("image_similarity_search").setLevel(logging.NOTSET)


class CountingEncoder(ColourTextureEncoder):
    """Counts the pictures it encodes."""

    thread_safe = False  # counting is not

    def __init__(self) -> None:
        self.count = 0

    def encode(self, pixels: PixelArray) -> FloatArray:
        self.count += len(pixels)
        return super().encode(pixels)


class UnusedEncoder:
    """An encoder that no picture is given to, of a collection that is filled otherwise."""

    name, fingerprint, thread_safe = "unused", "unused", True
    preprocessing = Preprocessing(resize=8, crop=8)

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode(self, pixels: PixelArray) -> FloatArray:
        raise AssertionError


def children_of(pid: int) -> set[int]:
    """The processes that a process has started, also those that ended and were not waited for."""
    if not shutil.which("ps"):
        pytest.skip("there is no ps, which says who started which process")
    command = ["ps", "-A", "-o", "pid=,ppid="]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ps:
        assert ps.stdout
        rows = [line.split() for line in ps.stdout]
    return {int(child) for child, parent in rows if int(parent) == pid and int(child) != ps.pid}


def is_zombie(pid: int) -> bool:
    """Whether a process has ended, and the system's first one has not asked yet how."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] == "Z"


def until(condition: Callable[[], bool], seconds: float = 60.0, every: float = 0.02) -> None:
    """Wait until something is so, and look ``every`` so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(every)


def hear_interrupts() -> None:
    """In a child process: don't ignore SIGINT, as what was started in the background does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def draw(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A picture of coloured blocks, another for each seed."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC)


def slow_picture(path: Path, megapixels: int = 8) -> Path:
    """A real picture that Pillow's reader, in Python, takes half a second a megapixel for."""
    header = b"qoif" + struct.pack(">IIBB", megapixels * 1000, 1000, 3, 0)
    path.write_bytes(header + bytes(megapixels * 1_000_000) + b"\0\0\0\0\0\0\0\1")
    return path


@pytest.fixture
def make_picture() -> MakePicture:
    """Writes a picture file and returns its path."""

    def make(path: Path | str, seed: int, **options: object) -> Path:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        draw(seed).save(target, **options)  # type: ignore[arg-type]  # Pillow's own options
        return target

    return make


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``photos`` and, below ``index_data``, what ``colour-texture`` makes of them.

    It is to be copied: to draw and to index anew takes longer.
    """
    folder = tmp_path_factory.mktemp("drawn")
    for seed in range(12):
        below = ("", "holiday", "holiday/beach", "würfel & co")[seed % 4]
        suffix = (".jpg", ".png", ".webp")[seed % 3]
        target = folder / "photos" / below / f"picture {seed}{suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        draw(seed).save(target)
    with Collection.open(folder / "index_data", encoder="colour-texture", create=True) as made:
        made.sync(folder / "photos")
    return folder


@pytest.fixture
def photos(tmp_path: Path, drawn: Path) -> Path:
    """A folder of twelve pictures, some in folders below it."""
    return shutil.copytree(drawn / "photos", tmp_path / "photos")


@pytest.fixture
def index_data(tmp_path: Path, drawn: Path, photos: Path) -> Path:
    """The photos, indexed without a neural network."""
    index = shutil.copytree(drawn / "index_data", tmp_path / "index_data")
    with Collection.open(index) as collection:
        collection.relocate(drawn / "photos", photos)
    return index


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def collection(tmp_path: Path, encoder: CountingEncoder) -> Iterator[Collection]:
    """An empty collection with a counting encoder."""
    with Collection.open(tmp_path / "index", encoder=encoder, create=True) as made:
        yield made


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with twelve pictures in ``photos``, and their ``index``; to be copied."""
    from running import make_collection

    place = tmp_path_factory.mktemp("template")
    make_collection(place)
    return place


@pytest.fixture
def place(tmp_path: Path, template: Path) -> Path:
    """A folder with twelve pictures in ``photos``, and their ``index``."""
    from running import copied

    return copied(template, tmp_path)


@pytest.fixture
def serve(place: Path) -> Iterator[Starter]:
    """Starts a service of the collection of ``place``, with other settings if they are given."""
    from running import Starter

    with ExitStack() as stack:
        yield Starter(place, stack)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[httpx.Client]:
    """A service that the tests of a module share, and leave as it is."""
    from running import Starter, copied

    place = copied(template, tmp_path_factory.mktemp("shared"))
    with ExitStack() as stack:
        yield Starter(place, stack)()


@pytest.fixture
def here() -> str:
    """Where the collection of these services is."""
    return "/v1/collections/pictures"


@pytest.fixture
def test_data() -> Path:
    """The folder of real pictures that ISS_TEST_DATA names; without it the test is skipped."""
    folder = os.environ.get("ISS_TEST_DATA")
    if not folder:
        pytest.skip("ISS_TEST_DATA names no folder of real pictures (photos/, ukbench/, odd/)")
    return Path(folder)
