"""What a collection holds can leave, and comes back to the bit."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from conftest import CountingEncoder, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from image_similarity_search import (
    Collection,
    export_collection,
    import_collection,
    read_export,
)
from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.new_catalog import NewCatalog
from image_similarity_search.catalog.values import Identity, ImageBatch
from image_similarity_search.collection.interchange import exporting, npy_files, parquet_file
from image_similarity_search.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    ConfigError,
    ExportError,
    ImportSourceError,
)
from image_similarity_search.types import METRICS, ImageRecord, Progress

FORMATS = ["x.parquet", "x.npy", "x.json"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> Path:
    """A folder with twelve photos and a bad file, and their collection, whose ids have gaps.

    It was made in a folder ``work`` beside this one.
    """
    work = tmp_path_factory.mktemp("export") / "work"
    shutil.copytree(drawn / "photos", work / "photos")
    with contextlib.chdir(work):
        make("index_data")
    return work.rename(work.parent / "made")


@pytest.fixture(autouse=True)
def place(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder of the test's own, as it was made, at the same path."""
    work = shutil.copytree(made, made.parent / "work")
    monkeypatch.chdir(work)
    yield work
    shutil.rmtree(work)


def make(index_dir: str) -> None:
    Path("photos/bad.jpg").write_bytes(b"no picture")
    draw(50).save("single.png")
    with Collection.open(
        index_dir, encoder=CountingEncoder(), metric="l2", index="exact", create=True
    ) as collection:
        collection.add("photos/picture 0.jpg", "photos/holiday/picture 1.png")
        collection.remove(1)
        collection.sync("photos")
        collection.add("single.png")


def content(index_dir: str) -> tuple[Any, ...]:
    """All that a collection holds of its indexed images."""
    with closing(Catalog(os.path.realpath(index_dir))) as catalog:
        ids = catalog.indexed_ids()
        found = catalog.embeddings.of(ids)
        order = np.argsort(found.ids)
        return (
            list(catalog.all_records()),
            found.units[order].tobytes(),
            found.norms[order].tobytes(),
            replace(catalog.identity, id=""),
            sorted(catalog.places.roots().values()),
        )


@pytest.mark.parametrize("target", FORMATS)
def test_it_comes_back_to_the_bit(target: str) -> None:
    assert export_collection("index_data", target) == 13
    assert import_collection(target, "new") == 13
    assert content("new") == content("index_data")
    encoder = CountingEncoder()
    with (
        Collection.open("index_data", encoder=encoder) as old,
        Collection.open("new", encoder=encoder) as new,
    ):
        assert new.info().index == "exact"
        for query in (4, "photos/holiday/picture 1.png", draw(7)):
            assert new.search(query, k=20) == old.search(query, k=20)
        encoder.count = 0
        report = new.sync("photos")
        assert (report.unchanged, report.indexed, report.skipped) == (12, 0, 1)
        assert encoder.count == 0
        (record,) = new.add("single.png")
        assert encoder.count == 0
        assert record == old.get("single.png")


@pytest.mark.parametrize("target", FORMATS)
def test_it_can_be_read_as_arrays(target: str) -> None:
    export_collection("index_data", target)
    export = read_export(target)
    with Collection.open("index_data", encoder=CountingEncoder()) as collection:
        assert export.records == list(collection)
        assert export.ids.tolist() == [record.id for record in collection]
        info = collection.info()
        assert (export.encoder, export.fingerprint, export.dim, export.metric, export.index) == (
            info.encoder,
            info.fingerprint,
            info.dim,
            info.metric,
            info.index,
        )
        assert export.roots == info.roots
        embeddings = collection.embed([record.path for record in export.records])
    assert export.embeddings.dtype == np.float32
    assert np.allclose(export.embeddings, embeddings, atol=1e-3)
    assert np.allclose(export.norms, np.linalg.norm(embeddings, axis=1), rtol=1e-6)


def test_programs_that_know_nothing_of_this_one_read_it() -> None:
    export_collection("index_data", "x.npy")
    array, document = np.load("x.npy"), json.loads(Path("x.json").read_text())
    assert array.shape == (13, 1152)
    assert len(document["images"]) == document["count"] == 13
    assert document["collection"]["metric"] == "l2"
    assert document["images"][0]["path"] == read_export("x.npy").records[0].path
    export_collection("index_data", "x.parquet")
    table = parquet.read_table("x.parquet")
    assert table.num_rows == 13
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), 1152)
    rows = np.asarray(table["embedding"].combine_chunks().flatten()).reshape(13, 1152)
    assert np.array_equal(rows, array)
    assert table["path"].to_pylist() == [image["path"] for image in document["images"]]


