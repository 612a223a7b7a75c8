"""Collections of pictures in a real S3 server. Run with ``make test-s3``."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from camera_files import exif
from click.testing import CliRunner
from conftest import CountingEncoder, MakePicture, until
from running import Starter
from s3_server import KEY_ID, PAGE, SECRET, Bucket, Relay, picture, s3_server

from image_similarity_search import ImageSimilaritySearch
from image_similarity_search.cli.app import app
from image_similarity_search.collection import Collection, copies, pipeline
from image_similarity_search.errors import (
    ConfigError,
    FolderNotFoundError,
    ImageNotFoundError,
    SourceUnavailableError,
)
from image_similarity_search.filters import Filter
from image_similarity_search.objects import storage
from image_similarity_search.types import Hit, Progress

_SETTINGS = {
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",  # what fails, fails at once
}


@pytest.fixture(scope="module")
def _relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    pytest.importorskip("s3fs", reason="s3fs is not installed (make test-s3 installs it)")
    pytest.importorskip("moto.server", reason="no S3 server is installed (make test-s3 does)")
    before = dict(os.environ)
    with s3_server(tmp_path_factory.mktemp("s3")) as relay:
        os.environ.update(_SETTINGS, AWS_ENDPOINT_URL=f"http://127.0.0.1:{relay.port}")
        yield relay
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def relay(_relay: Relay) -> Relay:
    """What stands before the server, well-behaved."""
    _relay.reset()
    return _relay


@pytest.fixture
def bucket(relay: Relay) -> Bucket:
    """A bucket with four pictures, two of them in folders."""
    made = Bucket()
    for seed, key in enumerate(("a.png", "b.png", "holiday/c.png", "holiday/beach/d é+%25.png")):
        made.put(key, picture(seed))
    relay.asked.clear()
    return made


def _paths(collection: Collection) -> list[str]:
    return sorted(image.path for image in collection)


def _answer(hits: list[Hit]) -> list[tuple[str, float]]:
    return [(os.path.basename(hit.path), hit.score) for hit in hits]


def test_a_bucket_becomes_searchable_as_a_folder_does(
    collection: Collection, bucket: Bucket, relay: Relay, tmp_path: Path
) -> None:
    report = collection.sync(bucket.address())
    assert (report.indexed, report.encoded, report.skipped) == (4, 4, 0)
    assert relay.listings() > 4 // PAGE
    keys = ["a.png", "b.png", "holiday/beach/d é+%25.png", "holiday/c.png"]
    assert _paths(collection) == [bucket.address(key) for key in keys]
    assert sorted(relay.gets()) == keys  # each read once

    local = tmp_path / "local"
    for seed, key in enumerate(("a.png", "b.png", "c.png", "d é+%25.png")):
        local.mkdir(exist_ok=True)
        (local / key).write_bytes(picture(seed))
    with Collection.open(tmp_path / "other", encoder=CountingEncoder(), create=True) as other:
        other.sync(local)
        for key in ("a.png", "b.png"):
            here = collection.search(bucket.address(key), k=4)
            assert here[0].score == 1.0
            assert _answer(here) == _answer(other.search(local / key, k=4))


def test_what_is_unchanged_is_not_read_again(
    collection: Collection, bucket: Bucket, relay: Relay, encoder: CountingEncoder
) -> None:
    collection.sync(bucket.address())
    relay.asked.clear()
    bucket.put("a.png", picture(0))  # the same, written again
    time.sleep(1.1)  # times of S3 are whole seconds
    before = collection.get(bucket.address("b.png"))
    bucket.put("b.png", picture(1))
    report = collection.sync(bucket.address())
    assert (report.unchanged, report.updated, report.encoded) == (4, 0, 0)
    assert not relay.gets()
    after = collection.get(bucket.address("b.png"))
    assert (after.id, after.content_hash) == (before.id, before.content_hash)
    assert after.mtime_ns > before.mtime_ns
    assert encoder.count == 4


def test_changed_moved_copied_and_deleted_objects(collection: Collection, bucket: Bucket) -> None:
    collection.sync(bucket.address())
    moved = collection.get(bucket.address("b.png")).id
    bucket.put("a.png", picture(9))
    bucket.delete("b.png")
    bucket.put("elsewhere/new name.png", picture(1))
    bucket.put("copy.png", picture(2))
    bucket.delete("holiday/beach/d é+%25.png")
    report = collection.sync(bucket.address())
    assert (report.updated, report.moved, report.removed) == (1, 1, 1)
    assert (report.indexed, report.encoded) == (1, 1)  # the copy; what has changed
    assert collection.get(bucket.address("elsewhere/new name.png")).id == moved
    assert len(collection) == 4
    assert collection.sync(bucket.address()).unchanged == 4


def test_the_etag_is_what_tells(collection: Collection, bucket: Bucket, relay: Relay) -> None:
    bucket.put("a.bmp", picture(5, format="BMP"))
    collection.sync(bucket.address())
    relay.asked.clear()
    bucket.put("a.bmp", picture(6, format="BMP"))  # of the same size, in the same second perhaps
    report = collection.sync(bucket.address())
    assert (report.updated, relay.gets()) == (1, ["a.bmp"])
    assert collection.get(bucket.address("a.bmp")).metadata["etag"]


def test_only_the_beginning_is_read_where_no_name_tells(
    collection: Collection, bucket: Bucket, relay: Relay
) -> None:
    bucket.put("nameless", picture(7))
    bucket.put("text", b"no picture " * 1000)
    bucket.put("notes.txt", b"nor is this")
    bucket.put("empty", b"")
    report = collection.sync(bucket.address())
    assert (report.indexed, report.others) == (5, 3)
    begins = {one.path: one.range for one in relay.asked if one.range}
    assert {path.rpartition("/")[2] for path in begins} == {"nameless", "text"}
    assert all(asked.startswith("bytes=0-") for asked in begins.values())
    assert "notes.txt" not in relay.gets()


def test_which_objects_count(collection: Collection, bucket: Bucket) -> None:
    for key in (".hidden.png", "@eaDir/x.png", "folder/", "odd//x.png", "/y.png", "z.gif/e.png"):
        bucket.put(key, picture(3))
    report = collection.sync(bucket.address(), exclude=["*.gif", "beach"], include=["*.png"])
    assert _paths(collection) == [bucket.address(k) for k in ("a.png", "b.png", "holiday/c.png")]
    assert report.others == 2  # names that no path can have
    report = collection.sync(bucket.address("holiday"))
    assert (report.indexed, report.unchanged, report.removed) == (1, 1, 0)


def test_a_bad_object_is_a_bad_file(collection: Collection, bucket: Bucket, relay: Relay) -> None:
    bucket.put("broken.png", picture(4)[:300])
    bucket.put("empty.png", b"")
    bucket.put("forbidden.png", picture(5))
    relay.failing.add("forbidden.png")
    report = collection.sync(bucket.address())
    assert (report.indexed, report.skipped) == (4, 3)
    reasons = {os.path.basename(image.path): image.reason for image in collection.skipped()}
    assert reasons["broken.png"] == "truncated PNG file"
    assert reasons["empty.png"] == "the file is empty"
    assert "InternalError" in (reasons["forbidden.png"] or "")
    relay.reset()
    report = collection.sync(bucket.address())  # only the one that could not be read is tried again
    assert (report.indexed + report.updated, report.skipped) == (1, 2)
    assert relay.gets() == ["forbidden.png"]


def test_one_that_takes_too_long(collection: Collection, bucket: Bucket, relay: Relay) -> None:
    relay.slow["/b.png"] = 20.0
    report = collection.sync(bucket.address(), time_limit=5.0)
    assert (report.indexed, report.skipped) == (3, 1)
    (bad,) = collection.skipped()
    assert bad.reason == "reading took more than 5 s"
    relay.reset()
    assert collection.sync(bucket.address()).skipped == 0


def test_many_on_a_slow_link_have_the_time_that_they_take_together(
    collection: Collection, bucket: Bucket, relay: Relay
) -> None:
    for number, name in enumerate(("a", "b", "c", "d"), 1):
        relay.slow[f"/{name}.png"] = 2.0 * number
    report = collection.sync(bucket.address(), time_limit=4.0)
    assert report.skipped == 0
    assert report.indexed == 4


def test_storage_that_does_not_answer_empties_nothing(
    collection: Collection, bucket: Bucket, relay: Relay
) -> None:
    collection.sync(bucket.address())
    relay.down = True
    with pytest.raises(SourceUnavailableError, match="can't be reached"):
        collection.sync(bucket.address())
    assert len(collection) == 4
    assert len(collection.search(1, k=3)) == 3
    relay.reset()
    relay.failing.add("continuation-token")  # the second page
    with pytest.raises(SourceUnavailableError):
        collection.sync(bucket.address())
    assert len(collection) == 4
    relay.reset()
    for key in ("a.png", "b.png", "holiday/c.png", "holiday/beach/d é+%25.png"):
        bucket.delete(key)
    report = collection.sync(bucket.address())
    assert (report.removed, len(collection)) == (0, 4)
    assert "iss remove" in report.unreadable_folders[0]
    assert collection.remove(bucket.address("holiday")) == 2


def test_storage_that_fails_in_mid_run_keeps_what_was_done(
    collection: Collection, bucket: Bucket, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(44):
        bucket.put(f"more/{seed}.png", picture(seed + 10))
    monkeypatch.setattr(copies, "AHEAD", 4)  # so that there is more to read when it fails
    monkeypatch.setattr(pipeline, "available_processors", lambda: 1)

    def fail_soon(progress: Progress) -> None:
        relay.down = relay.down or (progress.phase == "indexing" and progress.done >= 8)

    with pytest.raises(SourceUnavailableError):
        collection.sync(bucket.address(), progress=fail_soon)
    done = len(collection)
    assert 8 <= done < 48
    relay.reset()
    report = collection.sync(bucket.address())
    assert (report.unchanged, report.indexed, report.skipped) == (done, 48 - done, 0)


def test_storage_that_falls_silent_is_given_up(
    collection: Collection, bucket: Bucket, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes what it is asked, and never answers: in mid-run, and from the start."""
    for seed in range(20):
        bucket.put(f"more/{seed}.png", picture(seed + 10))
        bucket.put(f"unsaid/{seed}", picture(seed + 40))
    monkeypatch.setattr(copies, "AHEAD", 4)
    monkeypatch.setattr(pipeline, "available_processors", lambda: 1)
    monkeypatch.setattr(storage, "ANSWER_SECONDS", 1.0)

    def fall_silent(progress: Progress) -> None:
        if progress.phase == "indexing" and progress.done >= 8:
            relay.slow[""] = 60.0

    with pytest.raises(SourceUnavailableError, match="does not answer"):
        collection.sync(bucket.address(), progress=fall_silent, time_limit=1.0)
    done = len(collection)
    assert 8 <= done < 44
    assert not list(collection.skipped())
    for asked in (collection.sync, lambda address: collection.add(f"{address}/a.png")):
        started = time.monotonic()
        with pytest.raises(SourceUnavailableError, match="does not answer"):
            asked(bucket.address())
        assert time.monotonic() - started < 10
    relay.reset()
    report = collection.sync(bucket.address())
    assert (report.unchanged, report.indexed, report.skipped) == (done, 44 - done, 0)


