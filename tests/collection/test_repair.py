"""What a repair saves of a damaged collection."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import damage
import faulty_drive
import pytest
from conftest import CountingEncoder, MakePicture

from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.collection import Collection
from image_similarity_search.collection.verify import verified
from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionLockedError,
    CollectionNotFoundError,
)
from image_similarity_search.reports import RepairReport
from image_similarity_search.types import ImageRecord

_PAGE = 16_384
_GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.fixture
def index(tmp_path: Path, make_picture: MakePicture) -> Path:
    return damage.make(tmp_path / "pictures", make_picture)


@pytest.fixture
def copies(index: Path) -> Iterator[Path]:
    return damage.copies(index, index.parent / "copy")


@dataclass
class Afterwards:
    """What a repaired collection held, and what the syncs after it did."""

    report: RepairReport
    indexed: dict[int, ImageRecord]
    encoded: int
    final: int


def after_repair(index: Path) -> Afterwards | None:
    """Repair a collection, check what is in it, and sync its folders; None when it is hopeless."""
    damaged = (index / "catalog.sqlite").read_bytes()
    try:
        report = Collection.repair(index)
    except CollectionCorruptError as error:
        if "nothing can be saved" in str(error):
            same = (index / "catalog.sqlite").read_bytes() == damaged
            return None if same and not list(index.glob("*.damaged-*")) else pytest.fail("changed")
        raise
    assert not verified(str(index)).problems
    encoder = CountingEncoder()
    with Collection.open(index, encoder=encoder) as collection:
        indexed = {record.id: record for record in collection}
        for record in indexed.values():  # of different pictures; a single one finds nothing
            assert [hit.score < 1 for hit in collection.search(record.id, k=1)] in ([True], [])
        for folder in ("one", "two"):
            collection.sync(index.parent / folder)
        for path in sorted((index.parent).rglob("*.png")):
            assert collection.search(path, k=1)[0].path == str(path)
            assert collection.search(path, k=1)[0].score == 1.0
        assert not verified(str(index), files=True).problems
        return Afterwards(report, indexed, encoder.count - 2 * 23, len(collection))


def records(index: Path) -> dict[int, ImageRecord]:
    with Collection.open(index) as collection:
        return {record.id: record for record in collection}


def kept_copy(index: Path) -> Path:
    (copy,) = index.glob("catalog.sqlite.damaged-*[Z+]")
    return copy


def test_a_whole_collection_is_left_as_it_is(index: Path) -> None:
    before = {path.name: path.read_bytes() for path in index.iterdir()}
    assert Collection.repair(index) == RepairReport()
    assert {path.name: path.read_bytes() for path in index.iterdir()} == before


def test_a_damaged_store_is_made_anew(index: Path) -> None:
    (index / "faiss.index").write_bytes(b"damaged")
    assert Collection.repair(index) == RepairReport(store_rebuilt=True)
    assert not verified(str(index)).problems
    assert verified(str(index)).checked["vectors"] == 23


@pytest.mark.parametrize("version", [2, 3])
def test_what_is_damaged_in_an_older_format_is_saved(version: int, tmp_path: Path) -> None:
    shutil.copytree(_GOLDEN / f"format-{version}", tmp_path / "index")
    catalog = tmp_path / "index" / "catalog.sqlite"
    with closing(sqlite3.connect(catalog)) as database:
        asked = "SELECT rootpage FROM sqlite_schema WHERE name = 'images_by_content'"
        (page,) = database.execute(asked).fetchone()
    damage.zero(catalog, (page - 1) * _PAGE, 100)
    with pytest.raises(CollectionCorruptError, match="verify --repair"):
        Collection.open(tmp_path / "index")
    assert not list(tmp_path.rglob("*.backup-format-*"))  # as which it would count as whole
    report = Collection.repair(tmp_path / "index")
    assert (report.images, report.lost) == (3, 0)
    assert not verified(str(tmp_path / "index")).problems
    assert [Path(one.path).name for one in records(tmp_path / "index").values()] == [
        "0.png",
        "1.png",
        "2.png",
    ]


def test_an_older_format_is_brought_up_to_date_and_is_whole(tmp_path: Path) -> None:
    shutil.copytree(_GOLDEN / "format-3", tmp_path / "index")
    assert Collection.repair(tmp_path / "index") == RepairReport()
    assert len(records(tmp_path / "index")) == 3


@pytest.mark.slow
def test_around_a_damaged_page_everything_is_saved(index: Path, copies: Iterator[Path]) -> None:
    """One page after the other; the page of all image records is the one that is needed."""
    before = records(index)
    size = (index / "catalog.sqlite").stat().st_size
    hopeless, encoded = 0, 0
    for start, copy in zip(range(0, size, _PAGE), copies, strict=False):
        damage.zero(copy / "catalog.sqlite", start, _PAGE)
        damaged = (copy / "catalog.sqlite").read_bytes()
        after = after_repair(copy)
        if after is None:
            hopeless += 1
            continue
        if not after.report.kept_as:  # the page was free, or of an empty table
            continue
        assert kept_copy(copy).read_bytes() == damaged
        assert str(kept_copy(copy)) == after.report.kept_as
        assert after.report.lost == 0
        assert after.report.images + after.report.reencoded == 23
        assert after.encoded == after.report.reencoded
        assert after.report.images == len(after.indexed)
        for id_, record in after.indexed.items():
            misplaced = "lost+found" in record.path
            assert misplaced or record == before[id_]
            assert record.content_hash == before[id_].content_hash
        encoded += after.encoded
        assert after.final == 23
    assert hopeless == 1
    assert encoded == 23  # each embedding was on one of the pages


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_damaged_nothing_wrong_is_saved(index: Path, seed: int) -> None:
    """Bits, runs of zeros, foreign bytes and a lost end, some at once."""
    _damage_and_repair(index, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8, 60))
def test_however_often_it_is_damaged_nothing_wrong_is_saved(index: Path, seed: int) -> None:
    _damage_and_repair(index, seed)


def _damage_and_repair(index: Path, seed: int) -> None:
    before = records(index)
    rng = random.Random(seed)
    file = index / "catalog.sqlite"
    data = bytearray(file.read_bytes())
    for _ in range(rng.randrange(1, 30)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    for _ in range(rng.randrange(3)):
        start, length = rng.randrange(len(data)), rng.randrange(3 * _PAGE)
        data[start : start + length] = bytes(len(data[start : start + length]))
    if rng.random() < 0.3:
        start = rng.randrange(len(data) // _PAGE) * _PAGE
        data[start : start + _PAGE] = rng.randbytes(_PAGE)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    file.write_bytes(data)
    after = after_repair(index)
    if after is None:
        return
    assert after.final == 23
    assert after.encoded == 23 - len(after.indexed)
    for id_, record in after.indexed.items():
        assert record.content_hash == before[id_].content_hash


def test_without_its_beginning_nothing_is_lost(index: Path) -> None:
    """What it was made with is in the store too; the images are found by their content."""
    before = records(index)
    with Collection.open(index) as collection:
        made_with = collection.info()
    damage.zero(index / "catalog.sqlite", 0, 4 * _PAGE)
    after = after_repair(index)
    assert after
    assert (after.report.images, after.report.lost, after.encoded) == (23, 0, 0)
    assert after.report.misplaced > 0
    with Collection.open(index) as collection:
        info = collection.info()
        assert (info.encoder, info.fingerprint, info.dim, info.metric, info.index) == (
            made_with.encoder,
            made_with.fingerprint,
            made_with.dim,
            made_with.metric,
            made_with.index,
        )
        assert {record.path for record in collection} == {r.path for r in before.values()}
        assert {record.id for record in collection} == set(before)
        assert not [root for root in collection.roots() if "lost+found" in root]


def test_what_only_the_log_held_is_saved_too(index: Path, make_picture: MakePicture) -> None:
    killed = index.parent / "killed"
    new = make_picture(index.parent / "two" / "new.png", 77)
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.sync(new.parent)
        shutil.copytree(index, killed, ignore=shutil.ignore_patterns("*-shm"))
    size = (killed / "catalog.sqlite").stat().st_size
    log = (killed / "catalog.sqlite-wal").read_bytes()
    embeddings = size - 3 * _PAGE  # which the log does not hold
    damage.zero(killed / "catalog.sqlite", embeddings, 2 * _PAGE)
    assert verified(str(killed)).damaged
    report = Collection.repair(killed)
    assert Path(f"{kept_copy(killed)}-wal").read_bytes() == log
    assert (report.images + report.reencoded, report.lost) == (24, 0)
    assert report.reencoded in range(10, 16)
    with Collection.open(killed, encoder=CountingEncoder()) as collection:
        assert collection.search(new, k=1)[0].score == 1.0


def test_a_damaged_embedding_keeps_the_images_id_and_metadata(index: Path) -> None:
    with closing(sqlite3.connect(index / "catalog.sqlite")) as database, database:
        database.execute("UPDATE embeddings SET norm = norm * 2 WHERE image_id = 9")
    path = records(index)[9].path
    report = Collection.repair(index)
    assert (report.images, report.reencoded, report.lost) == (22, 1, 0)
    encoder = CountingEncoder()
    with Collection.open(index, encoder=encoder) as collection:
        (waiting,) = [record for record in collection.skipped() if record.id == 9]
        assert waiting.reason
        assert "encodes it again" in waiting.reason
        collection.sync(Path(path).parent)
        assert collection.get(9).path == path
        assert encoder.count == 1
        assert collection.search(path, k=1)[0].score == 1.0


def test_an_embedding_of_a_former_version_is_not_taken(
    index: Path, make_picture: MakePicture
) -> None:
    """It is whole, and of this image; but the picture was another one then."""
    with closing(sqlite3.connect(index / "catalog.sqlite")) as database:
        former = database.execute("SELECT * FROM embeddings WHERE image_id = 9").fetchone()
    path = Path(records(index)[9].path)
    make_picture(path, 500)
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.sync(path.parent)
    with closing(sqlite3.connect(index / "catalog.sqlite")) as database, database:
        database.execute("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?)", former)
    with (
        Collection.open(index) as collection,
        pytest.raises(CollectionCorruptError, match="of the file"),
    ):
        collection.search(3, k=50)
    report = Collection.repair(index)
    assert (report.images, report.reencoded, report.lost) == (22, 1, 0)
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.sync(path.parent)
        assert collection.get(path).id == 9
        assert collection.search(path, k=1)[0].score == 1.0


def test_an_id_is_not_used_again_though_its_image_is_lost(
    index: Path, make_picture: MakePicture
) -> None:
    last = max(records(index))
    with closing(sqlite3.connect(index / "catalog.sqlite")) as database, database:
        database.execute("UPDATE images SET size = size + 1 WHERE id = ?", (last,))
    assert Collection.repair(index).lost == 1
    new = make_picture(index.parent / "two" / "new.png", 77)
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        (record,) = collection.add(new)
        assert record.id > last


def test_a_stale_store_is_not_taken_for_the_repaired_catalogs(index: Path) -> None:
    store = (index / "faiss.index").read_bytes()
    damage.zero(index / "catalog.sqlite", (index / "catalog.sqlite").stat().st_size - _PAGE, _PAGE)
    report = Collection.repair(index)
    assert report.reencoded > 0
    (index / "faiss.index").write_bytes(store)
    assert any("identity" in problem.text for problem in verified(str(index)).problems)
    with Collection.open(index) as collection:
        first = next(iter(collection)).id
        assert len(collection.search(first, k=50)) == report.images - 1


def test_former_versions_are_not_brought_back(index: Path, make_picture: MakePicture) -> None:
    """Pages that are free still hold what was deleted; without a header nothing says so."""
    folder = index.parent / "one"
    for seed in range(200, 230):
        make_picture(folder / "below" / f"temporary {seed}.png", seed)
    with Collection.open(index, encoder=CountingEncoder()) as collection:
        collection.sync(folder)
        for seed, path in enumerate(sorted(folder.rglob("*.png")), start=300):
            make_picture(path, seed)
        collection.sync(folder)
        for path in folder.rglob("temporary*"):
            path.unlink()
        collection.sync(folder)
        collection.sync(index.parent / "two")
    before = records(index)
    damage.zero(index / "catalog.sqlite", 0, _PAGE)
    after = after_repair(index)
    assert after
    for id_, record in before.items():
        assert after.indexed[id_].content_hash == record.content_hash
    assert after.encoded == 0


def test_nothing_is_made_of_nothing(index: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(CollectionNotFoundError):
        Collection.repair(tmp_path / "none")
    assert not list((tmp_path / "none").iterdir())
    size = (index / "catalog.sqlite").stat().st_size
    damage.zero(index / "catalog.sqlite", 0, size)
    with pytest.raises(CollectionCorruptError, match="nothing can be saved; move it away"):
        Collection.repair(index)
    assert (index / "catalog.sqlite").read_bytes() == bytes(size)


_ON_A_BAD_DISK = """
import sys
from image_similarity_search import Collection
from image_similarity_search.collection.verify import verified
from image_similarity_search.errors import CollectionCorruptError
try:
    with Collection.open(sys.argv[1]) as collection:
        collection.verify()
        print(collection.verify().damaged)