@pytest.mark.parametrize("target", FORMATS)
def test_an_empty_collection_can_leave_too(target: str) -> None:
    with Collection.open("empty", encoder="colour-texture", create=True) as collection:
        assert export_collection("empty", target) == 0
        assert read_export(target).embeddings.shape == (0, 1152)
        assert import_collection(target, "new") == 0
        assert len(collection) == 0
    assert content("new") == content("empty")


@pytest.mark.parametrize("target", ["x.parquet", "x.npy"])
def test_names_are_kept_byte_for_byte(target: str) -> None:
    names = ["caf\udce9.png", "new\nline.png", "würfel 猫.png", "\\.png", '"quoted".png']
    os.mkdir("odd")
    try:
        for seed, name in enumerate(names):
            draw(seed).save("plain.png")
            os.rename("plain.png", os.path.join("odd", name))
    except (OSError, UnicodeError):
        pytest.skip("this system has no such names")
    with Collection.open("names", encoder="colour-texture", create=True) as collection:
        collection.sync("odd")
    export_collection("names", target)
    found = {os.path.basename(record.path) for record in read_export(target).records}
    assert found == set(names)
    import_collection(target, "new")
    assert content("new") == content("names")
    if target == "x.parquet":
        shown = {os.path.basename(path) for path in parquet.read_table(target)["path"].to_pylist()}
        assert shown == {*names[1:], "caf\\xe9.png"}


@pytest.mark.parametrize("target", ["x.parquet", "x.npy"])
def test_what_was_taken_over_and_not_compared_yet_stays_so(target: str) -> None:
    record = ImageRecord(
        5, "/gone/a.jpg", 0, 0, None, None, None, "indexed", None, {"a": [1, "\udce9"]}
    )
    build(
        "taken", Identity("resnet50", "", 4, "ip", "hnsw"), [record], np.eye(1, 4, dtype="f2"), [2]
    )
    export_collection("taken", target)
    import_collection(target, "new")
    assert content("new") == content("taken")


def build(
    folder: str, identity: Identity, records: Sequence[ImageRecord], units: Any, norms: Any
) -> None:
    os.mkdir(folder)
    with NewCatalog.begun(os.path.realpath(folder), identity) as new:
        new.put_rows(ImageBatch(records, units, np.asarray(norms, dtype=np.float32)))
        new.put_in_place()


_TEXT = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1)
_NAMES = st.one_of(_TEXT, st.binary(min_size=1).map(os.fsdecode)).filter(
    lambda name: "/" not in name and "\0" not in name and name not in (".", "..")
)
_INTEGERS = st.integers(0, 2**63 - 1)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_anything_that_a_catalog_may_hold_comes_back(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    dim = data.draw(st.integers(1, 5))
    identity = Identity(
        data.draw(_TEXT), data.draw(st.text()), dim, data.draw(st.sampled_from(METRICS)), "auto"
    )
    names = data.draw(st.lists(_NAMES, max_size=6, unique=True))
    ids = data.draw(
        st.lists(st.integers(1, 2**62), min_size=len(names), max_size=len(names), unique=True)
    )
    records = [
        ImageRecord(
            id_,
            f"/root/{name}",
            data.draw(_INTEGERS),
            data.draw(st.integers(-(2**62), 2**62)),
            data.draw(st.none() | st.binary(min_size=16, max_size=16).map(bytes.hex)),
            data.draw(st.none() | st.integers(1, 2**31)),
            data.draw(st.none() | st.integers(1, 2**31)),
            "indexed",
            None,
            data.draw(st.dictionaries(st.text(), st.none() | st.integers() | st.text())),
        )
        for id_, name in zip(sorted(ids), names, strict=True)
    ]
    half = st.floats(-1, 1, width=16)
    units = np.array(
        [data.draw(st.lists(half, min_size=dim, max_size=dim)) for _ in names], dtype=np.float16
    ).reshape(-1, dim)
    norms = [data.draw(st.floats(2**-60, 2**100, width=32)) for _ in names]
    folder = tmp_path_factory.mktemp("hypothesis")
    old = str(folder / "old")
    build(old, identity, records, units, norms)
    for target in (str(folder / "x.parquet"), str(folder / "x.npy")):
        export_collection(old, target)
        import_collection(target, target + ".index")
        assert content(target + ".index") == content(old)


def test_many_images_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (exporting, npy_files, parquet_file):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 40)
    rng = np.random.default_rng(0)
    records = [ImageRecord(n, f"/p/{n}", n, n, None, 1, 1, "indexed") for n in range(1, 86)]
    units = rng.standard_normal((85, 4)).astype(np.float16)
    build("many", Identity("e", "f", 4, "cosine", "auto"), records, units, rng.random(85))
    expected = content("many")
    for target in ("x.parquet", "x.npy"):
        steps: list[Progress] = []
        export_collection("many", target, progress=steps.append)
        import_collection(target, f"{target}.index", progress=steps.append)
        assert [(step.phase, step.done, step.total) for step in steps] == [
            (phase, done, 85) for phase in ("exporting", "importing") for done in (40, 80, 85)
        ]
        assert content(f"{target}.index") == expected
    assert parquet.ParquetFile("x.parquet").num_row_groups == 3