def test_a_picture_that_is_here_too_is_a_copy(
    collection: Collection, bucket: Bucket, tmp_path: Path
) -> None:
    collection.sync(bucket.address())
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.png").write_bytes(picture(0))
    report = collection.sync(tmp_path / "here")
    assert (report.indexed, report.moved, report.encoded) == (1, 0, 0)
    assert len(collection) == 5
    found = collection.duplicates(level="exact").groups
    assert [len(group.others) for group in found] == [1]
    (deed,) = collection.resolve_duplicates(found, "delete").deeds
    assert "object storage" in deed.problem


def test_single_objects_filters_and_thumbnails(collection: Collection, bucket: Bucket) -> None:
    collection.keep_thumbnails(False)
    (one,) = collection.add(bucket.address("holiday/c.png"))
    assert (one.state, one.path) == ("indexed", bucket.address("holiday/c.png"))
    assert collection.thumbnail(one.path)[:2] == b"\xff\xd8"
    with pytest.raises(ImageNotFoundError, match="nothing was added"):
        collection.add(bucket.address("none.png"))
    collection.sync(bucket.address())  # takes the single one in
    assert collection.get(one.path).id == one.id
    inside = Filter(folder=bucket.address("holiday"))
    assert collection.count(inside) == 2
    hits = collection.search(bucket.address("a.png"), where=inside)
    assert {hit.path for hit in hits} == {
        bucket.address("holiday/c.png"),
        bucket.address("holiday/beach/d é+%25.png"),
    }
    with pytest.raises(ConfigError, match="folder on this computer"):
        collection.relocate(bucket.address(), bucket.address("other"))
    collection.keep_thumbnails(True)
    assert collection.make_thumbnails().made == 4


