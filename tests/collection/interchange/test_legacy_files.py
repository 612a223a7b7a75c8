"""The files of the recipe are read as they are, and nothing else is taken for them."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable
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
    hnsw, ivf = faiss.IndexHNSWFlat(DIM, 8), faiss.index_factory(DIM, "IVF2,Flat")
    ivf.train(rows_of(100))
    return {
        "hnsw": (hnsw, "an IndexHNSWFlat"),
        "ivf": (ivf, "an IndexIVFFlat"),
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


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_header_never_does_harm(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("old")
    write_files(folder, ["a", "b", "c"], rows_of(3))
    whole = bytearray((folder / "faiss.index").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 44))] = data.draw(st.integers(0, 255))
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
    "a call": (b"cos\nsystem\n(Vtouch executed\ntR.", "GLOBAL 'os system'"),
    "objects": (pickle.dumps([Path("a")]), "something else than plain data"),
    "a text": (pickle.dumps("a"), "a str; expected a list of text"),
    "lists": (pickle.dumps([["a"]]), "item 0 is a list; expected a list of text"),
    "bytes": (pickle.dumps([b"a"]), "something else than plain data"),
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
    assert "no image_paths.pkl" in refused(tmp_path)
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
        with pytest.raises(ImportSourceError, match="No space left"):
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
