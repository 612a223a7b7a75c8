"""Collections whose embeddings are in a real Milvus server. Run with ``make test-engine``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CountingEncoder, MakePicture
from milvus_server import MilvusServer, free_port, milvus_server
from tls_relay import tls_relay

pytest.importorskip("milvus", reason="no Milvus server is installed")
pytest.importorskip("pymilvus", reason="Milvus's client is not installed")

from image_similarity_search import vectors
from image_similarity_search.catalog import parts
from image_similarity_search.cli.demo.drawings import drawings
from image_similarity_search.cli.demo.picture_set import write_missing
from image_similarity_search.collection import Collection
from image_similarity_search.errors import (
    CollectionMismatchError,
    ConfigError,
    StoreMismatchError,
    StoreUnavailableError,
)
from image_similarity_search.filters import Filter
from image_similarity_search.stores.engines import Address, Label, open_engine
from image_similarity_search.stores.engines.milvus_kinds import KINDS
from image_similarity_search.stores.engines.milvus_label import Written
from image_similarity_search.stores.engines.milvus_store import MilvusStore
from image_similarity_search.testing import check_store
from image_similarity_search.types import FloatArray, Hit, IdArray, Metric, Moment, Progress

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    with milvus_server(tmp_path_factory.mktemp("milvus") / "data") as running:
        yield running


@pytest.fixture
def url(server: MilvusServer) -> str:
    return server.url()


def _client(server: MilvusServer) -> Any:
    from pymilvus import MilvusClient

    return MilvusClient(uri=f"http://127.0.0.1:{server.port}", dedicated=True)


def _behind(client: Any, url: str) -> str:
    """The collection that an alias leads to."""
    return str(client.describe_collection(url.rpartition("/")[2])["collection_name"])


def _made(url: str, index: Path, photos: Path, **options: Any) -> Collection:
    made = Collection.open(index, encoder=CountingEncoder(), create=True, store=url, **options)
    made.sync(photos)
    return made


# The contract

_KINDS: list[tuple[str, Metric]] = [
    *[("exact", metric) for metric in ("cosine", "l2", "ip")],
    ("hnsw", "l2"),  # and auto
    ("ivf", "ip"),
    ("ivf-sq8", "cosine"),
]


def test_the_contract_of_stores(server: MilvusServer) -> None:
    """All kinds at once: most of the time each waits for the server's next tick."""

    def check(case: tuple[str, Metric]) -> None:
        kind, metric = case

        def make(dim: int, metric: Metric) -> Any:
            engine = open_engine(Address.parse(server.url()))
            return engine.begun(Label("0" * 32, "none", dim, metric, kind))

        check_store(make, exact=kind == "exact", metrics=[metric])

    with ThreadPoolExecutor(len(_KINDS)) as pool:
        assert list(pool.map(check, _KINDS)) == [None] * len(_KINDS)