def test_verify_compares_objects(collection: Collection, bucket: Bucket, relay: Relay) -> None:
    collection.sync(bucket.address())
    assert not collection.verify(files=True).problems
    bucket.put("a.png", picture(8))
    bucket.delete("b.png")
    texts = sorted(problem.text for problem in collection.verify(files=True).problems)
    assert [text.rpartition(": ")[2] for text in texts] == [
        "changed since it was indexed",
        "no such object",
    ]
    relay.down = True
    with pytest.raises(SourceUnavailableError):
        collection.verify(files=True)


def test_near_duplicates_are_found_among_objects(collection: Collection, bucket: Bucket) -> None:
    bucket.put("a again.jpg", picture(0, format="JPEG", quality=90))
    collection.sync(bucket.address())
    (group,) = collection.duplicates(level="near").groups
    assert {os.path.basename(i.path) for i in (group.keep, *(o.image for o in group.others))} == {
        "a.png",
        "a again.jpg",
    }
    assert group.sharpness
    assert group.others[0].sharpness


def test_what_objects_say_of_themselves_is_read_after_an_import(
    collection: Collection, bucket: Bucket, relay: Relay, tmp_path: Path
) -> None:
    from image_similarity_search import export_collection, import_collection

    shot = bucket.put("shot.jpg", picture(7, format="JPEG", exif=exif()))
    collection.sync(bucket.address())
    wanted = collection.traits(shot)
    assert wanted
    export_collection(tmp_path / "index", tmp_path / "all.parquet")
    import_collection(tmp_path / "all.parquet", tmp_path / "imported")
    with Collection.open(tmp_path / "imported", encoder=CountingEncoder()) as imported:
        assert imported.traits(shot) is None
        relay.asked.clear()
        relay.failing.add("b.png")
        assert imported.sync(bucket.address()).encoded == 0
        assert sorted(set(relay.gets())) == sorted(
            ["a.png", "b.png", "holiday/c.png", "holiday/beach/d é+%25.png", "shot.jpg"]
        )
        assert imported.traits(shot) == replace(wanted, colours=())
        relay.reset()
        imported.sync(bucket.address())
        assert relay.gets() == ["b.png"]  # what could not be read is tried again
        relay.reset()
        imported.sync(bucket.address())
        assert not relay.gets()


