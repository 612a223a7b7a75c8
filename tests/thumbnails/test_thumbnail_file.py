"""The file of thumbnails: whatever becomes of it, nothing is raised and nothing wrong is given."""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from image_similarity_search.thumbnails.thumbnail_file import ThumbnailFile


def content(number: int) -> str:
    return f"{number:032x}"


@pytest.fixture
def file(tmp_path: Path) -> ThumbnailFile:
    return ThumbnailFile(str(tmp_path))


def test_what_is_put_is_got_by_another_process_too(file: ThumbnailFile, tmp_path: Path) -> None:
    many = {content(number): b"jpeg %d" % number for number in range(10_000, 0, -1)}
    file.put(many)
    other = ThumbnailFile(str(tmp_path))
    assert other.get(content(1)) == b"jpeg 1"
    assert other.get(content(0)) is None
    assert list(other.hashes()) == sorted(many)
    file.discard([content(1), content(77_777)])
    assert other.get(content(1)) is None
    other.close()
    file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["thumbnails.sqlite"]


def test_nothing_is_made_before_something_is_put(file: ThumbnailFile, tmp_path: Path) -> None:
    assert file.get(content(1)) is None
    assert list(file.hashes()) == []
    file.put({})
    file.discard([content(1)])
    file.shrink()
    file.delete_if_damaged()
    file.delete()
    assert file.bytes_on_disk() == 0
    assert list(tmp_path.iterdir()) == []


def test_room_is_given_back(file: ThumbnailFile) -> None:
    file.put({content(number): bytes(10_000) for number in range(100)})
    file.settle()
    before = file.bytes_on_disk()
    file.discard(map(content, range(90)))
    file.shrink()
    assert file.bytes_on_disk() < before / 5
    assert file.get(content(95)) == bytes(10_000)


def test_a_turned_bit_gives_no_thumbnail(file: ThumbnailFile) -> None:
    file.put({content(1): b"one", content(2): b"two"})
    with closing(sqlite3.connect(file.path)) as database, database:
        database.execute("UPDATE thumbnails SET jpeg = x'00' WHERE content_hash = ?", (bytes(16),))
        database.execute("UPDATE thumbnails SET jpeg = x'74776f' WHERE jpeg = x'6f6e65'")
    assert file.get(content(1)) is None  # it has the other's picture
    assert file.get(content(2)) == b"two"


@pytest.mark.parametrize("left", [b"", b"no database at all" * 1000])
def test_a_file_that_is_none_is_replaced_by_the_writer(
    file: ThumbnailFile, left: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    Path(file.path).write_bytes(left)
    with caplog.at_level(logging.WARNING):
        assert file.get(content(1)) is None
        file.discard([content(1)])
        assert list(file.hashes()) == []
        file.delete_if_damaged()
    assert "thumbnails.sqlite" in caplog.text
    file.put({content(1): b"one"})
    assert file.get(content(1)) == b"one"


def test_a_file_that_is_deleted_while_open_is_made_anew(
    file: ThumbnailFile, tmp_path: Path
) -> None:
    file.put({content(1): b"one"})
    ThumbnailFile(str(tmp_path)).delete()
    assert file.get(content(1)) is None
    file.put({content(2): b"two"})
    assert ThumbnailFile(str(tmp_path)).get(content(2)) == b"two"


def test_where_it_cannot_be_made_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = ThumbnailFile(str(tmp_path / "missing"))
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            file.put({content(number): b"x"})
    assert len(caplog.records) == 1
    assert file.get(content(1)) is None


def test_threads_share_it(file: ThumbnailFile) -> None:
    def work(start: int) -> None:
        for number in range(start, start + 50):
            file.put({content(number): b"%d" % number})
            assert file.get(content(number)) == b"%d" % number

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(file.hashes())) == 200
