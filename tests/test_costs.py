"""How much is done for a picture: operations are counted, times only compared, with wide bounds."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from conftest import CountingEncoder, MakePicture, draw
from PIL import Image
from synthetic import build
from upkeep import TinyEncoder, rescan

from image_similarity_search import Filter
from image_similarity_search.catalog.database import Database
from image_similarity_search.collection import Collection
from image_similarity_search.collection.decoder import answer
from image_similarity_search.collection.messages import request
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.images import decode

_opened: list[str] | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_hear)  # which stays, and costs nothing while nobody listens


@contextmanager
def files_opened() -> Iterator[list[str]]:
    """The paths that this process opens meanwhile."""
    global _opened
    paths: list[str] = []
    _opened = paths
    try:
        yield paths
    finally:
        _opened = None


def connection_of(collection: Collection) -> sqlite3.Connection:
    return cast("Database", collection._catalog._database)._connection


@contextmanager
def statements(collection: Collection) -> Iterator[list[str]]:
    """The SQL statements that a collection's catalog runs meanwhile."""
    run: list[str] = []
    connection_of(collection).set_trace_callback(run.append)
    try:
        yield run
    finally:
        connection_of(collection).set_trace_callback(None)


def steps(collection: Collection, work: Callable[[], object]) -> int:
    """Steps of SQLite's machine that ``work`` takes, in hundreds: what grows with a scan."""
    count = 0

    def one_more() -> int:
        nonlocal count
        count += 1
        return 0

    connection_of(collection).set_progress_handler(one_more, 100)
    try:
        work()
    finally:
        connection_of(collection).set_progress_handler(None, 0)
    return count


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Collection]]:
    """Collections of 1,500 and 6,000 images, by their size."""
    opened = {}
    for count in (1500, 6000):
        folder = tmp_path_factory.mktemp("many")
        rows = np.random.default_rng(0).standard_normal((count, TinyEncoder.dim))
        build(folder / "i", folder / "p", [rows.astype(np.float32)], encoder=TinyEncoder())
        opened[count] = Collection.open(folder / "i", encoder=TinyEncoder())
    yield opened
    for collection in opened.values():
        collection.close()


