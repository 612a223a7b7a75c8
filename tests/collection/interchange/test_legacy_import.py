"""An index of the recipe becomes a collection, and nothing is encoded for that."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import faiss
import numpy as np
import pytest
from conftest import CountingEncoder, MakePicture, draw
from PIL import Image
from recipe import embeddings_of, write_files, write_index

from image_similarity_search import Collection, ImageSimilaritySearch, import_legacy
from image_similarity_search.errors import (
    CollectionExistsError,
    CollectionUnwritableError,
    ConfigError,
    ImportSourceError,
    LegacyIndexError,
)
from image_similarity_search.reports import LegacyImportReport, SyncReport
from image_similarity_search.types import Progress


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with ``images/``, and ``index_data/`` as the recipe makes it."""
    monkeypatch.chdir(tmp_path)
    for seed in range(12):
        below = ("", "holiday", "würfel & co")[seed % 3]
        path = tmp_path / "images" / below / f"{seed}.{('jpg', 'png', 'webp')[seed % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(seed).save(path)
    write_index(tmp_path / "index_data", names(), CountingEncoder())
    return tmp_path


def names() -> list[str]:
    """Paths as the recipe lists them."""
    return sorted(str(path) for path in Path("images").rglob("*.*"))


def taken(**options: object) -> LegacyImportReport:
    """What is said of the old index when it is taken over where it is."""
    return import_legacy("index_data", model=CountingEncoder(), **options)  # type: ignore[arg-type]


def synced(folder: str = "images") -> tuple[SyncReport, int]:
    """What the next sync does, and how many pictures it encodes."""
    encoder = CountingEncoder()
    with Collection.open("index_data", encoder=encoder) as collection:
        _ = collection.encoder  # compared with what was taken over
        compared, encoder.count = encoder.count, 0
        assert compared <= 16
        return collection.sync(folder), encoder.count


def counts(report: LegacyImportReport) -> tuple[int, int, int, int, int]:
    return (
        report.taken_over,
        report.missing,
        report.to_encode,
        report.repeated,
        report.not_finite,
    )


def test_the_next_sync_has_nothing_to_do(place: Path) -> None:
    assert counts(taken()) == (12, 0, 0, 0, 0)
    report, encoded = synced()
    assert (report.unchanged, report.indexed, report.updated, encoded) == (12, 0, 0, 0)
    with Collection.open("index_data") as collection:
        assert collection.roots() == [str(place / "images")]
        assert len(collection) == 12


def test_rows_become_images_in_their_order(place: Path) -> None:
    taken()
    with Collection.open("index_data") as collection:
        records = list(collection)
        assert [record.id for record in records] == list(range(1, 13))
        assert [record.path for record in records] == [str(place / name) for name in names()]
        for record in records:
            file = Path(record.path)
            digest = hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()
            assert (record.size, record.mtime_ns) == (file.stat().st_size, file.stat().st_mtime_ns)
            assert (record.content_hash, record.width, record.height) == (digest, 96, 72)
        info = collection.info()
        assert (info.metric, info.fingerprint, info.dim) == ("l2", "", 1152)


def test_a_search_answers_as_the_old_index_did() -> None:
    index = faiss.read_index("index_data/faiss.index")
    rows = index.reconstruct_n(0, index.ntotal)
    squared, positions = index.search(rows, 5)
    taken()
    with Collection.open("index_data", encoder=CountingEncoder()) as collection:
        for row, name in enumerate(names()):
            hits = collection.search(row + 1, k=4)
            assert [hit.id - 1 for hit in hits] == [at for at in positions[row] if at != row][:4]
            assert np.allclose([hit.distance for hit in hits], np.sqrt(squared[row][1:]), atol=2e-3)
            if name.endswith(("png", "webp")):
                assert collection.search(name, k=1)[0].score == pytest.approx(1, abs=2e-3)


def test_in_place_the_old_files_are_kept() -> None:
    old = {name: (Path("index_data") / name).read_bytes() for name in os.listdir("index_data")}
    taken()
    for name, data in old.items():
        assert (Path("index_data") / f"{name}.legacy").read_bytes() == data
    assert not Path("index_data/image_paths.pkl").exists()
    assert Path("index_data/faiss.index").read_bytes() != old["faiss.index"]
    assert not Path("index_data/catalog.new").exists()


