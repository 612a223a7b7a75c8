"""The engine goes down, is slow, is restarted: nothing is lost. Run with ``make test-engine``."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import CountingEncoder, MakePicture
from milvus_server import MilvusServer

pytest.importorskip("milvus", reason="no Milvus server is installed")
pytest.importorskip("pymilvus", reason="Milvus's client is not installed")

from image_similarity_search.collection import Collection
from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.stores.engines import milvus_connection
from image_similarity_search.types import FloatArray, PixelArray

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    running = MilvusServer(tmp_path_factory.mktemp("milvus") / "data")
    running.start()
    yield running
    running.close()


@pytest.fixture
def server(kept: MilvusServer) -> MilvusServer:
    """The server, running."""
    if not kept.runs:
        kept.start()
    return kept


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up soon."""
    monkeypatch.setattr(milvus_connection, "CONNECT_SECONDS", 1.0)
    monkeypatch.setattr(milvus_connection, "CALL_SECONDS", 2.0)
    monkeypatch.setattr(milvus_connection, "_PATIENCE_SECONDS", 2.0)


class DuringEncoding(CountingEncoder):
    """Does something once, when it is asked for the first embedding."""

    def __init__(self, act: object) -> None:
        super().__init__()
        self.act = act

    def encode(self, pixels: PixelArray) -> FloatArray:
        if callable(self.act):
            self.act()
            self.act = None
        return super().encode(pixels)


@pytest.mark.usefixtures("impatient")
def test_nothing_is_changed_while_the_engine_is_down(
    server: MilvusServer, tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    index, url = tmp_path / "i", server.url()
    with Collection.open(index, encoder=CountingEncoder(), create=True, store=url) as collection:
        collection.sync(photos)
    server.stop()
    new = make_picture(photos / "new.jpg", 90)
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        for act in (lambda: collection.search(1), lambda: collection.sync(photos)):
            with pytest.raises(StoreUnavailableError, match=str(server.port)):
                act()
        assert len(collection) == 12
        assert "not compared" in collection.verify().problems[0].text
        done = subprocess.run(
            [sys.executable, "-m", "image_similarity_search", "search", str(new),
             "--index-dir", str(index)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode != 0
        server.start()
        collection.sync(photos)
        assert collection.search(new, k=1)[0].path == str(new)
        assert collection.verify().problems == []


@pytest.mark.usefixtures("impatient")
def test_an_engine_that_crashes_during_a_run_costs_nothing(
    server: MilvusServer,
    tmp_path: Path,
    photos: Path,
    make_picture: MakePicture,
    caplog: pytest.LogCaptureFixture,
) -> None:
    index, url = tmp_path / "i", server.url()
    with Collection.open(index, encoder=CountingEncoder(), create=True, store=url) as collection:
        collection.sync(photos)
    new = make_picture(photos / "new.jpg", 90)
    encoder = DuringEncoding(server.kill)
    with Collection.open(index, encoder=encoder) as collection:
        assert collection.sync(photos).indexed == 1
        assert "the engine catches up later" in caplog.text
        server.start()
        assert collection.search(new, k=1)[0].path == str(new)
        assert len(collection.search(1, k=50)) == 12
        assert collection.verify().problems == []
    with Collection.open(index) as again:
        assert len(again.search(1, k=50)) == 12


def test_a_restarted_engine_is_used_again(
    server: MilvusServer, tmp_path: Path, photos: Path
) -> None:
    """By a collection that was open all the time; what it is asked meanwhile waits."""
    url = server.url()
    with Collection.open(
        tmp_path / "i", encoder=CountingEncoder(), create=True, store=url
    ) as collection:
        collection.sync(photos)
        before = collection.search(1, k=50)
        server.kill()
        server.start()
        assert collection.search(1, k=50) == before
        (photos / "picture 0.jpg").unlink()
        collection.sync(photos)
        assert len(collection.search(2, k=50)) == 10


def test_a_slow_engine_is_waited_for_and_a_hanging_one_given_up(
    server: MilvusServer, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.url()
    with Collection.open(
        tmp_path / "i", encoder=CountingEncoder(), create=True, store=url
    ) as collection:
        collection.sync(photos)
        monkeypatch.setattr(milvus_connection, "CALL_SECONDS", 3.0)
        with server.suspended():
            began = time.monotonic()
            with pytest.raises(StoreUnavailableError, match=str(server.port)):
                collection.search(1)
            assert time.monotonic() - began < 20
        monkeypatch.setattr(milvus_connection, "CALL_SECONDS", 60.0)
        assert len(collection.search(1, k=50)) == 11


_KILLED = """
import os, signal, sys
from image_similarity_search import Collection
from image_similarity_search.stores.engines.milvus_store import MilvusStore
upsert = MilvusStore.upsert
def half(self, ids, rows):
    upsert(self, ids[: len(ids) // 2], rows[: len(ids) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
MilvusStore.upsert = half
with Collection.open(sys.argv[1]) as collection:
    collection.sync(sys.argv[2])
"""


def test_a_run_killed_amid_a_batch_is_caught_up(
    server: MilvusServer, tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    index, url = tmp_path / "i", server.url()
    with Collection.open(index, encoder="colour-texture", create=True, store=url) as collection:
        collection.sync(photos)
    (photos / "picture 0.jpg").unlink()
    for seed in range(90, 96):
        make_picture(photos / f"new {seed}.jpg", seed)
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(index), str(photos)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Collection.open(index) as collection:
        assert collection.verify().problems == []
        assert len(collection.search(2, k=50)) == 16
        report = collection.verify()
        assert (report.problems, report.checked["vectors"]) == ([], 17)