@pytest.mark.parametrize("metric", ["l2", "ip"])
def test_more_results_than_the_server_gives_at_once(
    url: str, metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_engine(Address.parse(url)).begun(Label("0" * 32, "none", 8, metric, "exact"))
    rows = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
    store.upsert(np.arange(100), rows)
    monkeypatch.setattr("image_similarity_search.stores.engines.milvus_store.MOST_RESULTS", 16)
    monkeypatch.setattr("image_similarity_search.stores.engines.milvus_store._ALLOWED_AT_ONCE", 30)
    nearest = np.argsort(vectors.distances(rows[3], rows, metric))
    assert store.search(rows[3][None], 70)[0].tolist() == nearest[:70].tolist()
    odd = nearest[nearest % 2 == 1]
    assert store.search(rows[3][None], 40, np.arange(1, 100, 2))[0].tolist() == odd[:40].tolist()
    assert np.concatenate(list(store.ids())).tolist() == list(range(100))


# The same answers as from the embedded store


@pytest.mark.parametrize(("metric", "kind"), [("cosine", "auto"), ("l2", "exact"), ("ip", "exact")])
def test_the_answers_are_those_of_the_embedded_store(
    server: MilvusServer, tmp_path: Path, metric: Metric, kind: str
) -> None:
    """With the bundled encoder, on the drawings of the demo."""
    drawn = drawings()
    pictures = write_missing(str(tmp_path / "drawings"), drawn.pictures)
    queries = [*write_missing(str(tmp_path / "queries"), drawn.queries), pictures[20]]
    with Collection.open(tmp_path / "a", metric=metric, index="exact", create=True) as made:
        made.sync(tmp_path / "drawings")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    with Collection.open(tmp_path / "a") as embedded, Collection.open(tmp_path / "b") as engine:
        engine.move(server.url(), index=kind)
        for where in (None, Filter(formats="png")):
            for k in (10, 100):
                found = engine.search_many(queries, k, where=where)
                expected = embedded.search_many(queries, k, where=where)
                assert [_told(hits) for hits in found] == [_told(hits) for hits in expected]
        if metric != "ip":
            assert engine.search(pictures[20], k=1)[0].score == 1.0
            assert engine.measure_recall(10, 10).recall == 1.0
        assert _told(engine.search(7, k=5)) == _told(embedded.search(7, k=5))


@pytest.mark.parametrize("kind", ["hnsw", "ivf-sq8"])
def test_a_recall_that_is_asked_for_is_measured_and_kept(
    server: MilvusServer, tmp_path: Path, photos: Path, kind: str
) -> None:
    with Collection.open(
        tmp_path / "i", encoder=CountingEncoder(), index=kind, create=True, store=server.url()
    ) as collection:
        collection.sync(photos)
        tuning = collection.tune(0.9)
        assert (tuning.target, tuning.recall, tuning.images) == (0.9, 1.0, 12)
    with Collection.open(tmp_path / "i") as again:
        assert again.info().tuning == tuning
        with again._keeper.current() as store:
            assert store.candidates(100) == KINDS[kind].candidates(100, tuning.depth)
        assert len(again.search(1, k=50)) == 11


def _told(hits: list[Hit]) -> list[tuple[int, float, float]]:
    return [(hit.id, hit.distance, hit.score) for hit in hits]


# In step


def test_what_changes_in_the_folder_changes_in_the_engine(
    url: str, tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    with _made(url, tmp_path / "i", photos) as collection:
        hits = collection.search(photos / "picture 0.jpg", k=50)
        assert (len(hits), hits[0].score) == (12, 1.0)
        (photos / "picture 0.jpg").unlink()
        make_picture(photos / "picture 4.png", 77)  # another picture at that place
        new = make_picture(photos / "new.jpg", 78)
        collection.sync(photos)
        assert collection.search(new, k=1)[0].path == str(new)
        assert len(collection.search(new, k=50)) == 12
        assert collection.search(photos / "picture 4.png", k=1)[0].score == 1.0
        assert collection.remove(new) == 1
        assert len(collection.search(collection.search(photos / "picture 4.png")[0].id, k=50)) == 10
        report = collection.verify()
        assert (report.problems, report.checked["vectors"]) == ([], 11)
        assert report.checked["compared"] == 11
    assert not (tmp_path / "i" / "faiss.index").exists()


def test_the_url_is_remembered_and_another_one_refused(
    url: str, tmp_path: Path, photos: Path
) -> None:
    index = tmp_path / "i"
    with _made(url, index, photos):
        pass
    with Collection.open(index) as again:
        assert url in again.info().store
        assert len(again.search(1, k=50)) == 11
    for other in (f"{url}2", "embedded"):
        with pytest.raises(CollectionMismatchError, match="iss move --to"):
            Collection.open(index, store=other)
    Collection.open(index, store=url).close()


def test_another_process_is_followed(url: str, tmp_path: Path, photos: Path) -> None:
    index = tmp_path / "i"
    with _made(url, index, photos) as reader:
        assert len(reader.search(1, k=50)) == 11
        rest = photos / "more"
        shutil.copytree(photos / "holiday", rest)
        _iss("add", *map(str, sorted(rest.rglob("*.*"))), "--index-dir", str(index))
        assert len(reader.search(1, k=50)) == 11 + len(list(rest.rglob("*.*")))


def test_a_search_that_the_engine_overtakes_begins_anew(
    url: str, tmp_path: Path, photos: Path, make_picture: MakePicture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Amid a search another process adds images, of which this one's moment knows nothing."""
    index = tmp_path / "i"
    new = make_picture(tmp_path / "new" / "x.jpg", 5)
    make_picture(tmp_path / "new" / "y.jpg", 90)
    search, calls = MilvusStore.search, 0

    def overtaken(store: MilvusStore, *arguments: Any) -> list[IdArray]:
        nonlocal calls
        calls += 1
        if calls == 1:
            _iss("index", str(tmp_path / "new"), "--index-dir", str(index))
        return search(store, *arguments)

    made = Collection.open(index, encoder="colour-texture", create=True, store=url)
    made.sync(photos)
    collection = _behind(_client_of(url), url)
    with made:
        monkeypatch.setattr(MilvusStore, "search", overtaken)
        hits = made.search(new, k=50)
        assert (len(hits), hits[0].score) == (14, 1.0)
        assert calls > 1
    assert _behind(_client_of(url), url) == collection, "it was made anew for nothing"


def test_a_catalog_restored_from_a_backup_makes_the_store_anew(
    url: str, tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    index = tmp_path / "i"
    with _made(url, index, photos):
        pass
    shutil.copytree(index, tmp_path / "backup")
    make_picture(photos / "new.jpg", 78)
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.sync(photos)
    shutil.rmtree(index)
    shutil.copytree(tmp_path / "backup", index)
    (photos / "new.jpg").unlink()
    other = make_picture(photos / "other.jpg", 79)
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.sync(photos)
        assert {hit.path for hit in collection.search(other, k=50)} == _files(photos)
        assert collection.verify().problems == []


def test_a_backup_that_went_on_as_far_makes_the_store_anew(
    url: str, tmp_path: Path, photos: Path, make_picture: MakePicture
) -> None:
    """Beside a process that had seen the other history to a generation that there is again."""
    with _made(url, tmp_path / "i", photos) as running:
        running.backup(tmp_path / "backup")
        lost = make_picture(photos / "lost.jpg", 80)
        running.add(lost)
        assert running.search(lost, k=1)[0].score == 1.0
        lost.unlink()
        Collection.restore(tmp_path / "backup", tmp_path / "i")
        other = make_picture(photos / "other.jpg", 81)
        with Collection.open(tmp_path / "i", encoder=CountingEncoder()) as writer:
            writer.add(other)
            writer.add_tags(other, "beach")
        assert {hit.path for hit in running.search(other, k=50)} == _files(photos)
        assert running.search(other, k=1)[0].score == 1.0
        assert running.verify().problems == []


def _files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*.*")}


# What is in the engine is another's, or was changed there


def test_the_place_of_another_is_left_alone(
    server: MilvusServer, url: str, tmp_path: Path, photos: Path
) -> None:
    client = _client(server)
    name = "theirs"
    client.create_collection(name, dimension=8)
    with pytest.raises(StoreMismatchError, match="did not create"):
        _made(server.url(name), tmp_path / "i", photos)
    assert not (tmp_path / "i").exists()
    assert client.describe_collection(name)["fields"][1]["params"]["dim"] == 8
    label = Written(Label("0" * 32, "another model", 16, "cosine", "auto"), Moment(3))
    client.alter_collection_properties(name, label.properties())
    client.create_alias(name, "labelled")
    with pytest.raises(StoreMismatchError, match="schema differs from its label"):
        _made(server.url("labelled"), tmp_path / "i", photos)
    with _made(url, tmp_path / "i", photos), pytest.raises(StoreMismatchError, match="another"):
        _made(url, tmp_path / "j", photos)
    with (
        _made(server.url(), tmp_path / "k", photos) as other,
        pytest.raises(StoreMismatchError, match="another"),
    ):
        other.move(url)
    assert _client(server).has_collection(name)
    with Collection.open(tmp_path / "i") as collection:
        assert collection.verify().problems == []


def test_a_copied_index_of_another_model_is_named(
    url: str, tmp_path: Path, photos: Path, server: MilvusServer
) -> None:
    """As where somebody put another collection into the engine under this one's name."""
    with _made(url, tmp_path / "i", photos):
        pass
    open_engine(Address.parse(url)).drop(Collection.open(tmp_path / "i")._catalog.identity.id)
    with Collection.open(tmp_path / "j", create=True, store=url) as other:
        other.sync(photos)
    with Collection.open(tmp_path / "i") as collection:
        with pytest.raises(StoreMismatchError, match="efficientnet-lite0-whole, 1280"):
            collection.search(1)
        assert "holds another collection" in collection.verify().problems[0].text
        collection.move(server.url())
        assert len(collection.search(1, k=50)) == 11


def test_what_is_lost_in_the_engine_is_found_and_mended(
    server: MilvusServer, url: str, tmp_path: Path, photos: Path
) -> None:
    index = tmp_path / "i"
    with _made(url, index, photos) as collection:
        dim = collection.info().dim
    client, name = _client(server), url.rpartition("/")[2]
    client.delete(name, ids=[3])
    client.upsert(name, [{"id": 5, "embedding": [0.5] * dim}, {"id": 99, "embedding": [0.1] * dim}])
    done = _iss("verify", "--index-dir", str(index), "--json", status=4)
    told = " ".join(problem["text"] for problem in json.loads(done)["problems"])
    for problem in ("lacks image 3", "holds image 99, which", "another vector of image 5"):
        assert problem in told
    _iss("verify", "--repair", "--index-dir", str(index))
    with Collection.open(index, encoder=CountingEncoder()) as again:
        assert again.verify().problems == []
        assert len(again.search(1, k=50)) == 11


def test_what_is_lost_is_noticed_by_the_next_process(
    server: MilvusServer, url: str, tmp_path: Path, photos: Path
) -> None:
    with _made(url, tmp_path / "i", photos):
        pass
    _client(server).delete(url.rpartition("/")[2], ids=[3, 4])
    with Collection.open(tmp_path / "i") as again:
        assert len(again.search(1, k=50)) == 11
    client = _client(server)
    client.drop_alias(url.rpartition("/")[2])
    with Collection.open(tmp_path / "i") as again:
        assert len(again.search(1, k=50)) == 11


def test_a_rebuild_of_another_kind_leaves_one_collection(
    server: MilvusServer, url: str, tmp_path: Path, photos: Path
) -> None:
    with _made(url, tmp_path / "i", photos) as collection:
        with pytest.raises(ConfigError, match="a kind that Milvus supports"):
            collection.rebuild("IVF16,Flat")
        collection.rebuild("exact")
        assert "FLAT" in collection.info().store
        assert len(collection.search(1, k=50)) == 11
    names = [name for name in _client(server).list_collections() if name.startswith(url[-10:])]
    assert names == []
    prefix = url.rpartition("/")[2]
    assert len([n for n in _client(server).list_collections() if n.startswith(prefix)]) == 1


def test_a_repaired_catalog_takes_its_place_in_the_engine_again(
    url: str, tmp_path: Path, photos: Path
) -> None:
    """The repair gives the collection another id."""
    index = tmp_path / "i"
    with _made(url, index, photos):
        pass
    with open(index / "catalog.sqlite", "rb+") as file:
        file.seek(16_384 * 2)
        file.write(bytes(16_384))
    assert Collection.repair(index).store_rebuilt
    with Collection.open(index, encoder=CountingEncoder()) as again:
        again.sync(photos)
        assert again.verify().problems == []
        assert {hit.path for hit in again.search(photos / "picture 0.jpg", k=50)} == _files(photos)


# Moving


def test_there_and_back(server: MilvusServer, url: str, tmp_path: Path, photos: Path) -> None:
    index = tmp_path / "i"
    with Collection.open(index, encoder=CountingEncoder(), index="ivf", create=True) as collection:
        collection.sync(photos)
        before = _told(collection.search(1, k=50))
        with pytest.raises(ConfigError, match="a place other"):
            collection.move("embedded")
        collection.move(url)
        assert not (index / "faiss.index").exists()
        assert collection.info().index == "ivf"
        assert _told(collection.search(1, k=50)) == before
        (photos / "picture 0.jpg").unlink()
        collection.sync(photos)
        collection.move(server.url(), index="ivf-sq8")
        assert len(collection.search(2, k=50)) == 10
        collection.move("embedded")  # where there is no such kind: a factory string of FAISS
        assert collection.info().index == "auto"
        assert (index / "faiss.index").exists()
        assert len(collection.search(2, k=50)) == 10
        assert collection.verify().problems == []
    prefixes = (url.rpartition("/")[2],)
    left = [name for name in _client(server).list_collections() if name.startswith(prefixes)]
    assert left == []


def test_a_move_that_is_ended_goes_on(
    url: str, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_ROWS", 3)
    upsert, count = MilvusStore.upsert, 0

    def counted(store: MilvusStore, ids: IdArray, rows: FloatArray) -> None:
        nonlocal count
        count += len(ids)
        upsert(store, ids, rows)

    def ended(step: Progress) -> None:
        if step.done == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(MilvusStore, "upsert", counted)
    with Collection.open(tmp_path / "i", encoder=CountingEncoder(), create=True) as collection:
        collection.sync(photos)
        with pytest.raises(KeyboardInterrupt):
            collection.move(url, progress=ended)
        assert len(collection.search(1, k=50)) == 11  # in the embedded store
        (photos / "picture 0.jpg").unlink()
        collection.sync(photos)
        collection.move(url)
        assert count == 12
        assert len(collection.search(2, k=50)) == 10
        assert collection.verify().problems == []


# Secrets


def test_a_secret_is_nowhere_but_in_the_environment(
    server: MilvusServer, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level("DEBUG")
    monkeypatch.setenv("ISS_MILVUS_TOKEN", "somebody:hush-hush")
    with _made(server.url(), tmp_path / "i", photos) as collection:
        assert len(collection.search(1, k=50)) == 11
        told = repr(collection.info())
    monkeypatch.setattr(
        "image_similarity_search.stores.engines.milvus_connection.CONNECT_SECONDS", 1.0
    )
    with pytest.raises(StoreUnavailableError) as refused:
        open_engine(Address.parse(f"milvus://127.0.0.1:{free_port()}/x"))
    kept = b"".join(path.read_bytes() for path in (tmp_path / "i").iterdir())
    out, err = capfd.readouterr()
    for secret in ("hush", "somebody"):
        assert secret.encode() not in kept
        assert secret not in told + str(refused.value) + caplog.text + out + err


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl")
def test_an_encrypted_connection(
    server: MilvusServer, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stands behind a relay that ends TLS, as behind many a load balancer."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    with tls_relay(certificate, key, server.port) as port:
        url = f"milvus+tls://localhost:{port}/encrypted"
        monkeypatch.setattr(
            "image_similarity_search.stores.engines.milvus_connection.CONNECT_SECONDS", 2.0
        )
        with pytest.raises(StoreUnavailableError):
            _made(url, tmp_path / "i", photos)  # the certificate is not known
        monkeypatch.setenv("ISS_MILVUS_CERTIFICATE", str(certificate))
        with _made(url, tmp_path / "i", photos) as collection:
            assert len(collection.search(1, k=50)) == 11


def _client_of(url: str) -> Any:
    from pymilvus import MilvusClient

    return MilvusClient(uri=Address.parse(url).uri, dedicated=True)


def _iss(*arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "image_similarity_search", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONUTF8": "1"},
    )
    assert done.returncode == status, done.stderr
    return done.stdout