def test_an_export_is_of_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(step: Progress) -> None:
        if step.done == 5:
            with Collection.open("index_data") as collection:
                collection.remove(2, 9)

    monkeypatch.setattr(exporting, "ROWS_AT_ONCE", 5)

    before = content("index_data")
    assert export_collection("index_data", "x.npy", progress=once) == 13
    import_collection("x.npy", "new")
    assert content("new") == before
    assert len(content("index_data")[0]) == 11


# Where it goes


@pytest.mark.parametrize(("target", "files"), [("x.parquet", 1), ("x.npy", 2), ("x.json", 2)])
def test_what_is_there_is_not_overwritten_unless_it_is_said(target: str, files: int) -> None:
    export_collection("index_data", target)
    names = sorted(name for name in os.listdir() if name.startswith("x."))
    assert len(names) == files
    for name in names:
        for other in names:
            os.remove(other)
        Path(name).write_bytes(b"precious")
        with pytest.raises(ExportError, match=f"{name}.*--force"):
            export_collection("index_data", target)
        assert Path(name).read_bytes() == b"precious"
        export_collection("index_data", target, force=True)
        assert len(read_export(target).records) == 13
    assert sorted(name for name in os.listdir() if name.startswith("x.")) == names


def test_a_link_stays_and_leads_to_what_is_exported(tmp_path: Path) -> None:
    (tmp_path / "target.parquet").touch()
    Path("x.parquet").symlink_to(tmp_path / "target.parquet")
    export_collection("index_data", "x.parquet", force=True)
    assert Path("x.parquet").is_symlink()
    assert len(read_export(tmp_path / "target.parquet").records) == 13


@pytest.mark.parametrize("target", ["x.parquet", "x.npy"])
def test_what_comes_meanwhile_is_not_overwritten(target: str) -> None:
    def come(_: Progress) -> None:
        Path(target).write_bytes(b"precious")

    with pytest.raises(ExportError, match="--force"):
        export_collection("index_data", target, progress=come)
    assert Path(target).read_bytes() == b"precious"
    assert [name for name in os.listdir() if name.startswith("x.")] == [target]


def test_where_it_can_not_be_written_that_is_said() -> None:
    with pytest.raises(ExportError, match="no such file or directory"):
        export_collection("index_data", "nowhere/x.npy")
    os.mkdir("x.parquet")
    with pytest.raises(ExportError, match="is a directory"):
        export_collection("index_data", "x.parquet", force=True)
    with pytest.raises(ConfigError, match=r"ends in .parquet or .npy"):
        export_collection("index_data", "x.csv")
    with pytest.raises(CollectionNotFoundError):
        export_collection("nowhere", "x.npy")
    assert sorted(name for name in os.listdir() if name.startswith("x.")) == ["x.parquet"]


@pytest.mark.parametrize("target", ["x.parquet", "x.npy"])
def test_what_is_interrupted_leaves_nothing(target: str) -> None:
    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    before = set(os.listdir())
    with pytest.raises(KeyboardInterrupt):
        export_collection("index_data", target, progress=interrupt)
    assert set(os.listdir()) == before
    export_collection("index_data", target)
    with pytest.raises(KeyboardInterrupt):
        import_collection(target, "new", progress=interrupt)
    assert not os.path.exists("new")
    assert import_collection(target, "new") == 13