def test_an_export_comes_back(collection: Collection, bucket: Bucket, tmp_path: Path) -> None:
    from image_similarity_search import export_collection, import_collection

    collection.sync(bucket.address())
    export_collection(tmp_path / "index", tmp_path / "out.npy")
    import_collection(tmp_path / "out.npy", tmp_path / "again")
    with Collection.open(tmp_path / "again", encoder=CountingEncoder()) as again:
        assert _paths(again) == _paths(collection)
        report = again.sync(bucket.address())
        assert (report.unchanged, report.encoded) == (4, 0)


def test_the_command_line(bucket: Bucket, relay: Relay, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    runner = CliRunner()

    def iss(*arguments: str) -> tuple[int, str]:
        command = [*arguments, "--index-dir", index]
        result = runner.invoke(app, command, standalone_mode=False)
        assert not isinstance(result.exception, AssertionError)
        if result.exception:
            raise result.exception
        return int(result.return_value or 0), result.output

    with pytest.raises(FolderNotFoundError, match="no objects"):
        iss("index", bucket.address("nothing/here"))
    with pytest.raises(SourceUnavailableError, match="no such bucket"):
        iss("index", f"s3://{bucket.name}x")
    assert not (tmp_path / "index").exists()
    assert iss("index", bucket.address(), "--model", "colour-texture")[0] == 0
    status, output = iss("search", bucket.address("a.png"), "-k", "1", "--html", f"{index}.html")
    assert (status, output.splitlines()[0]) == (0, f"1.0000  {bucket.address('a.png')}")
    assert Path(f"{index}.html").read_text("utf-8").count("data:image/jpeg") == 2
    assert iss("info")[0] == 0
    relay.down = True
    with pytest.raises(SourceUnavailableError):
        iss("index", bucket.address())


def test_the_class_of_the_recipe(bucket: Bucket, relay: Relay, tmp_path: Path) -> None:
    index, encoder = tmp_path / "old", CountingEncoder()
    with ImageSimilaritySearch(bucket.address(), index, model=encoder) as searcher:
        assert searcher.find_similar(bucket.address("a.png"), k=1) == [
            {"path": bucket.address("a.png"), "score": 1.0}
        ]
    relay.down = True
    with ImageSimilaritySearch(bucket.address(), index, model=encoder) as searcher:
        assert len(searcher.collection) == 4


def test_no_secret_is_told(
    collection: Collection,
    bucket: Bucket,
    relay: Relay,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG, "image_similarity_search")
    bucket.put("bad.png", b"no")
    relay.failing.add("b.png")
    collection.sync(bucket.address())
    relay.down = True
    with pytest.raises(SourceUnavailableError) as unavailable:
        collection.sync(bucket.address())
    with pytest.raises(ConfigError) as refused:
        collection.sync(f"s3://{KEY_ID}:{SECRET}@{bucket.name}/")
    with pytest.raises(ConfigError) as unknown:
        collection.sync(f"https://user:{SECRET}@example.org/{bucket.name}")
    told = [
        caplog.text,
        *capfd.readouterr(),
        *(image.reason or "" for image in collection.skipped()),
    ]
    told += [str(unavailable.value), str(refused.value), str(unknown.value)]
    assert "b.png" in caplog.text
    assert not [text for text in told if SECRET in text or KEY_ID in text]


def test_files_of_this_machine_are_as_before(
    collection: Collection, bucket: Bucket, photos: Path, make_picture: MakePicture
) -> None:
    """An object of the catalog must not be taken for a file that is gone."""
    collection.sync(bucket.address())
    collection.sync(photos)
    make_picture(photos / "new.png", 99)
    report = collection.sync(photos)
    assert (report.indexed, report.removed, len(collection)) == (1, 0, 17)


def test_the_service_hands_out_objects(bucket: Bucket, relay: Relay, tmp_path: Path) -> None:
    with Collection.open(tmp_path / "index", encoder="colour-texture", create=True) as made:
        made.keep_thumbnails(False)
        made.sync(bucket.address("holiday"))
        id_ = made.get(bucket.address("holiday/c.png")).id
    with ExitStack() as stack:
        client = Starter(tmp_path, stack)()
        here = "/v1/collections/pictures"
        (root,) = client.get(here).json()["roots"]
        assert root == {"name": "holiday", "available": True, "writable": False}
        image = client.get(f"{here}/images/{id_}").json()
        assert (image["root"], image["path"]) == ("holiday", "c.png")
        original = client.get(f"{here}/images/{id_}/file")
        assert (original.content, original.headers["content-type"]) == (picture(2), "image/png")
        tag = {"if-none-match": original.headers["etag"]}
        assert client.get(f"{here}/images/{id_}/file", headers=tag).status_code == 304
        assert client.get(f"{here}/images/{id_}/thumbnail").content[:2] == b"\xff\xd8"

        to = {"root": "holiday", "path": "new.png"}
        refused = client.post(f"{here}/images", params=to, content=picture(50))
        assert refused.status_code == 422
        assert "objects are never written" in refused.json()["detail"]
        bucket.put("holiday/new.png", picture(50))
        added = client.post(f"{here}/images", json=to)
        assert (added.status_code, added.json()["path"]) == (201, "new.png")

        bucket.put("holiday/newer.png", picture(51))
        job = client.post(f"{here}/sync", json={}).json()["id"]
        until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] != "running")
        assert client.get(f"/v1/jobs/{job}").json()["report"]["indexed"] == 1
        relay.down = True
        gone = client.get(f"{here}/images/{id_}/file")
        assert (gone.status_code, bucket.name in gone.text) == (503, False)
