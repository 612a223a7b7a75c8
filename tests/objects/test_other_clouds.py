"""Pictures in servers that speak as Google's and Azure's do. Run with ``make test-s3``."""

from __future__ import annotations

import importlib.util
import os
import uuid
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import CountingEncoder
from emulators import Emulator, azurite, emulator
from s3_server import picture

from image_similarity_search.cli.app import app
from image_similarity_search.collection import Collection
from image_similarity_search.errors import FolderNotFoundError, SourceUnavailableError
from image_similarity_search.objects.opening import file_system

_NEEDED = {"gs": ("gcsfs", "gcp_storage_emulator"), "az": ("adlfs",)}
_KEYS = ("a.png", "b.png", "holiday/c.png", "holiday/beach/d é+%25.png")


@pytest.fixture(scope="module", params=["gs", "az"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    for package in _NEEDED[request.param]:
        if importlib.util.find_spec(package) is None:  # it is imported when it is set up
            pytest.skip(f"{package} is not installed (make test-s3 installs it)")
    if request.param == "az" and not azurite():
        pytest.skip("Azurite is not installed (make test-s3 does it, where there is npm)")
    before = dict(os.environ)
    with emulator(request.param, tmp_path_factory.mktemp(request.param)) as running:
        os.environ.update(running.settings)
        _read_settings()
        yield running
    os.environ.clear()
    os.environ.update(before)
    _read_settings()


def _read_settings() -> None:
    """Have fsspec look at the environment again, which it does when it is imported."""
    from fsspec.config import conf, set_conf_env

    file_system.cache_clear()
    conf.pop("gs", None)
    set_conf_env(conf)


class Bucket:
    """A new bucket, or container, with four pictures, two of them in folders."""

    def __init__(self, scheme: str) -> None:
        self._fs: Any = file_system(scheme)
        self._scheme = scheme
        self.name = f"bucket-{uuid.uuid4().hex[:12]}"
        self._fs.mkdir(self.name)
        for seed, key in enumerate(_KEYS):
            self.put(key, picture(seed))

    def address(self, key: str = "") -> str:
        return f"{self._scheme}://{self.name}/{key}".rstrip("/")

    def put(self, key: str, data: bytes) -> None:
        self._fs.pipe_file(f"{self.name}/{key}", data)

    def delete(self, key: str) -> None:
        self._fs.rm_file(f"{self.name}/{key}")


@pytest.fixture
def bucket(server: Emulator) -> Bucket:
    return Bucket(server.scheme)


def test_a_bucket_becomes_searchable(
    collection: Collection, encoder: CountingEncoder, bucket: Bucket
) -> None:
    report = collection.sync(bucket.address())
    assert (report.indexed, report.encoded, report.skipped) == (4, 4, 0)
    assert {image.path for image in collection} == {bucket.address(key) for key in _KEYS}
    assert all(image.metadata["etag"] and image.mtime_ns for image in collection)
    for key in _KEYS:
        (hit, *_) = collection.search(bucket.address(key), k=2)
        assert (hit.path, hit.score) == (bucket.address(key), 1.0)
    again = collection.sync(bucket.address())
    assert (again.unchanged, again.encoded) == (4, 0)
    assert not collection.verify(files=True).problems


def test_changed_moved_and_deleted_objects(collection: Collection, bucket: Bucket) -> None:
    collection.sync(bucket.address())
    moved = collection.get(bucket.address("b.png")).id
    bucket.put("a.png", picture(9))
    bucket.delete("b.png")
    bucket.put("elsewhere/new name.png", picture(1))
    bucket.delete("holiday/beach/d é+%25.png")
    bucket.put("bad.jpg", b"no picture")
    bucket.put("nameless", picture(7))
    report = collection.sync(bucket.address())
    assert (report.updated, report.moved, report.removed) == (1, 1, 1)
    assert (report.indexed, report.encoded, report.skipped) == (1, 2, 1)
    assert collection.get(bucket.address("elsewhere/new name.png")).id == moved
    bucket.put("later.png", picture(11))
    assert collection.add(bucket.address("later.png"))[0].state == "indexed"
    only = collection.sync(bucket.address("holiday"))
    assert (only.unchanged, only.removed) == (1, 0)


def test_by_command(bucket: Bucket, tmp_path: Path) -> None:
    where = ["--index-dir", str(tmp_path / "index")]
    index = ["index", bucket.address(), "--model", "colour-texture"]
    done = CliRunner().invoke(app, [*index, *where])
    assert done.stdout.startswith("indexed 4, "), done.output
    found = CliRunner().invoke(app, ["search", bucket.address("a.png"), "--paths", *where])
    assert found.stdout.splitlines()[0] == bucket.address("a.png")


def test_what_is_not_there(collection: Collection, bucket: Bucket, server: Emulator) -> None:
    collection.sync(bucket.address())
    for key in _KEYS:
        bucket.delete(key)
    assert collection.sync(bucket.address()).unreadable_folders
    assert len(collection) == 4
    with pytest.raises((FolderNotFoundError, SourceUnavailableError)):
        collection.sync(f"{server.scheme}://no-such-bucket-{uuid.uuid4().hex[:8]}")
