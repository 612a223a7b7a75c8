"""Addresses as text, and what is said where nothing can read them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from image_similarity_search.addresses import checked_address, is_address
from image_similarity_search.catalog.etags import etag_in, with_etag
from image_similarity_search.catalog.places import canonical, relative
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.errors import ConfigError
from image_similarity_search.objects.storage import _stored
from image_similarity_search.objects.stored import Stored


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("s3://bucket", "s3://bucket"),
        ("S3://bucket/", "s3://bucket"),
        ("gs://bucket/a/b.jpg", "gs://bucket/a/b.jpg"),
        ("az://container/folder/", "az://container/folder"),
    ],
)
def test_an_address_has_one_form(given: str, known: str) -> None:
    assert is_address(given)
    assert checked_address(given) == canonical(given) == known


@pytest.mark.parametrize(
    "given",
    ["http://host/x", "s3://", "s3:///key", "s3://b//k", "s3://b/../k", "s3://key:secret@b/k"],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked_address(given)
    assert "secret" not in str(refused.value)


def test_a_path_is_no_address() -> None:
    assert not any(map(is_address, ("/a/b", "a:b", "c:/x", "./s3:/x", "a/s3://x", "")))


def test_what_is_below_an_address() -> None:
    assert relative("s3://b/a/c.jpg", "s3://b/a") == "c.jpg"
    assert relative("s3://b/ab/c.jpg", "s3://b/a") is None


def test_the_etag_counts_more_than_the_time() -> None:
    seen = FileStat(5, 1, "x")
    assert seen.agrees_with(FileStat(5, 2, "x"))
    assert not seen.agrees_with(FileStat(5, 1, "y"))
    assert not seen.agrees_with(FileStat(6, 1, "x"))
    assert FileStat(5, 1).agrees_with(FileStat(5, 1, "y"))  # it came from a file, or an export
    assert not FileStat(5, 1).agrees_with(FileStat(5, 2, "y"))


def test_the_etag_leaves_other_metadata_alone() -> None:
    attached = with_etag('{"title": "x"}', "tag")
    assert etag_in(attached) == "tag"
    assert with_etag(attached, "") == '{"title": "x"}'
    assert with_etag("{}", "") == "{}"
    assert etag_in("{}") == ""


@pytest.mark.parametrize(
    "info",
    [
        {
            "size": 7,
            "ETag": '"x"',
            "LastModified": "2024-05-17T18:30:00Z",
        },  # as each library has it
        {"size": 7, "etag": "x", "updated": "2024-05-17T18:30:00.000Z"},
        {"size": "7", "etag": '"x"', "last_modified": "2024-05-17T18:30:00+00:00"},
    ],
)
def test_what_libraries_tell_of_an_object(info: dict[str, object]) -> None:
    assert _stored("gs://b/k", info) == Stored("gs://b/k", 7, 1_715_970_600_000_000_000, "x")


def test_a_time_that_no_catalog_can_hold_is_the_last_that_one_can() -> None:
    info = {"size": 7, "LastModified": "9999-12-31T23:59:59+00:00"}
    assert _stored("gs://b/k", info).mtime_ns == 2**63 - 1


def test_without_its_package_it_says_what_to_install(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-c"),
        "import sys; sys.modules.update(s3fs=None, fsspec=None);"
        "from image_similarity_search.cli import main; main()",
        *("index", "s3://some-bucket", "--index-dir", str(tmp_path / "index")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'image-similarity-search[s3]'" in done.stderr
    assert not (tmp_path / "index").exists()
