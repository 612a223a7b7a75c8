"""Embeddings of anybody's become a collection, with a list of what they are of."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CountingEncoder
from recipe import embeddings_of

from image_similarity_search import Collection, EncoderSpec, import_embeddings
from image_similarity_search.errors import (
    CollectionExistsError,
    CollectionMismatchError,
    ConfigError,
    EncoderNotHereError,
    ImportSourceError,
    UnknownEncoderError,
)
from image_similarity_search.types import FloatArray, PixelArray, Progress

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


class OfMyOwn(CountingEncoder):
    """An encoder with no name here, which sees as ``colour-texture`` does."""

    name = "of-my-own"
    fingerprint = "of-my-own;1"


class Reversed(OfMyOwn):
    """Another one of the same dimension."""

    name = fingerprint = "reversed"

    def encode(self, pixels: PixelArray) -> FloatArray:
        return super().encode(pixels)[:, ::-1]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with ``photos/``, and in ``out/`` an array of its embeddings, and a list."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    np.save("out/e.npy", rows())
    Path("out/paths.txt").write_text("".join(f"../{name}\n" for name in names()))
    return tmp_path


def names() -> list[str]:
    return sorted(str(path) for path in Path("photos").rglob("*.*"))


def rows() -> FloatArray:
    return embeddings_of(names(), OfMyOwn())


def found(index_dir: str = "made") -> list[tuple[int, str]]:
    """The ids of a collection and where its images are, below the working folder."""
    with Collection.open(index_dir) as collection:
        return [(image.id, os.path.relpath(image.path)) for image in collection]


def test_it_is_searched_by_its_images_without_an_encoder(photos: Path) -> None:
    told: list[Progress] = []
    report = import_embeddings("out/e.npy", "made", paths="out/paths.txt", progress=told.append)
    assert (report.taken_over, report.missing, report.to_encode, report.not_finite) == (12, 0, 0, 0)
    assert told[-1] == Progress("importing", 12, 12)
    assert found() == list(enumerate(names(), 1))
    unit = rows() / np.linalg.norm(rows(), axis=1, keepdims=True)
    with Collection.open("made") as collection:
        info = collection.info()
        assert (info.encoder, info.fingerprint, info.dim) == ("unknown", "", 1152)
        assert (info.metric, info.text) == ("cosine", False)
        for row in range(12):
            nearest = [at + 1 for at in np.argsort(-unit @ unit[row]) if at != row]
            assert [hit.id for hit in collection.search(row + 1, k=3)] == nearest[:3]
        collection.clusters()
        assert collection.verify(files=True).problems == []
        for refused in (
            lambda: collection.search(names()[0]),
            lambda: collection.add(names()[0]),
        ):
            with pytest.raises(EncoderNotHereError, match=r"without naming .*--model NAME.*--id"):
                refused()
        assert collection.sync(photos).unchanged == 12  # which needs no encoder
        assert len(collection) == 12


def test_the_encoder_may_be_handed_over_later_and_is_compared(photos: Path) -> None:
    import_embeddings("out/e.npy", "made", paths="out/paths.txt")
    with (
        Collection.open("made", encoder=Reversed()) as collection,
        pytest.raises(CollectionMismatchError, match="another one"),
    ):
        collection.sync(photos)
    encoder = OfMyOwn()
    with Collection.open("made", encoder=encoder) as collection:
        assert collection.search(names()[2], k=1)[0].id == 3
        encoder.count = 0
        assert collection.sync(photos).unchanged == 12
        assert encoder.count == 0
        assert collection.info().fingerprint == "of-my-own;1"
    with pytest.raises(CollectionMismatchError, match="reversed"):
        Collection.open("made", encoder=Reversed())


def test_a_model_that_is_named_is_the_collections_own() -> None:
    import_embeddings("out/e.npy", "made", paths="out/paths.txt", model="colour-texture")
    with Collection.open("made") as collection:
        assert collection.search(names()[0], k=1)[0].score > 0.99
        assert collection.info().fingerprint


def test_arrays_and_lists_in_memory_are_taken_too() -> None:
    paths = [Path(name) for name in names()]
    for dtype in ("float16", "float64", ">f4"):
        report = import_embeddings(
            np.asfortranarray(rows(), dtype=dtype), dtype, paths=paths, metric="l2"
        )
        assert (report.taken_over, report.missing, report.metric) == (12, 0, "l2")
    assert found(">f4") == list(enumerate(names(), 1))


def _write_json(paths: list[str]) -> str:
    Path("list.json").write_text(json.dumps(paths))
    return "list.json"


def _write_csv(paths: list[str]) -> str:
    lines = [f'"a, b",{path}\r\n' for path in paths]
    Path("list.csv").write_text("\ufefflabel,path\r\n" + "".join(lines), newline="")
    return "list.csv"


def _write_csv_of_a_spreadsheet(paths: list[str]) -> str:
    lines = [f"x;{path}\r\n" for path in paths]
    Path("list.csv").write_text("\ufefflabel;filepath\r\n" + "".join(lines), newline="")
    return "list.csv"


def _write_bare_csv(paths: list[str]) -> str:
    Path("list.csv").write_text("".join(f'"{path}"\n' for path in paths))
    return "list.csv"


def _write_parquet(paths: list[str]) -> str:
    parquet.write_table(pa.table({"path": paths, "label": ["x"] * len(paths)}), "list.parquet")
    return "list.parquet"


def _write_as_windows(paths: list[str]) -> str:
    Path("list").write_text("\ufeff" + "\r\n".join(paths) + "\r\n", newline="")
    return "list"


def _write_by_hand(paths: list[str]) -> str:
    Path("list").write_text("\r\n".join(paths[:-1]) + "\n" + paths[-1], newline="")
    return "list"


LISTS = (
    _write_json,
    _write_csv,
    _write_csv_of_a_spreadsheet,
    _write_bare_csv,
    _write_parquet,
    _write_as_windows,
    _write_by_hand,
)


@pytest.mark.parametrize("write", LISTS)
def test_paths_are_listed_in_files_of_many_kinds(write: Callable[[list[str]], str]) -> None:
    import_embeddings("out/e.npy", "made", paths=write(names()))
    assert found() == list(enumerate(names(), 1))


@pytest.mark.parametrize(
    "column",
    [
        lambda array: pa.array(list(array)),
        lambda array: pa.array(list(array.astype(np.float16)), pa.large_list(pa.float16())),
        lambda array: pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1]),
    ],
)
def test_a_parquet_file_has_both(column: Callable[[FloatArray], Any]) -> None:
    table = pa.table({"path": names(), "embedding": column(rows()), "n": list(range(12))})
    parquet.write_table(table, "e.parquet", row_group_size=5)
    assert import_embeddings("e.parquet", "made").missing == 0
    assert found() == list(enumerate(names(), 1))
    with Collection.open("made", encoder=OfMyOwn()) as collection:
        assert collection.search(names()[4], k=1)[0].id == 5


def test_relative_paths_start_from_the_list_unless_it_is_said() -> None:
    report = import_embeddings("out/e.npy", "a", paths="out/paths.txt", relative_to=".")
    assert report.missing == 12
    Path("out/paths.txt").write_text("\n".join(names()))
    assert import_embeddings("out/e.npy", "b", paths="out/paths.txt").missing == 12
    report = import_embeddings("out/e.npy", "c", paths="out/paths.txt", relative_to=".")
    assert report.missing == 0


def test_what_is_no_embedding_is_left_out_and_zeros_are_encoded_later(
    photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    array = rows()
    array[3, 7], array[4, 0], array[5] = np.nan, np.inf, 0
    report = import_embeddings(array, "made", paths=names())
    assert (report.taken_over, report.not_finite, report.to_encode) == (10, 2, 1)
    assert f"row 3 has no finite embedding: {photos.parent / names()[3]}" in caplog.text
    with Collection.open("made", encoder=OfMyOwn()) as collection:
        synced = collection.sync(photos)
        assert (synced.unchanged, synced.updated, synced.indexed) == (9, 1, 2)


def test_pictures_that_are_missing_are_kept(photos: Path) -> None:
    (photos / "picture 0.jpg").unlink()
    (photos / "picture 4.png").write_bytes(b"no picture")
    Path("list.txt").write_text("\n".join([*names(), "photos/picture 0.jpg"]))
    report = import_embeddings("out/e.npy", "made", paths="list.txt")
    assert (report.taken_over, report.missing) == (12, 2)


def test_objects_in_storage_are_not_looked_at() -> None:
    paths = ["s3://Bucket/a.jpg/", *names()[1:]]
    report = import_embeddings("out/e.npy", "made", paths=paths)
    assert (report.missing, report.to_encode) == (0, 1)
    with Collection.open("made") as collection:
        assert collection.get(1).path == "s3://Bucket/a.jpg"
    with pytest.raises(ImportSourceError, match=r"http://…"):
        import_embeddings("out/e.npy", "other", paths=["http://a/b.jpg", *names()[1:]])


def test_many_rows_come_in_blocks() -> None:
    array = np.random.default_rng(0).random((2500, 8), dtype=np.float32)
    import_embeddings(array, "made", paths=[f"x/{row}" for row in range(len(array))])
    parquet.write_table(
        pa.table({"path": [f"x/{row}" for row in range(2500)], "embedding": list(array)}),
        "e.parquet",
    )
    import_embeddings("e.parquet", "other")
    for index_dir in ("made", "other"):
        with Collection.open(index_dir) as collection:
            assert len(collection) == 2500
            best = np.argsort(-(array / np.linalg.norm(array, axis=1)[:, None]) @ array[2400])
            assert collection.search(2401, k=1)[0].id == next(at for at in best if at != 2400) + 1


def _array(array: Any) -> Callable[[], object]:
    return lambda: np.save("out/e.npy", array)


def _list(change: Callable[[list[str]], list[str]]) -> Callable[[], object]:
    return lambda: Path("out/paths.txt").write_text("\n".join(change([f"../{n}" for n in names()])))


_WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "one path less": (_list(lambda paths: paths[1:]), r"11 paths, and 12 embeddings in out/e.npy"),
    "one twice": (_list(lambda paths: [*paths[:-1], paths[2]]), "rows 2 and 11 are both of "),
    "one twice by other words": (
        _list(lambda paths: [*paths[:-1], "../photos/../" + paths[2][3:]]),
        "rows 2 and 11 are both of ",
    ),
    "an empty line": (_list(lambda paths: ["", *paths[1:]]), "item 0 is not a path: ''"),
    "no list": (lambda: os.remove("out/paths.txt"), "paths.txt: no such file"),
    "no array": (lambda: os.remove("out/e.npy"), "e.npy: no such file"),
    "whole numbers": (_array(np.ones((12, 4), dtype=np.int64)), r"int64 of shape \(12, 4\)"),
    "one dimension": (_array(np.ones(12, dtype=np.float32)), r"of shape \(12,\)"),
    "no dimension": (_array(np.ones((12, 0), dtype=np.float32)), r"of shape \(12, 0\)"),
    "objects": (_array(np.array([["a"]], dtype=object)), "array can't be read"),
    "by columns": (lambda: np.save("out/e.npy", np.asfortranarray(rows())), "ascontiguousarray"),
    "text": (lambda: Path("out/e.npy").write_text("1 2 3"), "array can't be read"),
    "cut short": (lambda: os.truncate("out/e.npy", 1000), "array can't be read"),
}


@pytest.mark.parametrize(("damage", "reason"), _WRONG.values(), ids=_WRONG)
def test_what_does_not_fit_is_refused_and_nothing_is_made(
    damage: Callable[[], object], reason: str
) -> None:
    damage()
    with pytest.raises(ImportSourceError, match=reason):
        import_embeddings("out/e.npy", "made", paths="out/paths.txt")
    assert not os.path.exists("made")


@pytest.mark.parametrize("name", ["e.npy", "e.parquet"])
def test_what_goes_wrong_in_the_middle_leaves_nothing(name: str) -> None:
    array = np.ones((2500, 64), dtype=np.float32)
    paths = [f"x/{row}" for row in range(len(array))]
    np.save("e.npy", array)
    parquet.write_table(
        pa.table({"path": paths, "embedding": list(array)}), "e.parquet", row_group_size=100
    )

    def cut(progress: Progress) -> None:
        if progress.done == 1:
            os.truncate(name, os.path.getsize(name) // 3)

    listed = None if name == "e.parquet" else paths
    with pytest.raises(ImportSourceError, match=name):
        import_embeddings(name, "made", paths=listed, progress=cut)
    assert not os.path.exists("made")


_TABLES: dict[str, tuple[Callable[[FloatArray], dict[str, Any]], str]] = {
    "no embeddings": (lambda _: {"path": names()}, "has no such lists"),
    "two": (
        lambda a: {"path": names(), "a": list(a), "b": list(a)},
        "columns of number lists: a, b",
    ),
    "no path": (lambda a: {"embedding": list(a)}, "which column has the paths"),
    "of many lengths": (
        lambda a: {"path": names(), "embedding": [*a[:7], a[7][:4], *a[8:]]},
        "row 7 does not have 1,152",
    ),
    "with a gap": (
        lambda a: {"path": names(), "embedding": [*a[:7], None, *a[8:]]},
        "row 7 does not have 1,152",
    ),
    "nothing": (
        lambda _: {"path": names(), "embedding": pa.array([[]] * 12, pa.list_(pa.float32()))},
        "has no embedding",
    ),
}


@pytest.mark.parametrize(("table", "reason"), _TABLES.values(), ids=_TABLES)
def test_a_table_of_another_form_is_refused(
    table: Callable[[FloatArray], dict[str, Any]], reason: str
) -> None:
    parquet.write_table(pa.table(table(rows())), "e.parquet")
    with pytest.raises(ImportSourceError, match=reason):
        import_embeddings("e.parquet", "made")
    assert not os.path.exists("made")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("list.json", b"{}", "expected a list of paths"),
        ("list.json", b"[1]", "item 0 is not a path: 1"),
        ("list.json", b"[", "not JSON"),
        ("list.csv", b"", "which column has the paths"),
        ("list.csv", b"a,b\n1,2\n", "columns of text: a, b"),
        ("list.csv", b"path,b\n1\n", "row 0 has 1 values, not 2"),
        ("list.txt", b"a\0b", "item 0 is not a path"),
        ("list.parquet", b"PAR1", "a damaged Parquet file"),
    ],
)
def test_what_is_no_list_of_paths_is_refused(name: str, data: bytes, reason: str) -> None:
    Path(name).write_bytes(data)
    with pytest.raises(ImportSourceError, match=reason):
        import_embeddings("out/e.npy", "made", paths=name)


def test_a_model_that_can_not_have_made_them_is_refused() -> None:
    def made(model: Any) -> object:
        return import_embeddings("out/e.npy", "made", paths="out/paths.txt", model=model)

    with pytest.raises(
        ImportSourceError, match=r"1,152 values, those of .* 1,280: .*colour-texture"
    ):
        made("efficientnet-lite0")
    with pytest.raises(UnknownEncoderError, match="colour-texture"):
        made("colour")
    with pytest.raises(ConfigError, match="--model NAME"):
        made(EncoderSpec(crop=100))
    assert not os.path.exists("made")


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="paths is None"):
        import_embeddings("out/e.npy", "made")
    with pytest.raises(ConfigError, match="has a column of them"):
        import_embeddings("e.parquet", "made", paths="out/paths.txt")
    with pytest.raises(ConfigError, match=r"ends in \.npy"):
        import_embeddings("e.npz", "made", paths="out/paths.txt")
    with pytest.raises(ConfigError, match="metric"):
        import_embeddings("out/e.npy", "made", paths="out/paths.txt", metric="l3")  # type: ignore[arg-type]
    import_embeddings("out/e.npy", "made", paths="out/paths.txt")
    with pytest.raises(CollectionExistsError):
        import_embeddings("out/e.npy", "made", paths="out/paths.txt")