except CollectionCorruptError as error:
    print("named")
print(verified(sys.argv[1]).damaged)
report = Collection.repair(sys.argv[1])
print(report.images, report.reencoded, report.lost)
"""


def test_sectors_that_can_not_be_read_are_passed_over(index: Path, tmp_path: Path) -> None:
    size = (index / "catalog.sqlite").stat().st_size
    first = size - 2 * _PAGE + 5000  # of embeddings
    fault = f"unreadable {first} {first + 4096}"
    out = faulty_drive.run(tmp_path, fault, _ON_A_BAD_DISK, index).split()
    assert out[:2] in (["True", "True"], ["named", "True"])
    images, reencoded, lost = map(int, out[2:])
    assert (images + reencoded, lost) == (23, 0)
    assert 0 < reencoded < 8


def test_a_writer_is_waited_for_or_refused(index: Path) -> None:
    damage.zero(index / "catalog.sqlite", 0, _PAGE)
    with writer_lock(str(index)), pytest.raises(CollectionLockedError):
        Collection.repair(index)


_OPEN = """
import sys
from image_similarity_search import Collection
with Collection.open(sys.argv[1]) as collection:
    print(len(collection), flush=True)
    sys.stdin.readline()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows itself refuses to replace an open file")
def test_a_catalog_that_another_process_has_open_is_not_replaced(index: Path) -> None:
    """When that ends, SQLite would delete the log of the new one, which has the same name."""
    with subprocess.Popen(
        [sys.executable, "-c", _OPEN, str(index)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "23\n"
        damage.zero(index / "catalog.sqlite", 12 * _PAGE, 3 * _PAGE)
        damaged = (index / "catalog.sqlite").read_bytes()
        with pytest.raises(CollectionLockedError, match="another process is using"):
            Collection.repair(index)
        assert (index / "catalog.sqlite").read_bytes() == damaged
        process.communicate("\n")
    assert Collection.repair(index).kept_as


_REPAIR = """
import os, signal, sys
from image_similarity_search import Collection
left = int(sys.argv[2])

def mortal(event, arguments):
    global left
    if event in ("os.rename", "os.remove", "sqlite3.connect") or (
        event == "open" and "index" in str(arguments[0])
    ):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

import image_similarity_search.collection.repair
sys.addaudithook(mortal)
Collection.repair(sys.argv[1])
print("done")
"""


@pytest.mark.slow
@pytest.mark.unix
def test_a_killed_repair_loses_nothing(index: Path, copies: Iterator[Path]) -> None:
    """Killed before each step that it makes on the disk; then it is run again."""
    for steps, copy in zip(range(0, 1000, 2), copies, strict=False):
        damage.zero(copy / "catalog.sqlite", 0, 4 * _PAGE)
        done = subprocess.run(
            [sys.executable, "-c", _REPAIR, str(copy), str(steps)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != -signal.SIGKILL:
            assert done.stdout == "done\n", done.stderr
            break
        report = Collection.repair(copy)
        assert not report.kept_as or (report.images, report.lost) == (23, 0)
        assert len(records(copy)) == 23
        assert not verified(str(copy)).problems
        assert not list(copy.glob("*.tmp*"))
    assert steps > 10


@pytest.mark.parametrize(
    "change",
    [
        lambda index: shutil.copy(index.parent / "other" / "catalog.sqlite", index),
        lambda index: shutil.copy(index.parent / "other" / "faiss.index", index),
    ],
    ids=["catalog", "store"],
)
def test_another_collections_file_is_no_damage_of_the_catalog(
    index: Path, make_picture: MakePicture, change: Callable[[Path], object]
) -> None:
    picture = make_picture(index.parent / "two" / "picture 2.png", 2)
    with Collection.open(
        index.parent / "other", encoder=CountingEncoder(), create=True
    ) as collection:
        collection.add(picture)
    change(index)
    assert verified(str(index)).counts == {"catalog": 0, "store": 1, "files": 0, "notes": 0}
    assert Collection.repair(index) == RepairReport(store_rebuilt=True)
    assert not verified(str(index)).problems