def test_in_place_files_of_other_names_stay_as_they_are() -> None:
    os.rename("index_data/image_paths.pkl", "index_data/paths.pkl")
    os.makedirs("elsewhere")
    shutil.copy("index_data/faiss.index", "elsewhere/faiss.index")
    with pytest.raises(ImportSourceError, match="in the collection's place"):
        taken(faiss_file="elsewhere/faiss.index")
    os.remove("index_data/faiss.index")
    taken(faiss_file="elsewhere/faiss.index")
    assert {"paths.pkl", "catalog.sqlite", "faiss.index"} <= set(os.listdir("index_data"))
    assert os.listdir("elsewhere") == ["faiss.index"]


def test_elsewhere_the_old_files_stay_as_they_are() -> None:
    old = {name: (Path("index_data") / name).read_bytes() for name in os.listdir("index_data")}
    taken(index_dir="new")
    assert {name: (Path("index_data") / name).read_bytes() for name in old} == old
    assert sorted(os.listdir("index_data")) == sorted(old)
    with Collection.open("new") as collection:
        assert len(collection) == 12


def test_what_was_kept_can_be_taken_over_again() -> None:
    taken()
    taken(index_dir="again", metric="cosine")
    with Collection.open("again") as collection:
        assert (len(collection), collection.info().metric) == (12, "cosine")
    shutil.rmtree("again")
    Path("index_data/catalog.sqlite").unlink()
    assert counts(taken()) == (12, 0, 0, 0, 0)  # where it is, too: the store is ours


def test_files_that_are_gone_are_kept_until_their_folder_is_indexed() -> None:
    gone = names()[3]
    os.remove(gone)
    shutil.rmtree("images/holiday")
    assert counts(taken()) == (12, 5, 0, 0, 0)
    with Collection.open("index_data", encoder=CountingEncoder()) as collection:
        record = collection.get(gone)
        assert (record.size, record.mtime_ns, record.content_hash) == (0, 0, None)
        assert (record.width, record.height, record.state) == (None, None, "indexed")
        assert len(collection.search(record.id, k=20)) == 11
        assert gone in {os.path.relpath(hit.path) for hit in collection.search(1, k=20)}
    report, encoded = synced()
    assert (report.unchanged, report.removed, encoded) == (7, 5, 0)


def test_a_file_that_comes_back_is_encoded_anew(make_picture: MakePicture) -> None:
    os.rename("images", "unplugged")
    assert counts(taken()) == (12, 12, 0, 0, 0)
    os.rename("unplugged", "images")
    shutil.copy("images/holiday/1.png", "images/copy.png")
    report, encoded = synced()
    assert (report.updated, report.indexed, report.removed) == (12, 1, 0)
    assert encoded == 12  # not the copy


def test_a_file_that_is_no_picture_now_is_missing() -> None:
    Path(names()[0]).write_bytes(b"no picture")
    os.remove(names()[1])
    os.mkdir(names()[0] + "x")
    assert counts(taken()) == (12, 2, 0, 0, 0)
    report, encoded = synced()
    assert (report.unchanged, report.removed, report.skipped, encoded) == (10, 1, 1, 0)


def test_a_picture_that_changed_since_is_encoded_anew(make_picture: MakePicture) -> None:
    changed = make_picture(names()[2], 70)
    after = Path("index_data/faiss.index").stat().st_mtime_ns + 1
    os.utime(changed, ns=(after, after))
    assert counts(taken()) == (12, 0, 1, 0, 0)
    with Collection.open("index_data") as collection:
        assert collection.get(changed).width == 96
    report, encoded = synced()
    assert (report.unchanged, report.updated, encoded) == (11, 1, 1)


def test_pictures_that_the_recipe_sees_otherwise_are_encoded_anew() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    draw(1, (90, 60)).save("images/turned.jpg", exif=exif)
    transparent = draw(2).convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize(transparent.size))
    transparent.save("images/transparent.png")
    opaque = draw(3).convert("RGBA")
    opaque.save("images/opaque.png")
    write_index(Path("index_data"), names(), CountingEncoder())
    assert counts(taken()) == (15, 0, 2, 0, 0)
    with Collection.open("index_data") as collection:
        record = collection.get("images/turned.jpg")
        assert (record.width, record.height) == (60, 90)
    report, encoded = synced()
    assert (report.unchanged, report.updated, encoded) == (13, 2, 2)


def test_of_a_path_that_is_there_twice_the_last_counts(place: Path) -> None:
    rows = embeddings_of(names(), CountingEncoder())
    odd = f"{place}/images/../{names()[0]}"
    paths = [names()[0], *names(), odd]
    write_files(place / "index_data", paths, np.concatenate([rows[:1], rows, rows[5:6]]))
    assert counts(taken()) == (12, 0, 0, 2, 0)
    with Collection.open("index_data") as collection:
        assert [record.id for record in collection] == list(range(3, 15))
        assert collection.get(names()[0]).id == 14
        best, _ = collection.search(14, k=2)
        assert (best.id, best.score) == (7, 1.0)  # the row that names()[5] has


