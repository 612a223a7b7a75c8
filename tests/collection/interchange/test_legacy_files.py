"""The files of the recipe are read as they are, and nothing else is taken for them."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe import write_files

from image_similarity_search.collection.interchange.legacy_files import (
    keep_aside,
    read_legacy,
    refuse_to_keep_twice,
)
from image_similarity_search.errors import ImportSourceError
from image_similarity_search.types import FloatArray

DIM = 8


def rows_of(count: int) -> FloatArray:
    return np.random.default_rng(count).standard_normal((count, DIM)).astype(np.float32)


def refused(folder: Path) -> str:
    with pytest.raises(ImportSourceError) as caught:
        read_legacy(str(folder))
    return str(caught.value)


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 3000])
@pytest.mark.parametrize(("kind", "metric"), [("IndexFlatL2", "l2"), ("IndexFlatIP", "ip")])
def test_what_faiss_wrote_is_read(tmp_path: Path, count: int, kind: str, metric: str) -> None:
    rows, paths = rows_of(count), [f"images/{n}.jpg" for n in range(count)]
    write_files(tmp_path, paths, rows, getattr(faiss, kind)(DIM))
    files = read_legacy(str(tmp_path))
    assert (files.paths, files.dim, files.metric) == (paths, DIM, metric)
    read = list(files.rows())
    assert np.array_equal(np.concatenate([np.empty((0, DIM)), *read]), rows)
    assert all(len(part) <= 1024 for part in read)


def test_a_flat_index_of_metric_l2_is_the_same(tmp_path: Path) -> None:
    write_files(tmp_path, ["a"], rows_of(1), faiss.IndexFlat(DIM, faiss.METRIC_L2))
    assert read_legacy(str(tmp_path)).metric == "l2"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_paths_are_read_as_they_were_written(tmp_path: Path, protocol: int) -> None:
    paths = ["images/a b.jpg", "images/new\nline.jpg", "caf\udce9.jpg", "würfel/猫.jpg", "a", "a"]
    write_files(tmp_path, paths, rows_of(6), protocol=protocol)
    assert read_legacy(str(tmp_path)).paths == paths


def _of_another_kind() -> dict[str, tuple[Any, str]]:
    return {
        "l1": (faiss.IndexFlat(DIM, faiss.METRIC_L1), "a flat index of another metric"),
        "ids": (faiss.index_factory(DIM, "SQ8"), "an IndexScalarQuantizer"),
        "normalised": (faiss.index_factory(DIM, "L2norm,Flat"), "an IndexPreTransform"),
    }


@pytest.mark.parametrize("kind", _of_another_kind())
def test_an_index_of_another_kind_is_named(tmp_path: Path, kind: str) -> None:
    index, name = _of_another_kind()[kind]
    if not index.is_trained:
        index.train(rows_of(100))
    write_files(tmp_path, ["a", "b"], rows_of(2), index)
    assert f"it is {name}; expected an IndexFlatL2 or IndexFlatIP" in refused(tmp_path)


def _that_keep_all() -> dict[str, Any]:
    ip = faiss.METRIC_INNER_PRODUCT
    return {
        "hnsw": faiss.IndexHNSWFlat(DIM, 8),
        "hnsw ip": faiss.IndexHNSWFlat(DIM, 8, ip),
        "ivf": faiss.index_factory(DIM, "IVF4,Flat"),
        "ivf ip": faiss.index_factory(DIM, "IVF4,Flat", ip),
        "ivf, most lists empty": faiss.index_factory(DIM, "IVF64,Flat"),
        "ids": faiss.IndexIDMap(faiss.IndexFlatL2(DIM)),
        "ids both ways": faiss.IndexIDMap2(faiss.IndexFlatIP(DIM)),
        "ids of a graph": faiss.IndexIDMap(faiss.IndexHNSWFlat(DIM, 8)),
        "ids of lists": faiss.IndexIDMap(faiss.index_factory(DIM, "IVF4,Flat")),
    }


@pytest.mark.parametrize("count", [0, 1, 1100])
@pytest.mark.parametrize("kind", _that_keep_all())
def test_an_index_that_keeps_all_in_full_is_read(tmp_path: Path, kind: str, count: int) -> None:
    index, rows, order = _that_keep_all()[kind], rows_of(count), np.arange(count)
    index.train(rows_of(200))
    if isinstance(index, faiss.IndexIDMap):
        order = np.random.default_rng(0).permutation(count)
        index.add_with_ids(rows[order], order)
    else:
        index.add(rows)
    write_files(tmp_path, [f"{n}" for n in range(count)], rows_of(0), index)
    files = read_legacy(str(tmp_path))
    is_ip = index.metric_type == faiss.METRIC_INNER_PRODUCT
    assert (files.dim, files.metric) == (DIM, "ip" if is_ip else "l2")
    read = np.concatenate([np.empty((0, DIM), np.float32), *files.rows()])
    assert np.array_equal(read, rows)
    whole = (tmp_path / "faiss.index").read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 9)):
        (tmp_path / "faiss.index").write_bytes(whole[:length])
        assert "faiss.index: " in refused(tmp_path)


def test_ids_that_are_no_positions_are_refused_with_a_way_on(tmp_path: Path) -> None:
    index = faiss.IndexIDMap(faiss.IndexFlatL2(DIM))
    index.add_with_ids(rows_of(3), np.array([1, 2, 3]))
    write_files(tmp_path, ["a", "b", "c"], rows_of(0), index)
    assert "import_embeddings" in refused(tmp_path)


def _damaged(change: Callable[[bytearray], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = bytearray((folder / "faiss.index").read_bytes())
        changed = change(data)
        (folder / "faiss.index").write_bytes(bytes(changed if isinstance(changed, bytes) else data))

    return damage


_DAMAGE = {
    "empty": _damaged(lambda data: b""),
    "cut in the header": _damaged(lambda data: bytes(data[:20])),
    "cut in the rows": _damaged(lambda data: bytes(data[:-1])),
    "longer": _damaged(lambda data: bytes(data) + b"x"),
    "text": _damaged(lambda data: b"no index at all, but a text that is long enough for one"),
    "dimension": _damaged(lambda data: data.__setitem__(slice(4, 8), struct.pack("<i", 4096))),
    "no dimension": _damaged(lambda data: data.__setitem__(slice(4, 8), bytes(4))),
    "count": _damaged(lambda data: data.__setitem__(slice(8, 16), struct.pack("<q", 10**15))),
    "negative": _damaged(lambda data: data.__setitem__(slice(8, 16), struct.pack("<q", -3))),
    "values": _damaged(lambda data: data.__setitem__(slice(37, 45), struct.pack("<Q", 2**63))),
    "metric": _damaged(lambda data: data.__setitem__(slice(33, 37), struct.pack("<i", 2))),
}


@pytest.mark.parametrize("damage", _DAMAGE.values(), ids=_DAMAGE)
def test_a_damaged_index_is_refused(damage: Callable[[Path], None], tmp_path: Path) -> None:
    write_files(tmp_path, ["a", "b", "c"], rows_of(3))
    damage(tmp_path)
    assert "faiss.index: " in refused(tmp_path)


@cache
def _three_of_each() -> list[bytes]:
    """Files of three rows, of each kind of index."""
    files = []
    for index in (faiss.IndexFlatL2(DIM), *_that_keep_all().values()):
        index.train(rows_of(200))
        ids = (np.arange(3),) if isinstance(index, faiss.IndexIDMap) else ()
        (index.add_with_ids if ids else index.add)(rows_of(3), *ids)
        files.append(faiss.serialize_index(index).tobytes())
    return files


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_header_never_does_harm(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("old")
    whole = bytearray(data.draw(st.sampled_from(_three_of_each())))
    write_files(folder, ["a", "b", "c"], rows_of(3))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, min(len(whole), 700) - 1))] = data.draw(st.integers(0, 255))
    (folder / "faiss.index").write_bytes(whole)
    try:
        files = read_legacy(str(folder))
    except ImportSourceError:
        return
    assert sum(len(part) for part in files.rows()) == 3


def test_other_counts_are_refused_with_both(tmp_path: Path) -> None:
    write_files(tmp_path, ["a", "b", "c"], rows_of(2))
    message = refused(tmp_path)
    assert "2 embeddings" in message
    assert "3 paths" in message


_NO_LISTS: dict[str, tuple[bytes, str]] = {
    "a call": (b"cos\nsystem\n(Vtouch executed\ntR.", "it would call os.system"),
    "objects": (pickle.dumps([Path("a")]), "nothing was run"),
    "a text": (pickle.dumps("a"), "a str; expected a list of text"),
    "lists": (pickle.dumps([["a"]]), "item 0 is a list; expected a list of text"),
    "bytes": (pickle.dumps([b"a"]), "item 0 is a bytes"),
    "an empty path": (pickle.dumps(["a", ""]), "item 1 is not a path"),
    "a NUL": (pickle.dumps(["a\0b"]), "item 0 is not a path"),
    "two": (pickle.dumps(["a"]) * 2, "more data after the list"),
    "text": (b"images/a.jpg\nimages/b.jpg\n", "expected a list of text"),
    "nothing": (b"", "damaged"),
}


@pytest.mark.parametrize(("data", "reason"), _NO_LISTS.values(), ids=_NO_LISTS)
def test_what_is_no_list_of_paths_is_refused(data: bytes, reason: str, tmp_path: Path) -> None:
    write_files(tmp_path, ["a"], rows_of(1))
    (tmp_path / "image_paths.pkl").write_bytes(data)
    message = refused(tmp_path)
    assert reason in message
    assert "image_paths.pkl: " in message


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "nowhere")
    assert "no faiss.index with image_paths.pkl" in refused(tmp_path)
    write_files(tmp_path, ["a"], rows_of(1))
    (tmp_path / "faiss.index").unlink()
    assert "no faiss.index" in refused(tmp_path)
    (tmp_path / "faiss.index").mkdir()
    assert "no faiss.index" in refused(tmp_path)


def test_files_that_were_kept_are_found_at_every_step(tmp_path: Path) -> None:
    write_files(tmp_path, ["a", "b"], rows_of(2))
    rows = next(read_legacy(str(tmp_path)).rows())
    (tmp_path / "faiss.index").rename(tmp_path / "faiss.index.legacy")  # and then it was killed
    assert read_legacy(str(tmp_path)).paths == ["a", "b"]
    refuse_to_keep_twice(read_legacy(str(tmp_path)))
    keep_aside(read_legacy(str(tmp_path)))
    assert sorted(os.listdir(tmp_path)) == ["faiss.index.legacy", "image_paths.pkl.legacy"]
    (tmp_path / "faiss.index").write_bytes(b"the store of the collection that was made of it")
    again = read_legacy(str(tmp_path))
    assert again.paths == ["a", "b"]
    assert np.array_equal(next(again.rows()), rows)


def test_files_that_can_not_all_be_renamed_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, ["a", "b"], rows_of(2))
    rename, calls = os.rename, iter([True, False])

    def fail_later(old: str, new: str) -> None:
        if not next(calls):
            raise OSError(28, "No space left on device")
        rename(old, new)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", fail_later)
        with pytest.raises(ImportSourceError, match="no space left"):
            keep_aside(read_legacy(str(tmp_path)))
    keep_aside(read_legacy(str(tmp_path)))
    assert read_legacy(str(tmp_path)).paths == ["a", "b"]


def test_what_was_kept_before_is_not_overwritten(tmp_path: Path) -> None:
    write_files(tmp_path, ["a"], rows_of(1))
    (tmp_path / "faiss.index.legacy").write_bytes(b"kept")
    with pytest.raises(ImportSourceError, match=r"faiss.index.legacy is there already"):
        refuse_to_keep_twice(read_legacy(str(tmp_path)))


def test_rows_that_are_cut_short_meanwhile_are_noticed(tmp_path: Path) -> None:
    write_files(tmp_path, [str(n) for n in range(3000)], rows_of(3000))
    rows = read_legacy(str(tmp_path)).rows()
    next(rows)
    os.truncate(tmp_path / "faiss.index", 50_000)
    with pytest.raises(ImportSourceError, match="can't be read"):
        list(rows)


@pytest.mark.parametrize("index_name", ["faiss.index", "index.faiss", "faiss_index.bin"])
@pytest.mark.parametrize("name", ["paths.pkl", "image_paths.npy", "names.json", "paths.txt"])
def test_files_of_other_names_are_found_where_there_is_one_of_each(
    tmp_path: Path, index_name: str, name: str
) -> None:
    paths, rows = ["images/a.jpg", "images/ü b.jpg"], rows_of(2)
    write_files(tmp_path, paths, rows)
    (tmp_path / "image_paths.pkl").rename(tmp_path / name)
    (tmp_path / "faiss.index").rename(tmp_path / index_name)
    if name.endswith(".npy"):
        np.save(tmp_path / name, np.array(paths))
    elif not name.endswith(".pkl"):
        text = json.dumps(paths) if name.endswith(".json") else "\n".join(paths)
        (tmp_path / name).write_text(text, encoding="utf-8")
    files = read_legacy(str(tmp_path))
    assert files.paths == paths
    assert np.array_equal(np.concatenate(list(files.rows())), rows)
    (tmp_path / "other.pkl").write_bytes(pickle.dumps(["x"]))
    message = refused(tmp_path)
    assert "other.pkl" in message
    assert index_name in message
    named = read_legacy(str(tmp_path), str(tmp_path / index_name), str(tmp_path / name))
    assert named.paths == paths
    assert read_legacy(str(tmp_path), paths_path=str(tmp_path / name)).paths == paths


def test_an_array_that_is_no_list_of_paths_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, ["a"], rows_of(1))
    (tmp_path / "image_paths.pkl").unlink()
    for array in (np.zeros(1), np.array([["a"]]), np.array([""])):
        np.save(tmp_path / "paths.npy", array)
        assert "paths.npy" in refused(tmp_path)
    np.save(tmp_path / "paths.npy", np.array(["a", None]), allow_pickle=True)
    assert "paths.npy" in refused(tmp_path)