def test_without_pyarrow_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    export_collection("index_data", "x.parquet")
    whole = importlib.import_module

    def missing(name: str, package: str | None = None) -> Any:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return whole(name, package)

    monkeypatch.setattr(
        "image_similarity_search.collection.interchange.parquet_file.import_module", missing
    )
    install = r"pip install 'image-similarity-search\[parquet\]'"
    with pytest.raises(ConfigError, match=install):
        export_collection("index_data", "y.parquet")
    with pytest.raises(ConfigError, match=install):
        import_collection("x.parquet", "new")
    assert export_collection("index_data", "y.npy") == 13


# What comes back


def test_a_collection_is_not_overwritten() -> None:
    export_collection("index_data", "x.npy")
    before = content("index_data")
    with pytest.raises(CollectionExistsError):
        import_collection("x.npy", "index_data")
    assert content("index_data") == before


def changed(name: str, change: Callable[[bytearray], None]) -> Callable[[], None]:
    def apply() -> None:
        data = bytearray(Path(name).read_bytes())
        change(data)
        Path(name).write_bytes(data)

    return apply


def edited(**values: Any) -> Callable[[], None]:
    """The first image of the JSON, or its header, with other values, laid out as others do."""

    def apply() -> None:
        document = json.loads(Path("x.json").read_text())
        for name, value in values.items():
            if name in document["images"][0]:
                document["images"][0][name] = value
            else:
                document[name] = value
        Path("x.json").write_text(json.dumps(document, indent=1))

    return apply


def without(name: str) -> Callable[[], None]:
    def apply() -> None:
        document = json.loads(Path("x.json").read_text())
        del document["images"][2][name]
        Path("x.json").write_text(json.dumps(document))

    return apply


def _cut(data: bytearray) -> None:
    del data[-30:]


def _last_line_off(data: bytearray) -> None:
    del data[data.rindex(b"]") :]