def test_rows_that_are_no_numbers_are_left_out(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = embeddings_of(names(), CountingEncoder())
    rows[2, 5] = np.nan
    rows[4, 0] = np.inf
    rows[7] = np.float32(3e38)  # longer than float32 can say
    rows[9] = 0
    write_files(place / "index_data", names(), rows)
    assert counts(taken()) == (9, 0, 1, 0, 3)
    assert [record.getMessage() for record in caplog.records] == [
        f"row {row} has no finite embedding: {place / names()[row]} is left out"
        for row in (2, 4, 7)
    ]
    with Collection.open("index_data") as collection:
        assert {record.id for record in collection} == {1, 2, 4, 6, 7, 9, 10, 11, 12}
    report, encoded = synced()
    assert (report.unchanged, report.updated, report.indexed, encoded) == (8, 1, 3, 4)


def test_relative_paths_start_where_it_is_said(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    report = import_legacy("../index_data", "new", model=CountingEncoder(), relative_to="..")
    assert counts(report) == (12, 0, 0, 0, 0)
    with Collection.open("new") as collection:
        assert collection.get(1).path == str(place / sorted_names(place)[0])
    report = import_legacy("../index_data", "lost", model=CountingEncoder())
    assert counts(report) == (12, 12, 0, 0, 0)


def sorted_names(place: Path) -> list[str]:
    return sorted(os.path.relpath(path, place) for path in (place / "images").rglob("*.*"))


def test_paths_through_links_are_known_by_where_they_lead(place: Path) -> None:
    os.rename("images", "real")
    os.symlink("real", "images")
    assert counts(taken()) == (12, 0, 0, 0, 0)
    report, encoded = synced()
    assert (report.unchanged, report.indexed, encoded) == (12, 0, 0)


@pytest.mark.parametrize("name", ["a b.png", "new\nline.png", "caf\udce9.png", "-k.png", "猫.png"])
def test_names_are_kept_byte_for_byte(place: Path, name: str) -> None:
    path = os.path.join("images", name)
    try:
        draw(5).save("plain.png")
        os.rename("plain.png", path)
    except (OSError, UnicodeError):
        pytest.skip("this system has no such names")
    write_files(place / "index_data", [path], embeddings_of([path], CountingEncoder()))
    taken()
    with Collection.open("index_data") as collection:
        assert [record.path for record in collection] == [str(place / path)]
    report, _ = synced()
    assert report.unchanged == 1


@pytest.mark.parametrize("count", [0, 1])
def test_few_images_are_enough(place: Path, count: int) -> None:
    rows = embeddings_of(names(), CountingEncoder())
    write_files(place / "index_data", names()[:count], rows[:count])
    assert counts(taken()) == (count, 0, 0, 0, 0)
    with Collection.open("index_data") as collection:
        assert len(collection) == count
        assert collection.info().metric == "l2"
    report, encoded = synced()
    assert (report.unchanged, report.indexed, encoded) == (count, 12 - count, 12 - count)


def test_many_rows_come_in_parts(place: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((3000, 16)).astype(np.float32)
    write_files(place / "old", [f"nowhere/{n}.jpg" for n in range(3000)], rows)
    steps: list[Progress] = []
    report = import_legacy("old", "new", model="any", progress=steps.append)
    assert counts(report) == (3000, 3000, 0, 0, 0)
    assert {step.phase for step in steps} == {"taking over"}
    assert [step.done for step in steps] == list(range(1, 3001))
    with Collection.open("new") as collection:
        assert len(collection.search(2999, k=3000)) == 2999
        assert collection.info().generation >= 3


# Metric and model


def test_the_metric_is_that_of_the_old_index_unless_another_is_given(place: Path) -> None:
    rows = 3 * embeddings_of(names(), CountingEncoder())
    write_files(place / "index_data", names(), rows, faiss.IndexFlatIP(rows.shape[1]))
    assert taken(index_dir="a").metric == "ip"
    assert taken(index_dir="b", metric="l1").metric == "l1"
    with Collection.open("a") as a, Collection.open("b") as b:
        assert (a.info().metric, b.info().metric) == ("ip", "l1")
    with pytest.raises(ConfigError, match="one of cosine"):
        taken(index_dir="c", metric="hamming")
    assert not Path("c").exists()


@pytest.mark.parametrize("kind", ["IndexFlatL2", "IndexFlatIP"])
def test_embeddings_that_were_normalised_are_compared_by_direction(place: Path, kind: str) -> None:
    rows = embeddings_of(names(), CountingEncoder())
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    index = getattr(faiss, kind)(rows.shape[1])
    write_files(place / "index_data", names(), rows, index)
    _, positions = index.search(rows[:1], 5)
    assert taken(index_dir="a").metric == "cosine"
    assert taken(index_dir="b", metric="l2").metric == "l2"
    with Collection.open("a", encoder=CountingEncoder()) as collection:
        found = [hit.id - 1 for hit in collection.search(names()[0], k=5)]
        assert found == positions[0].tolist()


def test_a_model_of_another_dimension_is_refused_with_both() -> None:
    with pytest.raises(ImportSourceError, match=r"1,152 values, those of efficientnet-lite0 1,280"):
        import_legacy("index_data", model="efficientnet-lite0")
    assert sorted(os.listdir("index_data")) == ["faiss.index", "image_paths.pkl"]


def test_the_model_need_not_be_known_here(place: Path) -> None:
    import_legacy("index_data", model="of my own")
    with Collection.open("index_data") as collection:
        assert collection.info().encoder == "of my own"
        assert len(collection.search(1)) == 10


# What is in the way


def test_a_collection_is_not_overwritten(place: Path) -> None:
    Collection.open("there", encoder="colour-texture", create=True).close()
    before = Path("there/catalog.sqlite").read_bytes()
    with pytest.raises(CollectionExistsError, match="there"):
        taken(index_dir="there")
    assert Path("there/catalog.sqlite").read_bytes() == before
    taken()
    with pytest.raises(CollectionExistsError):
        taken()


def test_another_old_index_is_not_overwritten(place: Path) -> None:
    shutil.copytree("index_data", "other")
    with pytest.raises(LegacyIndexError, match="iss import-legacy"):
        taken(index_dir="other")
    os.remove("other/image_paths.pkl")
    with pytest.raises(LegacyIndexError, match=r"faiss.index of another program"):
        taken(index_dir="other")
    assert sorted(os.listdir("other")) == ["faiss.index"]


def test_what_was_kept_before_stops_it_before_anything_is_done(place: Path) -> None:
    Path("index_data/image_paths.pkl.legacy").write_bytes(b"kept")
    with pytest.raises(ImportSourceError, match="is there already"):
        taken()
    assert len(os.listdir("index_data")) == 3


def test_a_file_in_the_place_of_the_folder_is_an_error(place: Path) -> None:
    Path("file").write_bytes(b"")
    with pytest.raises(CollectionUnwritableError):
        taken(index_dir="file")
    with pytest.raises(CollectionUnwritableError):
        taken(index_dir="file/below")


def test_what_goes_wrong_in_the_middle_leaves_nothing(place: Path) -> None:
    def fail(_: Progress) -> None:
        raise RuntimeError("enough")

    before = {name: (Path("index_data") / name).read_bytes() for name in os.listdir("index_data")}
    with pytest.raises(RuntimeError):
        taken(progress=fail)
    assert {name: (Path("index_data") / name).read_bytes() for name in before} == before
    assert sorted(os.listdir("index_data")) == sorted(before)
    assert counts(taken()) == (12, 0, 0, 0, 0)


# An old index is never overwritten by mistake


def test_nothing_is_made_where_an_old_index_is(place: Path) -> None:
    before = {name: (Path("index_data") / name).read_bytes() for name in os.listdir("index_data")}
    with pytest.raises(LegacyIndexError, match=r"iss import-legacy .*index_data"):
        ImageSimilaritySearch("images")
    with pytest.raises(LegacyIndexError):
        Collection.open("index_data", create=True)
    with pytest.raises(LegacyIndexError):
        Collection.open("index_data")
    os.remove("index_data/image_paths.pkl")
    del before["image_paths.pkl"]
    with pytest.raises(LegacyIndexError, match=r"faiss.index of another program"):
        ImageSimilaritySearch("images")
    assert {
        name: (Path("index_data") / name).read_bytes() for name in os.listdir("index_data")
    } == (before)


def test_a_store_without_its_catalog_is_no_old_index(place: Path) -> None:
    with Collection.open("mine", encoder="colour-texture", create=True) as collection:
        collection.sync("images")
    os.remove("mine/catalog.sqlite")
    with Collection.open("mine", encoder="colour-texture", create=True) as collection:
        assert len(collection) == 0


def test_the_class_of_the_recipe_goes_on_with_what_was_taken_over() -> None:
    taken()
    with ImageSimilaritySearch("images", model=CountingEncoder()) as searcher:
        results = searcher.find_similar("images/holiday/1.png", k=3)
    assert results[0]["path"] == "images/holiday/1.png"
    assert len(results) == 3
