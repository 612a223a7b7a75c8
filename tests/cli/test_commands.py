"""The command line on real folders: what it prints, where, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from command_line import Iss, lines
from conftest import MakePicture, draw
from PIL import Image, ImageFilter

from image_similarity_search.cli import duplicate_groups, exits


@pytest.fixture
def iss(tmp_path: Path) -> Iss:
    return Iss(tmp_path)


@pytest.fixture
def indexed(iss: Iss, index_data: Path) -> Iss:
    """An ``iss`` in a folder where the photos are indexed without a neural network."""
    return iss


def test_index_says_at_the_end_what_it_did(iss: Iss, photos: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"no picture")
    for name in ("notes.txt", "raw.CR3", "raw 2.cr3", "no. extension"):
        (photos / name).write_text("no picture either")
    done = iss("index", photos)
    (line,) = lines(done)
    assert line.startswith("indexed 12, updated 0, unchanged 0, moved 0, removed 0, skipped 1 in ")
    assert line.endswith(" images/s)")
    assert b"iss info --skipped" in done.stderr
    assert b"unsupported files ignored: 2 .cr3, 1 without an extension, 1 .txt\n" in done.stderr
    assert (iss.folder / "index_data" / "catalog.sqlite").is_file()
    assert (iss.folder / "index_data" / "faiss.index").is_file()
    again = iss("-vv", "index", photos)
    (line,) = lines(again)
    assert line.startswith("indexed 0, updated 0, unchanged 12, ")
    assert (
        f"{photos / 'raw 2.cr3'}: ignored: not a supported picture format".encode() in again.stderr
    )
    (line,) = lines(iss("info", "--skipped"))
    assert line == f"{photos / 'bad.jpg'}: not a supported image format"
    done = iss("info", "--skipped", "-0", "--exit-code", status=exits.FOUND)
    assert done.out == f"{photos / 'bad.jpg'}\0"
    (photos / "bad.jpg").unlink()
    iss("index", photos)
    assert not iss("info", "--skipped", "--paths", "--exit-code").out
    assert (
        "--paths, -0 and --exit-code need --skipped"
        in iss("info", "--exit-code", status=exits.USAGE).err
    )


def test_search_among_some(indexed: Iss, photos: Path) -> None:
    query = photos / "picture 0.jpg"
    found = lines(
        indexed("search", query, "--in", photos / "holiday", "--format", "png", "--paths")
    )
    assert sorted(found) == sorted(str(path) for path in (photos / "holiday").rglob("*.png"))
    options = ["--name", "PICTURE ?.*", "--min-width", "96", "--max-height", "72", "--max-size"]
    options += ["1.5MiB", "--orientation", "landscape", "--min-aspect", "1.3", "--after", "2020"]
    found = lines(indexed("search", query, *options, "--paths", "-k", "20"))
    assert len(found) == 10
    done = indexed("search", query, "--modified-before", "2020", "--json")
    assert json.loads(done.stdout)["hits"] == []
    too_large = f"--min-size {'9' * 400}"
    for wrong in ("--min-size 2X", too_large, "--after soon", "--format docx", "--orientation up"):
        name, value = wrong.split()
        assert value.encode() in indexed("search", query, name, value, status=exits.USAGE).stderr
    indexed("search", query, "--in", "nowhere", status=exits.BAD_IMAGE)


def test_a_page_of_duplicates_says_what_it_leaves_out(
    indexed: Iss, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicate_groups, "_MOST_SHOWN", 5)
    for number, name in enumerate(["picture 0.jpg"] * 4 + ["picture 4.png"]):
        shutil.copy(photos / name, photos / f"copy {number}.jpg")
    indexed("index", photos)
    done = indexed("duplicates", "--level", "exact", "--html", "page.html")
    page = (indexed.folder / "page.html").read_text(encoding="utf-8")
    assert page.count("<img") == 5
    for told in (page, done.stderr.decode()):
        assert (
            "2 more pictures are left out; narrow the search, for example with --in FOLDER" in told
        )


def test_duplicates(indexed: Iss, photos: Path, tmp_path: Path) -> None:
    copy = photos / "holiday" / "copy.jpg"
    shutil.copy(photos / "picture 0.jpg", copy)
    indexed("index", photos)
    done = indexed("duplicates", "--html", "page.html")
    keep, other, _ = lines(done)
    assert keep.split()[0] == "keep"
    assert str(photos / "picture 0.jpg") in keep
    assert other.split()[:2] == ["exact", "1.0000"]
    assert "sharpness" not in keep  # of the same bytes there is nothing to measure
    assert str(copy) in other
    assert b"1 group, 1 removable image (" in done.stderr
    size = copy.stat().st_size
    assert f" ({size / 1e3:.1f} kB), of 13 in" in done.stderr.decode()
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "1 group, 1 removable picture" in page
    assert re.search(r"<h2[^>]*><bdi>picture", page)  # its name: the path is below
    assert re.search(r"exact: [\d,]+ bytes", page)  # the pixels are said above
    assert page.count("<img") == 2
    found = json.loads(indexed("duplicates", "--json", "--level", "exact").stdout)
    (group,) = found["groups"]
    assert (group["level"], group["keep"]["why"]) == ("exact", "oldest")
    assert [one["path"] for one in group["others"]] == [str(copy)]
    indexed("duplicates", "--between", photos / "holiday", "nowhere", status=exits.BAD_IMAGE)
    found = json.loads(indexed("duplicates", "--json", "--in", photos / "holiday").stdout)
    assert (found["groups"], found["images"]) == ([], 7)
    alone = indexed("duplicates", "--dismiss", copy, status=exits.USAGE)
    assert b"--dismiss needs two or more images" in alone.stderr
    indexed("duplicates", "--dismiss", copy, "--dismiss", photos / "picture 0.jpg")
    done = indexed("duplicates")
    assert done.stdout == b""
    assert b"1 pair left out as dismissed" in done.stderr


def test_pairs_of_duplicates_are_a_table_and_a_status(
    indexed: Iss, photos: Path, tmp_path: Path
) -> None:
    holiday = photos / "holiday"
    between = ("--between", holiday, photos, "--exit-code")
    indexed("duplicates", *between)
    shutil.copy(photos / "picture 0.jpg", holiday / os.fsdecode(b"copy\xff.jpg"))
    indexed("index", photos)
    done = indexed("duplicates", *between, "--json", "--pairs", "leaks.csv", status=exits.FOUND)
    found = json.loads(done.stdout)
    ((group,), asked) = found["groups"], found["asked"]
    text = (tmp_path / "leaks.csv").read_text("utf-8", errors="surrogateescape")
    (row,) = csv.DictReader(text.splitlines())
    keep, (other,) = group["keep"], group["others"]
    assert row == {
        "keep_id": str(keep["id"]),
        "keep_path": keep["path"],
        "id": str(other["id"]),
        "path": other["path"],
        "level": "exact",
        "score": "1.0",
        "likeness": "1.0",
        "change": "",
        "goes": "yes",
        "lost": "",
    }
    assert asked["between"] == [str(holiday), str(photos)]
    assert (asked["level"], asked["likeness"], asked["model"]) == ("near", 0.93, "colour-texture")
    kept = ("--level", "exact", "--pairs", "leaks.csv")
    assert b"--force" in indexed("duplicates", *kept, status=exits.BAD_IMAGE).stderr
    for wrong in (("--pairs", "leaks"), ("--exit-code", "--action", "trash")):
        assert wrong[0].encode() in indexed("duplicates", *wrong, status=exits.USAGE).stderr


def test_folders_that_are_given_twice_are_refused(indexed: Iss, photos: Path) -> None:
    for twice in (("--between", photos, photos / "holiday"), ("--in", photos)):
        done = indexed("duplicates", *twice, *twice, status=exits.USAGE)
        assert f"{twice[0]} can be given only once: ".encode() in done.stderr


def test_the_sharper_copy_is_kept_and_it_is_said_why(
    indexed: Iss, photos: Path, tmp_path: Path
) -> None:
    noise = Image.effect_noise((400, 300), 60).convert("RGB")
    picture = Image.blend(draw(1, (400, 300)), noise, 0.3)
    folder = photos / "two"
    folder.mkdir()
    cameras = [Image.Exif(), Image.Exif()]
    cameras[0][0x0110], cameras[1][0x0110] = "Kamera A", "Kamera B"
    picture.save(folder / "sharp.jpg", quality=80, exif=cameras[0])
    picture.filter(ImageFilter.GaussianBlur(1)).save(folder / "blurred.png", exif=cameras[1])
    indexed("index", photos)
    done = indexed("duplicates", "--in", folder, "--html", "page.html")
    keep, other, _ = lines(done)
    assert "sharp.jpg" in keep
    assert keep.endswith(", sharpest)")
    assert ", sharpness 0." in other
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "kept because of: sharpest" in page
    assert "; Kamera A" in page  # what the files differ in, and no more
    assert "; Kamera B" in page
    assert "; place unknown" not in page
    (group,) = json.loads(indexed("duplicates", "--json", "--in", folder).stdout)["groups"]
    assert group["keep"]["why"] == "sharpest"
    assert group["keep"]["sharpness"] > group["others"][0]["sharpness"] > 0


def test_changed_copies_go_only_where_their_level_is_said(indexed: Iss, photos: Path) -> None:
    picture = draw(0, (400, 300))
    picture.save(photos / "clean.jpg")
    grey = photos / "grey.png"
    picture.convert("L").save(grey)
    indexed("index", photos)
    done = indexed("duplicates", "--name", "[cg]*")
    assert b"1 removable image, 1 of them altered copies (" in done.stderr
    assert ", in colour)" in lines(done)[0]
    done = indexed("duplicates", "--name", "[cg]*", "--action", "delete", "--yes")
    assert b"--level near" in done.stderr
    assert b"done: 0 files" in done.stderr
    assert grey.exists()
    indexed("duplicates", "--name", "[cg]*", "--level", "near", "--action", "delete", "--yes")
    assert not grey.exists()
    assert (photos / "clean.jpg").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--yes",), b"trash, move, hardlink, symlink or delete"),
        (
            ("--action", "delete", "--to", "there"),
            b"--to is for --action move only, not del",
        ),
        (("--action", "move"), b"--action move needs --to FOLDER"),
    ],
)
def test_what_an_action_lacks_is_named(
    indexed: Iss, options: tuple[str, ...], words: bytes
) -> None:
    assert words in indexed("duplicates", *options, status=exits.USAGE).stderr


def test_many_files_that_are_left_for_one_reason_are_one_line(indexed: Iss, photos: Path) -> None:
    folder = photos / "copies"
    folder.mkdir()
    for number in range(8):
        shutil.copy(photos / "picture 0.jpg", folder / f"{number}.jpg")
    indexed("index", photos)
    action = ("duplicates", "--level", "exact", "--action", "delete")
    for number in range(8):
        (folder / f"{number}.jpg").unlink()
    done = indexed(*action)
    assert done.stderr.count(b"not changed: ") == 1
    assert b"8 files, such as " in done.stderr
    assert b"no such file" in done.stderr


def test_why_pixels_can_not_be_compared_is_told(indexed: Iss, photos: Path) -> None:
    draw(0, (400, 300)).save(photos / "large.jpg")
    indexed("index", photos)
    for path in photos.rglob("*.*"):
        path.unlink()
    done = indexed("duplicates")
    assert re.search(rb"could not be read to compare pixels, such as .*: .*[Nn]o such", done.stderr)


def test_what_is_similar_stays_and_is_counted_apart(
    indexed: Iss, photos: Path, tmp_path: Path
) -> None:
    copy = photos / "holiday" / "copy.jpg"
    shutil.copy(photos / "picture 0.jpg", copy)
    indexed("index", photos)
    similar = ("duplicates", "--level", "similar", "--score", "0.5")
    done = indexed(*similar, "--html", "page.html")
    assert b"1 group, 1 removable image" in done.stderr
    assert b"of similar images that are not copies (11 images, kept)" in done.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert (
        page.count("Similar, not a copy: kept")
        == page.count("of similar images that are not copies (")
        >= 1
    )
    done = indexed(*similar, "--action", "delete", "--yes")
    assert b"done: 1 file " in done.stderr
    assert b"not changed: " not in done.stderr
    assert not copy.exists()
    assert (photos / "picture 0.jpg").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--undo", "--level", "same"), "--undo can't be combined with --level"),
        (("--undo", "--action", "delete", "--yes"), "can't be combined with --action"),
        (("--undo", "--in", "x"), "can't be combined with --in"),
        (("--undo", "--dismiss", "a", "--dismiss", "b"), "can't be combined with --dismiss"),
        (("--dismiss", "a", "--dismiss", "b", "--html", "x.html"), "can't be combined with --html"),
    ],
)
def test_what_does_something_else_takes_no_other_options(
    indexed: Iss, arguments: tuple[str, ...], told: str
) -> None:
    assert told in indexed("duplicates", *arguments, status=exits.USAGE).stderr.decode()


def test_duplicates_can_be_moved_and_brought_back(
    indexed: Iss, photos: Path, tmp_path: Path
) -> None:
    copy = photos / "holiday" / "copy.jpg"
    shutil.copy(photos / "picture 0.jpg", copy)
    indexed("index", photos)
    move = ("duplicates", "--action", "move", "--to", "twice")
    done = indexed(*move)
    assert f"would move {copy} to twice".encode() in done.stderr
    assert b"dry run: 1 file " in done.stderr
    done = indexed("duplicates", "--action", "hardlink")
    assert f"would make {copy} a hardlink to {photos / 'picture 0.jpg'}".encode() in done.stderr
    assert copy.exists()
    indexed("duplicates", "--yes", status=exits.USAGE)
    lacking = indexed("duplicates", "--action", "move", status=exits.USAGE)
    assert lacking.stdout == b""  # it is said before anything is compared
    assert b"--action move needs --to FOLDER" in lacking.stderr
    (deed,) = json.loads(indexed(*move, "--yes", "--json").stdout)["deeds"]
    assert (deed["path"], deed["done"]) == (str(copy), True)
    assert Path(deed["to"]) == tmp_path / "twice" / "copy.jpg"
    assert not copy.exists()
    assert lines(indexed("duplicates")) == []
    assert b"restored: " in indexed("duplicates", "--undo").stderr
    assert copy.read_bytes() == (photos / "picture 0.jpg").read_bytes()
    indexed("duplicates", "--undo", status=exits.USAGE)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("search", "x.jpg", "--after", "yesterday"), "--modified-after is 'yesterday'"),
        (("search", "x.jpg", "--format", "doc"), "--format is 'doc'"),
        (
            ("search", "x.jpg", "--min-width", "9", "--max-width", "3"),
            "--max-width is 3; expected at least --min-width, 9",
        ),
        (
            ("search", "x.jpg", "--after", "2024", "--before", "2023"),
            "--modified-before is '2023-01-01 00:00:00+00:00'; expected a moment after"
            " --modified-after, 2024",
        ),
        (("search", "x.jpg", "--colour", "gray"), "--colour is 'gray'"),
        (("search", "x.jpg", "--tag", " "), "--tag is ' '"),
        (("tag", "add", " ", "--id", "1"), "TAG is ' '"),
        (("export", "x.doc"), "TARGET is 'x.doc'"),
        (("evaluate", "--truth", "folders", "-k", "0"), "-k is 0"),
        (("rebuild", "--recall", "2"), "--recall is 2.0"),
        (("rebuild", "--index", "none"), "--index is 'none'"),
        (("search", "--weighted", "nan", "x.jpg"), "--weighted is nan"),
        (("search", "x.jpg", "--min-aspect", "inf"), "--min-aspect is inf"),
        (("watch", ".", "--every", "inf", "--index-dir", "none"), "--every is inf"),
        (("add", "x.jpg", "--wait=nan"), "--wait is nan"),
        (("serve", "--rate-limit", "nan"), "--rate-limit is nan; expected a finite number"),
        (("serve", "--host", "192.0.2.1"), "--host is '192.0.2.1'"),
        (("serve", "--host", "127.0.0.256"), "--host"),
    ],
)
def test_what_is_not_allowed_is_told_by_the_option_that_was_typed(
    indexed: Iss, photos: Path, arguments: tuple[str, ...], told: str
) -> None:
    typed = [photos / "picture 0.jpg" if text == "x.jpg" else text for text in arguments]
    assert f"iss: {told}" in indexed(*typed, status=exits.USAGE).stderr.decode()
    assert not (indexed.folder / "none").exists()


def test_an_empty_folder_is_said(iss: Iss, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert b"no pictures found in empty" in iss("index", "empty").stderr


def test_index_as_json(iss: Iss, photos: Path) -> None:
    report = iss.json("index", photos, "--model", "colour-texture", "--exclude", "holiday")
    assert isinstance(report, dict)
    assert (report["indexed"], report["encoded"], report["interrupted"]) == (6, 6, False)


def test_search_prints_scores_and_paths(indexed: Iss, photos: Path) -> None:
    found = lines(indexed("search", photos / "picture 0.jpg", "-k", "3"))
    assert len(found) == 3
    assert found[0] == f"1.0000  {photos / 'picture 0.jpg'}"
    found = lines(indexed("search", photos / "picture 0.jpg", "--threshold", "1"))
    assert found == [f"1.0000  {photos / 'picture 0.jpg'}"]
    query = (photos / "picture 0.jpg").read_bytes()
    (photos / "picture 0.jpg").unlink()
    first, second = lines(indexed("search", "-", "-k", "2", stdin=query))
    assert first == f"1.0000  {photos / 'picture 0.jpg'}  (no such file)"
    assert "no such file" not in second


def test_a_folder_that_is_away_is_told_once_and_not_of_each_hit(
    indexed: Iss, photos: Path, make_picture: MakePicture, tmp_path: Path
) -> None:
    other = make_picture(tmp_path / "scans" / "other.png", 90)
    indexed("index", tmp_path / "scans")
    query = (photos / "picture 0.jpg").read_bytes()
    photos.rename(tmp_path / "unplugged")
    other.unlink()
    (tmp_path / "scans" / "notes.txt").write_text("this one is here")
    for _ in ("gone", "empty"):
        found = indexed("search", "-", "-k", "13", stdin=query)
        (marked,) = (line for line in lines(found) if "no such" in line)
        assert f"{other}  (no" in marked
        (said,) = found.err.splitlines()
        assert said.startswith(f"{photos} is not on this computer, or it is empty: ")
        assert "'iss relocate OLD NEW'" in said
        assert indexed("info").err.splitlines() == [said]
        assert indexed("thumbnails", "--rebuild").err.splitlines() == [said]
        photos.mkdir(exist_ok=True)


def test_search_as_json_and_by_id(indexed: Iss, photos: Path) -> None:
    answer = indexed.json("search", photos / "picture 0.jpg", "-k", "2")
    assert isinstance(answer, dict)
    best = answer["hits"][0]
    assert (best["rank"], best["score"], best["distance"]) == (1, 1.0, 0.0)
    assert (best["path"], best["width"], best["height"]) == (str(photos / "picture 0.jpg"), 96, 72)
    by_id = indexed.json("search", "--id", str(best["id"]), "-k", "1")
    assert isinstance(by_id, dict)
    assert by_id["hits"][0]["path"] == answer["hits"][1]["path"]


def test_search_reads_a_picture_from_standard_input(indexed: Iss, photos: Path) -> None:
    data = (photos / "picture 0.jpg").read_bytes()
    assert lines(indexed("search", "-", "-k", "1", stdin=data))[0].startswith("1.0000")


def test_search_writes_a_page(indexed: Iss, photos: Path) -> None:
    done = indexed("search", photos / "picture 0.jpg", "-k", "4", "--html", "page.html")
    page = (indexed.folder / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/") == 5
    assert "picture 0.jpg" in page
    assert b"page.html" in done.stderr
    done = indexed("search", photos / "picture 0.jpg", "--html", "no/page.html", status=3)
    assert b"can't be written" in done.stderr


def test_any_name_survives(iss: Iss, tmp_path: Path, make_picture: MakePicture) -> None:
    names = [b"new\nline.png", b"not utf-8 \xff.png", b"  spaces  .png", b"\x1b[31mred.png"]
    folder = tmp_path / "odd"
    for seed, name in enumerate(names):
        make_picture(folder / os.fsdecode(name), seed)
    iss("index", folder, "--model", "colour-texture")
    query = folder / os.fsdecode(names[0])
    done = iss("search", query, "--paths", "-0")
    expected = {os.fsencode(folder) + b"/" + name for name in names}
    assert set(done.stdout.split(b"\0")) == expected | {b""}
    assert done.stdout.startswith(os.fsencode(query) + b"\0")
    assert len(lines(iss("search", query))) == len(names)
    assert b"\x1b" not in iss("search", query).stdout
    answer = iss.json("search", query)
    assert isinstance(answer, dict)
    assert {os.fsencode(hit["path"]) for hit in answer["hits"]} == expected
    listed = b"\0".join(expected)
    assert lines(iss("remove", "-0", "--files-from", "-", stdin=listed)) == ["removed 4"]


def test_add_and_remove(indexed: Iss, tmp_path: Path, make_picture: MakePicture) -> None:
    one, two = (make_picture(tmp_path / f"new {seed}.png", seed) for seed in (50, 51))
    assert lines(indexed("add", one, two)) == ["added 2, skipped 0"]
    assert lines(indexed("search", one, "-k", "1")) == [f"1.0000  {one}"]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no")
    done = indexed("add", bad, status=exits.BAD_IMAGE)
    assert b"not a supported image format" in done.stderr
    assert lines(indexed("remove", one, two)) == ["removed 2"]
    done = indexed("remove", one, status=exits.BAD_IMAGE)
    assert b"not in this collection" in done.stderr


def test_info_says_what_is_there(indexed: Iss, photos: Path) -> None:
    text = indexed("info").stdout.decode()
    for part in ("12 indexed, 0 skipped", str(photos), "colour-texture", "cosine", "exact"):
        assert part in text
    info = indexed.json("info")
    assert isinstance(info, dict)
    assert (info["indexed"], info["roots"], info["dim"]) == (12, [str(photos)], 1152)
    assert info["memory_bytes"] == 12 * (1152 * 4 + 8)
    assert "in memory: 0.1 MB store" in text
    thumbnails = indexed.folder / "index_data" / "thumbnails.sqlite"
    assert info["thumbnail_bytes"] >= thumbnails.stat().st_size > 0
    assert " MB thumbnails" in text


def test_info_measures_recall(indexed: Iss) -> None:
    assert (
        "recall:    1.000 (12 queries, k 3); "
        in indexed("info", "--measure-recall", "-k", "3").stdout.decode()
    )
    info = indexed.json("info", "--measure-recall")
    assert isinstance(info, dict)
    recall = info["recall"]
    assert (recall["k"], recall["queries"], recall["recall"]) == (10, 12, 1.0)
    assert recall["seconds"] > 0 < recall["exact_seconds"]


def test_rebuild_needs_no_pictures(indexed: Iss, photos: Path) -> None:
    query = (photos / "picture 0.jpg").read_bytes()
    before = indexed("search", "-", "--paths", stdin=query).stdout
    for path in photos.rglob("*.*"):
        path.unlink()
    (line,) = lines(indexed("rebuild", "--index", "exact"))
    assert line.startswith("rebuilt: 12 images, exact")
    (line,) = lines(indexed("rebuild", "--index", "hnsw"))
    assert line == "rebuilt: 12 images, hnsw (FAISS HNSWFlat)"
    assert indexed("search", "-", "--paths", stdin=query).stdout == before


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["search", "missing.jpg"], 3, "missing.jpg: no such file"),
        (["search", "photos/picture 0.jpg", "-k", "0"], 2, "-k is 0; expected"),
        (["search"], 2, "give IMAGE, --id N"),
        (["search", "--id", "999"], 3, "no indexed image has this id"),
        (["search", "--id", "9" * 40], 3, "no indexed image has this id"),
        (["search", "photos/picture 0.jpg", "--threshold", "nan"], 2, "threshold is nan"),
        (["search", "photos/picture 0.jpg", "--threshold", "90"], 2, "a score from 0 to 1"),
        (["add", "photos"], 3, "a folder: use 'iss index' or Collection.sync"),
        (["search", "a.jpg", "--index-dir", "none"], 4, "or give its location with --index-dir"),
        (["index", "nowhere"], 3, "nowhere: no such folder"),
        (["index", "photos/picture 0.jpg"], 3, "a file, not a folder: add it with 'iss add'"),
        (["index", "photos", "--metric", "l2"], 4, "metric is cosine, but l2"),
        (["index", "photos", "--model", "nonsense"], 4, "colour-texture, but nonsense"),
        (["index", "photos", "--model", "nonsense", "--index-dir", "i"], 5, "known are: "),
        (["index", "photos", "--index", "nonsense", "--index-dir", "i"], 2, "one of auto, exact"),
        (["index", "photos", "--index-dir", "i", "--recall", "2"], 2, "--recall is 2.0"),
        (["index", "photos", "--index-dir", "i", "--time-limit", "0"], 2, "--time-limit is 0.0"),
        (["duplicates", "--between", "photos", "photos/."], 2, "two different folders"),
        (["index", "photos", "--include", "*.txt"], 2, "--include is '*.txt'"),
        (["restore", "photos"], 4, "not a backup (it has no catalog.sqlite); nothing was changed"),
        (["index", "photos", "--exclude", "*"], 2, "leave at least one indexed picture"),
        (["add"], 2, "no images given"),
        (["remove"], 2, "no images given"),
        (["remove", ""], 2, "path is ''"),
        (["search", ""], 2, "path is ''"),
        (["add", "nowhere.jpg", "--index-dir", "i"], 3, "nothing was added"),
        (["demo", "photos/none"], 3, "no such folder"),
        (["demo", "--to", "/proc/nowhere"], 4, "can't be written to"),
        (["rebuild", "--index", "nonsense"], 2, "one of auto, exact"),
        (["rebuild", "--index", ""], 2, "--index is ''"),
        (["rebuild", "--index", "IVF65536,Flat"], 6, "at least 2,555,904 images, and there are 12"),
        (["info", "--measure-recall", "-k", "0"], 2, "k is 0"),
        (["info", "-k", "5"], 2, "--measure-recall"),
        (["models", "--text"], 2, "--fetch NAME"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_mistakes_are_said_and_have_a_status(
    indexed: Iss, arguments: list[str], status: int, words: str
) -> None:
    done = indexed(*arguments, status=status)
    assert words in done.stderr.decode()
    assert not done.stdout
    assert b"Traceback" not in done.stderr
    assert not (indexed.folder / "i").exists()


def test_a_damaged_store_is_made_anew_and_that_is_said(indexed: Iss, photos: Path) -> None:
    (indexed.folder / "index_data" / "faiss.index").write_bytes(b"damaged")
    done = indexed("search", photos / "picture 0.jpg")
    assert done.stderr.startswith(b"iss: ")
    assert b"rebuilding it" in done.stderr
    (indexed.folder / "index_data" / "faiss.index").unlink()
    assert b"rebuilding it" in indexed("index", photos).stderr
    assert not indexed("search", photos / "picture 0.jpg").stderr


def test_no_codec_writes_to_the_terminal(iss: Iss, tmp_path: Path) -> None:
    folder = tmp_path / "tiffs"
    folder.mkdir()
    draw(1).save(folder / "a.tif", compression="tiff_lzw")
    data = (folder / "a.tif").read_bytes()
    (folder / "a.tif").write_bytes(data[:8] + b"\xff" * 40 + data[48:])
    (folder / "b.tif").write_bytes(data[: len(data) // 2])
    done = iss("index", folder, "--model", "colour-texture")
    assert b"skipped" in done.stdout
    assert done.stderr.decode().splitlines() == [
        "'iss info --skipped' lists the skipped files and why"
    ]


def test_help_has_examples_and_the_statuses(iss: Iss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = iss("--help").stdout.decode()
    assert "..." not in text.partition("Commands:")[2]  # no summary is cut
    assert "Examples:" in text
    for status in {0, 130, *exits.EXIT_STATUS.values()}:
        assert f"  {status} " in text
    commands = "index search add remove info rebuild verify relocate demo completion"
    for name in commands.split():
        assert f"  {name} " in text
        of_one = iss(name, "--help").stdout.decode()
        assert f"iss {name}" in of_one.split("Examples:")[1]


def test_a_former_name_of_an_option_is_not_shown(iss: Iss) -> None:
    options = [line.split() for line in iss("search", "--help").stdout.decode().splitlines()]
    shown = {words[0] for words in options if words}
    assert {"--modified-after", "--modified-before"} <= shown
    assert not {"--after", "--before"} & shown


@pytest.mark.parametrize(
    ("command", "default"), [("index", "efficientnet-lite0-whole"), ("import-legacy", "resnet50")]
)
def test_help_names_the_default_model_of_the_command(iss: Iss, command: str, default: str) -> None:
    text = " ".join(iss(command, "--help").stdout.decode().split())
    assert f"[default: {default}]" in text
    assert "efficientnet" not in iss("search", "--help").stdout.decode()


def test_a_forgotten_0_is_said(indexed: Iss) -> None:
    done = indexed("add", "--files-from", "-", stdin=b"a.jpg\0b.jpg\0", status=exits.USAGE)
    assert b"add -0" in done.stderr


def test_the_demo_runs_on_pictures_of_its_own(iss: Iss) -> None:
    done = iss("demo")
    assert "As a page:          file://" in done.stdout.decode()
    page = (iss.folder / "demo" / "gallery.html").read_text(encoding="utf-8")
    assert page.count("data:image/") == 3 * (1 + 8)


def test_the_demo_runs_on_a_folder(iss: Iss, photos: Path) -> None:
    text = iss("demo", photos).stdout.decode()
    assert text.count("Most like ") >= 1
    (iss.folder / "empty").mkdir()
    assert b"no pictures" in iss("demo", "empty", status=exits.BAD_IMAGE).stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(iss: Iss, shell: str) -> None:
    assert "_ISS_COMPLETE" in iss("completion", shell).stdout.decode()