def test_a_worker_opens_a_picture_once_and_decodes_it_once(
    tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, decoded, loads = make_picture(tmp_path / "a.jpg", 1), decode.decode, 0

    def counted(*arguments: Any, **named: Any) -> decode.Decoded:
        nonlocal loads
        loads += 1
        return decoded(*arguments, **named)

    monkeypatch.setattr(decode, "decode", counted)
    with files_opened() as opened:
        list(answer(request(str(path), Preprocessing(), thumbnail=True)))
    assert (opened.count(str(path)), loads) == (1, 1)


def test_new_pictures_are_read_by_workers_alone_and_kept_a_batch_at_a_time(
    tmp_path: Path, collection: Collection, encoder: CountingEncoder, make_picture: MakePicture
) -> None:
    for seed in range(48):
        make_picture(tmp_path / "p" / f"{seed}.png", seed)
    with files_opened() as opened, statements(collection) as run:
        collection.sync(tmp_path / "p")
    assert encoder.count == 48
    assert not [path for path in opened if path.endswith(".png")]
    assert run.count("COMMIT") <= 48 / 8 + 4
    assert len(run) <= 7 * 48


def test_a_rescan_costs_no_statement_and_no_look_into_a_file(
    tmp_path: Path, collection: Collection, encoder: CountingEncoder, make_picture: MakePicture
) -> None:
    counts = []
    for number in range(2):
        for seed in range(number * 12, 12 + number * 36):
            make_picture(tmp_path / "p" / f"{seed}.png", seed)
        collection.sync(tmp_path / "p")
        encoded = encoder.count
        with files_opened() as opened, statements(collection) as run:
            report = collection.sync(tmp_path / "p")
        assert report.unchanged == encoded == encoder.count
        assert not [path for path in opened if path.endswith(".png")]
        counts.append(len(run))
    assert counts[0] == counts[1]  # whether they are 12 or 48


def test_a_rescan_takes_little_longer_than_a_walk(tmp_path: Path) -> None:
    figures = rescan(str(tmp_path), files=2000, rounds=3)
    assert figures["sync_over_bare_walk_ratio"] < 8


def test_an_image_is_added_to_many_as_to_few(
    tmp_path: Path, many: dict[int, Collection], make_picture: MakePicture
) -> None:
    taken = {}
    for count, collection in many.items():
        pictures = [make_picture(tmp_path / f"{count}-{seed}.png", seed) for seed in range(3)]
        collection.add(pictures[0])
        collection.search(1)
        file = Path(collection._keeper.path)
        written = file.stat().st_mtime_ns
        taken[count] = steps(collection, lambda c=collection, p=pictures[1]: c.add(p))  # type: ignore[misc]
        assert collection.search(pictures[1])[0].path == str(pictures[1])
        if count > 5000:
            assert file.stat().st_mtime_ns == written
    assert taken[6000] < 1.5 * taken[1500]


def test_what_few_images_have_is_found_without_a_look_at_all(many: dict[int, Collection]) -> None:
    taken = {}
    for count, collection in many.items():
        collection.add_tags([7, 8], "few")
        taken[count] = [
            steps(collection, collection._catalog.displaced),
            steps(collection, collection.tags),
            steps(collection, lambda c=collection: c.count(Filter(tags="few"))),  # type: ignore[misc]
        ]
        assert (collection.tags(), collection.count(Filter(tags="few"))) == ({"few": 2}, 2)
    assert max(taken[6000]) <= max(taken[1500]) + 1 < 10


def test_an_index_that_an_older_version_did_not_make_is_made_by_the_next_change(
    tmp_path: Path, collection: Collection, make_picture: MakePicture
) -> None:
    make_picture(tmp_path / "a.png", 1)
    (image,) = collection.add(tmp_path / "a.png")
    collection.add_tags(image.id, "red")
    newer = ("images_displaced", "images_tagged")
    for name in newer:
        connection_of(collection).execute(f"DROP INDEX {name}")
    with Collection.open(collection.info().index_dir, encoder=CountingEncoder()) as again:
        assert (again.tags(), again.count(Filter(tags="red")), len(again)) == ({"red": 1}, 1, 1)
        again.add_tags(image.id, "blue")
    there = connection_of(collection).execute("SELECT name FROM sqlite_schema").fetchall()
    assert {(name,) for name in newer} <= set(there)


def test_a_change_costs_a_filter_no_look_at_all_images(many: dict[int, Collection]) -> None:
    taken, filters = {}, (Filter(max_size=10**9), Filter(name="*1*"), Filter())
    for count, collection in many.items():
        found = [collection.count(where) for where in (*filters, None)]
        collection.add_tags(9, "nine")
        collection.remove(10)
        taken[count] = steps(collection, lambda c=collection: [c.count(one) for one in filters])  # type: ignore[misc]
        assert collection.count(filters[0]) == collection.count() == found[0] - 1
        assert steps(collection, collection.count) <= 2  # which looks at the moment
    assert taken[6000] <= taken[1500] + 2 < 30


def test_many_images_are_tagged_and_removed_with_few_questions(many: dict[int, Collection]) -> None:
    collection = many[1500]
    collection._thumbnails.keep({"00" * 16: b"a thumbnail"})  # so that some are kept
    with statements(collection) as run:
        assert collection.add_tags(range(101, 201), "hundred") == 100
    assert sum("metadata" in one for one in run if one.startswith("SELECT")) <= 5
    with statements(collection) as run:
        assert collection.remove(*range(101, 201)) == 100
    assert sum("content_hash" in one for one in run if one.startswith("SELECT")) <= 5


def test_a_late_page_of_bad_files_costs_no_more_than_the_first(
    tmp_path: Path, collection: Collection
) -> None:
    (tmp_path / "p").mkdir()
    for number in range(1050):
        (tmp_path / "p" / f"{number}.jpg").write_bytes(b"")
    collection.sync(tmp_path / "p")
    ids = [record.id for record in collection.skipped()]
    for begin in (0, 1000):
        last = ids[begin - 1] if begin else 0
        page = islice(collection.skipped(after=last), 50)
        with statements(collection) as run:
            assert [record.id for record in page] == ids[begin : begin + 50]
        assert len([one for one in run if "folders" in one]) == 1


def test_a_large_jpeg_is_not_decoded_in_full(tmp_path: Path) -> None:
    draw(1, (3600, 2400)).save(tmp_path / "large.jpg")
    data = (tmp_path / "large.jpg").read_bytes()

    def in_full() -> None:
        with Image.open(BytesIO(data)) as image:
            image.load()

    def as_needed() -> None:
        decode.decode(data, min_side=Preprocessing().resize)

    full = min(seconds(in_full) for _ in range(10))
    assert min(seconds(as_needed) for _ in range(10)) < full / 1.5


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


_FIRST_SEARCH = """
import sys, threading

started, start = [], threading.Thread.start
threading.Thread.start = lambda thread: (started.append(thread.name), start(thread))[1]
from image_similarity_search import Collection
with Collection.open("i") as collection:
    collection.search("images/a.png")
own = "image_similarity_search."
print(*started, *(name.removeprefix(own) for name in sys.modules))
"""


def test_a_first_search_waits_for_little_that_it_does_not_need(tmp_path: Path) -> None:
    """And for the store while ONNX Runtime builds its session, which takes about as long."""
    (tmp_path / "images").mkdir()
    draw(1).save(tmp_path / "images" / "a.png")
    with Collection.open(tmp_path / "i", create=True) as collection:
        collection.sync(tmp_path / "images")
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_SEARCH],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    seen = done.stdout.split()
    assert "iss-store" in seen
    assert not {"asyncio", "evaluation", "understanding", "fsspec", "click"}.intersection(seen)
    own = {"collection.sync", "collection.folding", "collection.explaining", "stores.engines"}
    assert not own.intersection(seen)
