from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.stores import FaissStore, index_file
from image_similarity_search.stores.faiss_library import faiss_library
from image_similarity_search.types import FloatArray, Metric, Moment

_ASKED: dict[str, Any] = {"dim": 6, "metric": "cosine", "kind": "auto", "identity": "a1"}


def _rows(count: int) -> FloatArray:
    rows = np.random.default_rng(1).normal(size=(count, 6)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _store(count: int = 3, metric: Metric = "cosine", flat_limit: int = 100) -> FaissStore:
    store = FaissStore(6, metric, flat_limit=flat_limit)
    store.upsert(np.arange(count, dtype=np.int64) + 7, _rows(count))
    store.moment = Moment(42, 7)
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "faiss.index"
    index_file.save(_store(), path, "a1")
    return path


def _fails(path: Path, reason: str, **others: Any) -> None:
    with pytest.raises(StoreUnavailableError, match=reason) as caught:
        index_file.load(path, **(_ASKED | others))
    assert str(path) in str(caught.value)


def _forge(path: Path, index: bytes, **others: Any) -> None:
    """Write a file whose checksums are right, with ``others`` in its trailer."""
    old = path.read_bytes()
    length = struct.unpack("<I", old[-16:-12])[0]
    trailer = json.loads(old[-16 - length : -16])
    trailer.update({"bytes": len(index), "crc32": zlib.crc32(index)} | others)
    text = json.dumps(trailer).encode()
    path.write_bytes(index + text + struct.pack("<II", len(text), zlib.crc32(text)) + old[-8:])


@pytest.mark.parametrize("metric", ["cosine", "l2", "l1", "ip"])
@pytest.mark.parametrize(("count", "flat_limit"), [(0, 100), (50, 100), (50, 10), (900, 10)])
def test_what_was_saved_is_loaded(
    tmp_path: Path, metric: Metric, count: int, flat_limit: int
) -> None:
    path = tmp_path / "Bilder-ü-画像 %s.index"
    store = _store(count, metric, flat_limit)
    store.delete(np.arange(3, dtype=np.int64) + 7)  # buried, in the file too
    index_file.save(store, path, "a1")
    loaded = index_file.load(path, **(_ASKED | {"metric": metric}), flat_limit=flat_limit)
    assert loaded.moment == (42, 7)
    assert len(loaded) == len(store) == max(0, count - 3)
    assert loaded.describe() == store.describe()

    more = np.arange(4, dtype=np.int64) + 8  # partly there; goes on where it was
    for one in (store, loaded):
        one.upsert(more, _rows(4))
    expected = store.search(_rows(9), 20)
    for ours, theirs in zip(expected, loaded.search(_rows(9), 20), strict=True):
        assert ours.tolist() == theirs.tolist()


@pytest.mark.parametrize(
    "kind",
    ["hnsw", "HNSW8_SQ8", "ivf", "IVF4,Flat", "IVF4,PQ3x4", "SQ8", "PCA4,Flat", "IVF4,RaBitQfs"],
)
@pytest.mark.parametrize("trained", [True, False])
def test_every_kind_is_loaded(tmp_path: Path, kind: str, trained: bool) -> None:
    path = tmp_path / "faiss.index"
    store = FaissStore(6, "cosine", kind)
    if trained and store.training_needed:
        store.train(_rows(3000), 3000)
    store.upsert(np.arange(50, dtype=np.int64) + 7, _rows(50))
    store.delete(np.arange(3, dtype=np.int64) + 7)
    index_file.save(store, path, "a1")
    loaded = index_file.load(path, **(_ASKED | {"kind": kind}))
    assert (len(loaded), loaded.trained_for) == (47, store.trained_for)
    assert loaded.describe() == store.describe()
    for one in (store, loaded):
        one.upsert(np.arange(4, dtype=np.int64) + 8, _rows(4))
    for ours, theirs in zip(store.search(_rows(9), 20), loaded.search(_rows(9), 20), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_an_index_of_another_kind_is_not_believed(path: Path) -> None:
    faiss = faiss_library()
    graph = faiss.IndexIDMap(faiss.IndexHNSWFlat(6, 8, faiss.METRIC_INNER_PRODUCT))
    _forge(path, _written(graph), kind="ivf")
    _fails(path, "HNSWFlat is not of kind ivf", kind="ivf")


@pytest.mark.parametrize("flat_limit", [1, 100])
def test_faiss_itself_opens_the_file(tmp_path: Path, flat_limit: int) -> None:
    index_file.save(_store(50, "cosine", flat_limit), tmp_path / "faiss.index", "a1")
    index = faiss_library().read_index(str(tmp_path / "faiss.index"))
    assert index.ntotal == 50
    assert index.search(_rows(3)[2:], 1)[1].tolist() == [[9]]


def test_a_missing_file(tmp_path: Path) -> None:
    _fails(tmp_path / "faiss.index", "no such file")
    _fails(tmp_path, "directory|denied")


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"identity": "b2"}, "identity is 'a1', not 'b2'"),
        ({"dim": 7}, "dim is 6, not 7"),
        ({"metric": "ip"}, "metric is 'cosine', not 'ip'"),
        ({"kind": "exact"}, "kind is 'auto', not 'exact'"),
    ],
)
def test_another_store_s_file(path: Path, others: dict[str, Any], reason: str) -> None:
    _fails(path, reason, **others)


