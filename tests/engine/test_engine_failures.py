"""The engine goes down, is slow, is restarted: nothing is lost. Run with ``make test-engine``."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from conftest import CountingEncoder, MakePicture, until
from milvus_server import MilvusServer, milvus_server
from running import running

pytest.importorskip("milvus", reason="no Milvus server is installed")
pytest.importorskip("pymilvus", reason="Milvus's client is not installed")

from image_similarity_search.collection import Collection
from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.service.settings import Limits, Settings
from image_similarity_search.stores.engines import milvus_connection, silence
from image_similarity_search.types import FloatArray, PixelArray

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    with milvus_server(tmp_path_factory.mktemp("milvus") / "data") as running:
        yield running


@contextmanager
def _impatient(spared: float = 0.0) -> Iterator[None]:
    """Inside, an engine that does not answer is given up soon, and asked again when ``spared``."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONNECT_SECONDS", "CALL_SECONDS", "_PATIENCE_SECONDS"):
            patch.setattr(milvus_connection, name, 1.0)
        patch.setattr(silence, "TRY_SECONDS", 1.0)
        patch.setattr(silence, "SPARED_SECONDS", spared)
        yield


class DuringEncoding(CountingEncoder):
    """Does something once, when it is asked for an embedding."""

    act: Callable[[], None] | None = None

    def encode(self, pixels: PixelArray) -> FloatArray:
        act, self.act = self.act, None
        if act:
            act()
        return super().encode(pixels)


def _paths(collection: Collection, query: Path) -> set[str]:
    return {hit.path for hit in collection.search(query, k=50)}


def _files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*.*")}


def test_an_engine_that_crashes_and_comes_back_costs_nothing(
    server: MilvusServer,
    tmp_path: Path,
    photos: Path,
    make_picture: MakePicture,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It ends amid a run, is away for a while, and is used again by whom it left."""
    index, encoder = tmp_path / "i", DuringEncoding()
    with Collection.open(index, encoder=encoder, create=True, store=server.url()) as collection:
        collection.sync(photos)
        first = photos / "picture 0.jpg"
        before = collection.search(first)
        new = make_picture(photos / "new.jpg", 90)
        encoder.act = server.kill
        with _impatient():
            assert collection.sync(photos).indexed == 1
            assert "the engine catches up later" in caplog.text
            _is_away(collection, server, photos)
            later = make_picture(photos / "later.jpg", 91)
            with pytest.raises(StoreUnavailableError):
                collection.sync(photos)
            assert len(collection) == 13, "the run went on, though the engine is down"
        told = _searched_by_a_command(new, index)
        assert told.returncode == 6, told.stderr
        assert str(server.port) in told.stderr
        server.start()
        assert _paths(collection, new) == _files(photos) - {str(later)}
        assert collection.search(first)[0] == before[0]
        first.unlink()
        collection.sync(photos)
        assert _paths(collection, new) == _files(photos)
        assert collection.verify().problems == []
    with Collection.open(index, encoder=encoder) as again:
        assert _paths(again, new) == _files(photos)


def _is_away(collection: Collection, server: MilvusServer, photos: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=str(server.port)):
        collection.search(1)
    assert "not compared" in collection.verify().problems[0].text
    assert len(list(collection)) == 13
    assert collection.get(photos / "new.jpg").state == "indexed"


_SEARCH = """
from image_similarity_search.cli import main
from image_similarity_search.stores.engines import milvus_connection
milvus_connection.CONNECT_SECONDS = milvus_connection.CALL_SECONDS = 1.0
main()
"""


def _searched_by_a_command(query: Path, index: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _SEARCH, "search", str(query), "--index-dir", str(index)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_hanging_engine_holds_up_nothing_else_and_a_slow_one_is_waited_for(
    server: MilvusServer, tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    with (
        Collection.open(
            tmp_path / "i", encoder=CountingEncoder(), create=True, store=server.url()
        ) as collection,
        ThreadPoolExecutor() as pool,
    ):
        collection.sync(photos)
        collection.search(1)
        with server.suspended():
            searches = [pool.submit(collection.search, id_, 50) for id_ in (1, 2)]
            assert len(list(collection)) == 12
            assert collection.get(1).id == 1
            assert not any(search.done() for search in searches)
        assert [len(search.result()) for search in searches] == [11, 11]
        make_picture(photos / "new.jpg", 90)
        with server.suspended(), _impatient():
            with pytest.raises(StoreUnavailableError, match=str(server.port)):
                collection.search(1)
            with pytest.raises(StoreUnavailableError, match=str(server.port)):
                collection.sync(photos)
            assert len(collection) == 12
        collection.sync(photos)
        assert len(collection.search(1, k=50)) == 12


def test_a_hanging_engine_is_waited_for_once(
    server: MilvusServer, tmp_path: Path, photos: Path
) -> None:
    with Collection.open(
        tmp_path / "i", encoder=CountingEncoder(), create=True, store=server.url()
    ) as collection:
        collection.sync(photos)
        with server.suspended(), _impatient(spared=3.0):
            with pytest.raises(StoreUnavailableError):
                collection.search(1)
            started = time.monotonic()
            for id_ in range(1, 9):
                with pytest.raises(StoreUnavailableError, match="does not answer"):
                    collection.search(id_)
            with pytest.raises(StoreUnavailableError, match="does not answer"):
                collection.add_tags([1], "sea")
            assert collection.info().indexed == 12
            assert time.monotonic() - started < 1
            time.sleep(3)
        assert len(collection.search(1, k=50)) == 11  # which tries it, and goes on


def test_a_hanging_engine_stops_no_other_collection_of_a_service(
    server: MilvusServer, tmp_path: Path, photos: Path
) -> None:
    """Neither its searches, nor the list of collections; and readiness says which it is."""
    for name, store in (("engine", server.url()), ("own", "embedded")):
        with Collection.open(
            tmp_path / name, encoder="colour-texture", create=True, store=store
        ) as made:
            made.sync(photos)
    places = tuple((name, str(tmp_path / name)) for name in ("engine", "own"))
    settings = Settings(places, str(tmp_path), limits=Limits(waiting=40))
    with (
        running(settings) as address,
        httpx.Client(base_url=address, timeout=60) as client,
        ThreadPoolExecutor(50) as pool,
    ):

        def search(name: str) -> int:
            return client.get(f"/v1/collections/{name}/images/1/similar").status_code

        def away() -> object:
            return client.get("/readyz").json()["problems"].get("engine")

        assert search("engine") == search("own") == 200
        with server.suspended(), _impatient(spared=2.0):
            started = time.monotonic()
            many = [pool.submit(search, "engine") for _ in range(50)]
            for _ in range(5):
                assert search("own") == 200
                assert client.get("/v1/collections").status_code == 200
            assert {one.result() for one in many} == {503}
            assert time.monotonic() - started < 15
            assert away() == "no-store"
        until(lambda: search("engine") == 200)
        assert away() is None


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


@pytest.mark.unix
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
        assert _paths(collection, photos / "new 90.jpg") == _files(photos)
        report = collection.verify()
        assert (report.problems, report.checked["vectors"]) == ([], 17)
