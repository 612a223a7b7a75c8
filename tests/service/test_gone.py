"""Collections whose index folder is deleted, moved or replaced while they are served."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import httpx
import pytest
from conftest import until
from running import NAME, Starter
from test_attacks import KEY, slug_of
from test_searching import hits_of, picture

from image_similarity_search.catalog import database, whereabouts
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.collection import Collection
from image_similarity_search.errors import CollectionCorruptError, CollectionError
from image_similarity_search.service import open_collections, serving
from image_similarity_search.service.roots import Roots
from image_similarity_search.service.served import Served
from image_similarity_search.service.settings import Settings


@pytest.fixture
def two(serve: Starter, place: Path) -> httpx.Client:
    """A service of two collections of the same pictures: ``pictures`` and ``others``."""
    shutil.copytree(place / "index", place / "others")
    return serve(
        collections=((NAME, str(place / "index")), ("others", str(place / "others"))),
    )


def test_a_collection_that_is_gone_is_a_problem_until_it_is_back(
    two: httpx.Client, place: Path, here: str
) -> None:
    shutil.move(place / "index", place / "unplugged")
    for method, path in (
        ("GET", ""),
        ("GET", "/images"),
        ("GET", "/images/1/similar"),
        ("GET", "/images/1/thumbnail"),
        ("POST", "/search"),
        ("POST", "/sync"),
    ):
        answer = two.request(method, here + path, json={} if path == "/sync" else None)
        assert (answer.status_code, slug_of(answer)) == (503, "collection-gone"), path
        assert answer.headers["retry-after"]
    assert str(place) not in answer.text
    told = two.get("/v1/collections").json()
    assert [one["name"] for one in told["collections"]] == ["others"]
    assert told["unavailable"] == [NAME]
    assert 'iss_images{collection="pictures"} 0.0' in two.get("/metrics").text
    assert len(hits_of(two.post("/v1/collections/others/search", content=picture(1)))) == 10

    shutil.move(place / "unplugged", place / "index")
    assert hits_of(two.post(f"{here}/search", content=picture(1)))[0]["score"] == 1.0
    assert two.get("/v1/collections").json()["unavailable"] == []


def test_it_is_ready_while_one_can_be_searched_and_says_what_is_wrong_with_others(
    two: httpx.Client, place: Path
) -> None:
    def ready() -> tuple[int, str]:
        answer = two.get("/readyz")
        return answer.status_code, json.dumps(answer.json().get("problems") or answer.json())

    assert ready() == (200, '{"status": "ok", "problems": {}}')
    shutil.move(place / "others", place / "unplugged")
    assert ready() == (200, '{"others": "collection-gone"}')
    shutil.copytree(place / "unplugged", place / "others")
    (place / "others/catalog.sqlite").write_bytes(b"no database" * 1000)
    assert ready() == (200, '{"others": "corrupt"}')
    shutil.move(place / "index", place / "away")
    status, told = ready()
    assert status == 503
    assert "pictures: collection-gone; others: corrupt" in told
    assert str(place) not in told


def test_without_a_key_it_is_not_said_which_collections_there_are(
    serve: Starter, place: Path
) -> None:
    client = serve(
        collections=((NAME, str(place / "index")), ("others", str(place / "others"))), keys=(KEY,)
    )
    assert client.get("/readyz").json() == {"status": "ok", "problems": {}}
    shutil.move(place / "index", place / "away")
    answer = client.get("/readyz")
    assert (answer.status_code, slug_of(answer)) == (503, "not-ready")
    assert answer.json()["detail"] == "no collection can be used"


def test_one_that_is_not_there_at_the_start_is_opened_when_it_is(
    serve: Starter, place: Path, here: str
) -> None:
    places = ((NAME, str(place / "index")), ("others", str(place / "others")))
    client = serve(collections=places)
    answer = client.get("/v1/collections/others/images")
    assert (answer.status_code, slug_of(answer)) == (503, "collection-gone")
    assert client.get("/v1/collections").json()["unavailable"] == ["others"]
    assert client.get(f"{here}/images/1").status_code == 200

    shutil.copytree(place / "index", place / "others")
    answer = client.post("/v1/collections/others/search", content=picture(1))
    assert hits_of(answer)[0]["score"] == 1.0
    assert client.get("/v1/collections").json()["unavailable"] == []


def test_one_that_is_damaged_or_newer_at_the_start_keeps_no_other_from_being_served(
    serve: Starter, place: Path
) -> None:
    """So it is where a process of several is started anew."""
    for name in ("damaged", "newer"):
        shutil.copytree(place / "index", place / name)
    (place / "damaged/catalog.sqlite").write_bytes(b"no database" * 1000)
    with closing(sqlite3.connect(place / "newer/catalog.sqlite")) as catalog, catalog:
        catalog.execute("PRAGMA user_version = 99")
    places = [(name, str(place / name)) for name in ("damaged", "newer", "index")]
    serving._try_opening([folder for _, folder in places])
    client = serve(collections=tuple(places))
    assert client.get("/v1/collections/index/images/1/similar").status_code == 200
    assert client.get("/v1/collections").json()["unavailable"] == ["damaged", "newer"]
    told = {"damaged": "corrupt", "newer": "collection"}
    assert client.get("/readyz").json()["problems"] == told
    with pytest.raises(CollectionError):
        serving._try_opening([folder for _, folder in places[:2]])


def test_a_collection_that_is_replaced_is_opened_anew(
    two: httpx.Client, place: Path, here: str
) -> None:
    with Collection.open(place / "others") as collection:
        for id_ in range(1, 12):
            collection.remove(id_)
    os.rename(place / "index", place / "before")
    shutil.copytree(place / "others", place / "index")
    assert two.get(here).json()["indexed"] == 1
    assert two.get(f"{here}/images/1").status_code == 404
    assert len(hits_of(two.post(f"{here}/search", content=picture(11)))) == 1
    added = {"root": "photos", "path": "new.png"}
    assert two.post(f"{here}/images", params=added, content=picture(90)).status_code == 201
    with Collection.open(place / "before") as collection:
        assert len(collection) == 12


def test_one_that_can_not_be_opened_leaves_no_process_and_no_thread(place: Path) -> None:
    (place / "index/faiss.index").unlink()
    with closing(sqlite3.connect(place / "index/catalog.sqlite")) as damaged, damaged:
        damaged.execute("DELETE FROM embeddings")
    before = threading.enumerate()
    with pytest.raises(CollectionCorruptError) as failed:
        Served(NAME, str(place / "index"), Settings(((NAME, ""),), ""))
    assert threading.enumerate() == before, failed  # which keeps what it knows


def test_an_engine_that_is_away_keeps_searches_alone_from_being_answered(
    serve: Starter, place: Path, here: str
) -> None:
    shutil.copytree(place / "index", place / "others")
    url = "milvus://127.0.0.1:1/pictures"  # where nobody listens
    with closing(Catalog(str(place / "index"))) as catalog, catalog.transaction():
        catalog.set_store(url)
    serving._try_opening([str(place / "index")])
    client = serve(
        collections=((NAME, str(place / "index")), ("others", str(place / "others"))),
    )
    for answer in (
        client.post(f"{here}/search", content=picture(1)),
        client.get(f"{here}/images/1/similar"),
        client.post(f"{here}/images", json={"root": "photos", "path": "picture 0.jpg"}),
    ):
        assert (answer.status_code, slug_of(answer)) == (503, "no-store")
        assert answer.headers["retry-after"] == "60"
    assert client.get(f"{here}/images/1/thumbnail").status_code == 200
    assert client.get(here).json()["store"] == f"{url} (can't be used now)"
    with Collection.open(place / "index") as another:
        another.move("embedded")
    until(lambda: client.get(f"{here}/images/1/similar").status_code == 200)
    with closing(sqlite3.connect(place / "others/catalog.sqlite")) as file, file:
        file.execute("UPDATE meta SET value = 'l2' WHERE key = 'metric'")  # without its checksum
    told = client.get("/v1/collections").json()
    assert [one["name"] for one in told["collections"]] == [NAME]
    assert told["unavailable"] == ["others"]


def test_what_was_replaced_is_closed_when_its_last_request_has_ended(
    two: httpx.Client, place: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, closed = Event(), Event(), Event()
    roots, close = Served.roots, Served.close

    def slow(served: Served) -> Roots:
        begun.set()
        assert go_on.wait(10)
        return roots(served)

    def closing(served: Served) -> None:
        close(served)
        closed.set()

    monkeypatch.setattr(Served, "roots", slow)
    monkeypatch.setattr(Served, "close", closing)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(two.get, f"{here}/images/12")
        assert begun.wait(10)
        monkeypatch.setattr(Served, "roots", roots)
        os.rename(place / "index", place / "before")
        shutil.copytree(place / "others", place / "index")
        assert two.get(here).status_code == 200  # by what is there now
        assert not closed.is_set()
        go_on.set()
        assert asked.result().status_code == 200
    assert closed.wait(10)


def test_a_disk_that_does_not_answer_holds_up_no_other_collection(
    two: httpx.Client, place: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, look = Event(), Collection.is_in_place

    def slow(collection: Collection) -> bool:
        assert collection.info().index_dir != str(place / "others") or answers.wait(10)
        return look(collection)

    monkeypatch.setattr(Collection, "is_in_place", slow)
    monkeypatch.setattr(open_collections, "_LOOK_SECONDS", 0.1)
    for _ in range(2):
        answer = two.get("/v1/collections/others")
        assert (answer.status_code, slug_of(answer)) == (503, "collection-gone")
        assert "does not answer" in answer.json()["detail"]
    assert two.get(here).status_code == two.get("/healthz").status_code == 200
    assert two.get("/v1/collections").json()["unavailable"] == ["others"]
    answers.set()
    until(lambda: two.get("/v1/collections/others").status_code == 200)


@pytest.mark.unix
def test_a_disk_that_does_not_answer_at_the_start_holds_up_no_other_collection(
    serve: Starter, place: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of it is a pipe: who opens it hangs, as on a drive whose server is away."""
    shutil.copytree(place / "index", place / "others")
    os.mkfifo(place / "others" / whereabouts.POINTER)
    for module in (open_collections, serving):
        monkeypatch.setattr(module, "OPEN_SECONDS", 0.3)
    places = (("others", str(place / "others")), (NAME, str(place / "index")))
    serving._try_opening([folder for _, folder in places])
    client = serve(collections=places)
    assert client.get(here).status_code == 200
    assert client.get("/readyz").json()["problems"] == {"others": "collection-opening"}
    assert client.get("/v1/collections").json()["unavailable"] == ["others"]
    assert "does not answer" in client.get("/v1/collections/others").json()["detail"]

    os.rename(place / "others" / whereabouts.POINTER, place / "pipe")
    (place / "pipe").write_text("")  # whoever hangs there reads nothing, and goes on
    until(lambda: client.get("/v1/collections/others").status_code == 200)
    assert client.get("/readyz").json()["problems"] == {}


def test_what_takes_long_to_open_is_waited_for_at_the_start(
    serve: Starter, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_collections._Place._opened

    def slow(place: open_collections._Place) -> Served:
        time.sleep(0.6)
        return opened(place)

    monkeypatch.setattr(open_collections, "OPEN_SECONDS", 0.3)
    monkeypatch.setattr(open_collections._Place, "_opened", slow)
    assert serve().get(here).status_code == 200


def test_a_request_looks_once_whether_it_is_there(
    serve: Starter, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, looks = serve(), []
    look = database._place

    def counted(path: str) -> tuple[int, int] | None:
        looks.append(path)
        return look(path)

    monkeypatch.setattr(database, "_place", counted)
    client.get(f"{here}/images/1/similar")
    assert len(looks) == 1