def test_every_flipped_bit_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        _fails(path, "damaged|its end is not")


def test_every_truncation_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        _fails(path, "cut short|its end is not")


def test_other_damage(path: Path) -> None:
    whole = path.read_bytes()
    for damaged, reason in [
        (bytes(len(whole)), "its end is not"),
        (bytes(100) + whole[100:], "index is damaged"),
        (whole[:-100] + bytes(100), "its end is not"),
        (whole + b"\n", "its end is not"),
        (whole + whole, "bytes of index"),
        (b"x" + whole, "bytes of index"),
        (whole[1:], "bytes of index"),
        (whole[-16:], "trailer is damaged"),
        (b"", "cut short"),
    ]:
        path.write_bytes(damaged)
        _fails(path, reason)


def _written(index: Any) -> bytes:
    return bytes(faiss_library().serialize_index(index))


def test_an_index_that_is_not_what_the_trailer_says(path: Path) -> None:
    faiss = faiss_library()
    cosine, l2 = faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2
    for index, reason in [
        (b"not FAISS at all", "FAISS can't read it"),
        (b"", "FAISS can't read it"),
        (_written(faiss.IndexFlat(6, cosine)), "does not store ids"),
        (_written(faiss.IndexIDMap(faiss.IndexHNSWFlat(6, 8, cosine))), "not of kind auto"),
        (_written(faiss.IndexIDMap(faiss.IndexFlat(5, cosine))), "dimension 5, not 6"),
        (_written(faiss.IndexIDMap(faiss.IndexFlat(6, l2))), "does not use the metric cosine"),
        (_written(faiss.IndexIDMap(faiss.IndexFlat(6, cosine))), "0 vectors, not 3"),
    ]:
        _forge(path, index)
        _fails(path, reason)


def test_a_one_bit_index_is_not_exact(path: Path) -> None:
    _forge(path, _written(_store(5, flat_limit=1).index), kind="exact")
    _fails(path, "not of kind exact", kind="exact")


def test_ids_and_vectors_of_unlike_number() -> None:
    store = _store()
    two = np.array([1, 2], dtype=np.int64)
    faiss_library().copy_array_to_vector(two, store.index.id_map)
    with pytest.raises(StoreUnavailableError, match="2 ids for 3 vectors"):
        FaissStore(6, "cosine").adopt(store.index)


def test_a_newer_format(path: Path) -> None:
    _forge(path, b"", format=2)
    _fails(path, "format is 2, not 1")


def test_saving_replaces_the_file_and_leaves_nothing_else(path: Path) -> None:
    leftover = path.with_name("faiss.index.tmp")
    leftover.write_bytes(b"of a killed process")
    index_file.save(_store(5), path, "a1")
    assert len(index_file.load(path, **_ASKED)) == 5
    assert os.listdir(path.parent) == ["faiss.index"]


def test_a_failed_save_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreUnavailableError, match="no space left"):
        index_file.save(_store(5), path, "a1")
    assert len(index_file.load(path, **_ASKED)) == 3
    assert os.listdir(path.parent) == ["faiss.index"]


def test_a_disk_that_fills_up_while_faiss_writes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_file._Summed, "write", full)
    with pytest.raises(StoreUnavailableError, match="no space left"):
        index_file.save(_store(5), path, "a1")
    assert len(index_file.load(path, **_ASKED)) == 3


def test_saving_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="can't be written"):
        index_file.save(_store(), tmp_path / "missing" / "faiss.index", "a1")