def _flip(data: bytearray) -> None:
    data[len(data) // 2] ^= 64


_DAMAGE: dict[str, tuple[Callable[[], object], str]] = {
    "no array": (lambda: os.remove("x.npy"), "no such file"),
    "no text": (lambda: os.remove("x.json"), "x.json is missing, .* --paths FILE"),
    "empty array": (lambda: Path("x.npy").write_bytes(b""), "array can't be read"),
    "empty text": (lambda: Path("x.json").write_bytes(b""), "not JSON, or damaged"),
    "cut array": (changed("x.npy", _cut), "bytes, expected"),
    "cut text": (changed("x.json", _cut), "."),
    "text cut in an image": (
        changed("x.json", lambda data: data.__delitem__(slice(900, None))),
        ".",
    ),
    "text without its last line": (changed("x.json", _last_line_off), "it ends early"),
    "damaged array": (changed("x.npy", _flip), "wrong checksum|does not match its norm"),
    "another array": (
        lambda: np.save("x.npy", np.zeros((13, 1152), dtype=np.float32)),
        "wrong checksum|does not match its norm",
    ),
    "an array of another shape": (
        lambda: np.save("x.npy", np.zeros((13, 5), dtype=np.float32)),
        r"shape \(13, 5\), expected",
    ),
    "an array of objects": (
        lambda: np.save("x.npy", np.full((13, 1152), None), allow_pickle=True),
        "its array is object",
    ),
    "no export": (lambda: Path("x.json").write_text('{"a": 1}'), "not an export"),
    "a list": (lambda: Path("x.json").write_text("[1]"), "not an export"),
    "deep": (lambda: Path("x.json").write_text("[" * 100_000), "not JSON, or damaged"),
    "newer": (edited(version=2), "version 2, this program reads 1"),
    "count": (edited(count=12), "expected"),
    "fewer": (edited(images=[]), "it has 0 images, expected 13"),
    "no images": (edited(images=None), "it has 0 images, expected 13"),
    "no checksum": (edited(embeddings_crc32=None), "wrong checksum"),
    "collection": (edited(collection={}), "names no collection"),
    "collection of another metric": (
        edited(collection={"encoder": "e", "dim": 1152, "metric": "hamming"}),
        "names no collection",
    ),
    "roots": (edited(roots=["photos"]), "not an absolute path"),
    "no roots": (edited(roots=7), "header is damaged"),
    "relative path": (edited(path="photos/a.jpg"), "not an absolute path"),
    "no path": (edited(path=7), "not an absolute path"),
    "a folder": (edited(path="/photos/"), "not the path of a file"),
    "a NUL": (edited(path="/pho\0tos/a"), "not the path of a file"),
    "id": (edited(id=-1), "the id -1"),
    "an id that is no number": (edited(id="1"), "the id '1'"),
    "an id that is twice": (edited(id=5), "each id and path once"),
    "size": (edited(size=-1), "its size is -1"),
    "a size that is too large": (edited(size=2**63), "its size is"),
    "time": (edited(mtime_ns=1.5), "its mtime_ns is 1.5"),
    "hash": (edited(content_hash="xyz"), "its content_hash is 'xyz'"),
    "width": (edited(width=0), "its width is 0"),
    "metadata": (edited(metadata=[]), r"its metadata is \[\]"),
    "norm": (edited(norm=1e300), "the norm 1e"),
    "no number": (edited(norm=None), "the norm None"),
    "another norm": (edited(norm=3.0), "does not match its norm"),
    "no hash": (without("content_hash"), "has no content_hash"),
    "nothing but an id": (edited(images=[{"id": 1}] * 13), "image 1 has"),
    "images that are none": (edited(images=[1] * 13), "."),
}


@pytest.mark.parametrize(("damage", "reason"), _DAMAGE.values(), ids=_DAMAGE)
def test_a_damaged_or_foreign_pair_is_refused(damage: Callable[[], object], reason: str) -> None:
    export_collection("index_data", "x.npy")
    damage()
    with pytest.raises(ImportSourceError, match=reason):
        import_collection("x.npy", "new")
    assert not os.path.exists("new")


def test_an_index_of_the_file_that_there_is_none_of_is_refused() -> None:
    export_collection("index_data", "x.npy")
    document = json.loads(Path("x.json").read_text())
    document["collection"]["index"] = "nonsense"
    Path("x.json").write_text(json.dumps(document))
    with pytest.raises(ImportSourceError, match="nonsense"):
        import_collection("x.npy", "new")


def test_paths_may_be_changed_by_hand(place: Path) -> None:
    """As when the pictures go to another computer, too."""
    export_collection("index_data", "x.json")
    text = Path("x.json").read_text().replace(f"{place}/photos", f"{place}/moved")
    document = json.loads(text)
    Path("x.json").write_text(json.dumps(document, indent=2, ensure_ascii=False))
    os.rename("photos", "moved")
    import_collection("x.json", "new")
    encoder = CountingEncoder()
    with Collection.open("new", encoder=encoder) as collection:
        report = collection.sync("moved")
        assert (report.unchanged, encoder.count) == (12, 0)


def _rewritten(change: Callable[[Any], Any]) -> Callable[[], None]:
    def apply() -> None:
        parquet.write_table(change(parquet.read_table("x.parquet")), "x.parquet")

    return apply


def _as(column: str, values: Any) -> Callable[[Any], Any]:
    def change(table: Any) -> Any:
        return table.set_column(table.schema.get_field_index(column), column, values(table))

    return change


_PARQUET_DAMAGE: dict[str, tuple[Callable[[], object], str]] = {
    "empty": (lambda: Path("x.parquet").write_bytes(b""), "0 bytes"),
    "text": (lambda: Path("x.parquet").write_bytes(b"no parquet" * 100), "magic"),
    "cut": (changed("x.parquet", _cut), "."),
    "damaged": (changed("x.parquet", _flip), "."),
    "foreign": (
        lambda: parquet.write_table(pa.table({"a": [1]}), "x.parquet"),
        "not an export of a collection",
    ),
    "without its header": (
        _rewritten(lambda table: table.replace_schema_metadata(None)),
        "not an export of a collection",
    ),
    "header that is no JSON": (
        _rewritten(lambda t: t.replace_schema_metadata({b"image_similarity_search": b"{"})),
        ".",
    ),
    "fewer": (_rewritten(lambda table: table.slice(0, 5)), "5 images, expected 13"),
    "no size": (_rewritten(lambda table: table.drop_columns(["size"])), "no column size"),
    "no embedding": (
        _rewritten(lambda table: table.drop_columns(["embedding"])),
        "no column embedding",
    ),
    "doubles": (
        _rewritten(_as("embedding", lambda t: t["embedding"].cast(pa.list_(pa.float64())))),
        "its embeddings are list",
    ),
    "shorter embeddings": (
        _rewritten(_as("embedding", lambda t: pa.array([[1.0]] * 13, pa.list_(pa.float32())))),
        "not 1,152 values",
    ),
    "no norm": (
        _rewritten(_as("norm", lambda t: pa.array([None] * 13, pa.float32()))),
        "has no norm",
    ),
    "another norm": (
        _rewritten(_as("norm", lambda t: pa.array([3.0] * 13, pa.float32()))),
        "does not match its norm",
    ),
    "a norm that is no number": (
        _rewritten(_as("norm", lambda t: pa.array([float("nan")] * 13, pa.float32()))),
        "does not match its norm",
    ),
    "metadata": (
        _rewritten(_as("metadata", lambda t: pa.array(["{"] * 13))),
        "damaged metadata",
    ),
    "no metadata": (
        _rewritten(_as("metadata", lambda t: pa.array([None] * 13, pa.string()))),
        "damaged metadata",
    ),
    "ids": (
        _rewritten(_as("id", lambda t: pa.array([1] * 13))),
        "each id and path once",
    ),
}


@pytest.mark.parametrize(("damage", "reason"), _PARQUET_DAMAGE.values(), ids=_PARQUET_DAMAGE)
def test_a_damaged_or_foreign_parquet_file_is_refused(
    damage: Callable[[], object], reason: str
) -> None:
    export_collection("index_data", "x.parquet")
    damage()
    with pytest.raises(ImportSourceError, match=reason):
        import_collection("x.parquet", "new")
    assert not os.path.exists("new")


def test_damage_in_any_column_of_a_parquet_file_is_noticed() -> None:
    export_collection("index_data", "x.parquet")
    whole = Path("x.parquet").read_bytes()
    for position in range(4, 2000, 29):
        data = bytearray(whole)
        data[position] ^= 1
        Path("x.parquet").write_bytes(data)
        with contextlib.suppress(ImportSourceError):
            import_collection("x.parquet", f"{position}.index")
            assert content(f"{position}.index") == content("index_data"), position


def test_a_norm_that_no_embedding_has_is_refused() -> None:
    record = ImageRecord(5, "/p/a.jpg", 7, 8, None, 9, 10, "indexed")
    build("zero", Identity("e", "f", 4, "l2", "auto"), [record], np.zeros((1, 4), dtype="f2"), [0])
    export_collection("zero", "x.parquet")
    _rewritten(_as("norm", lambda t: pa.array([-1.0], pa.float32())))()
    with pytest.raises(ImportSourceError, match="does not match its norm"):
        import_collection("x.parquet", "new")


def test_a_parquet_file_that_another_program_wrote_anew_is_read() -> None:
    export_collection("index_data", "x.parquet")

    def rewrite(table: Any) -> Any:
        lists = _as("embedding", lambda t: t["embedding"].cast(pa.list_(pa.float32())))
        return lists(table).drop_columns(["path_bytes"])

    _rewritten(rewrite)()
    import_collection("x.parquet", "new")
    assert content("new") == content("index_data")


def test_what_is_no_export_by_its_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"ends in .parquet"):
        import_collection("x.csv", "new")
    with pytest.raises(ImportSourceError, match=r"x.parquet: no such file"):
        read_export("x.parquet")
    os.mkdir("y.parquet")
    with pytest.raises(ImportSourceError, match="is a directory"):
        read_export("y.parquet")


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_noticed_or_does_no_harm(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    record = ImageRecord(5, "/p/a.jpg", 7, 8, "ab" * 16, 9, 10, "indexed", None, {"a": 1})
    build(
        str(folder / "old"),
        Identity("e", "f", 4, "l2", "auto"),
        [record],
        np.eye(1, 4, dtype="f2"),
        [2],
    )
    name = data.draw(st.sampled_from(["x.npy", "x.json", "x.parquet"]))
    export_collection(str(folder / "old"), str(folder / name))
    whole = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(whole)
    try:
        export = read_export(str(folder / name))
    except ImportSourceError:
        return
    assert len(export.records) == len(export.embeddings) == 1
