"""``iss evaluate`` on real folders."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from command_line import Iss, lines
from conftest import draw

from image_similarity_search.cli import exits


@pytest.fixture
def indexed(index_data: Path) -> Iss:
    """An ``iss`` in a folder where the photos are indexed without a neural network."""
    return Iss(index_data.parent)


def test_it_says_how_well_folders_are_found(indexed: Iss) -> None:
    done = indexed("evaluate", "--truth", "folders", "--worst", "2")
    shown = lines(done)
    assert [line.split("  ")[0] for line in shown[:2]] == ["mAP", "P@1"]
    assert sum(line.startswith("mAP 0.") for line in shown) == 2
    assert b"searches among 12 images in 3 groups, 3 in none" in done.stderr
    found = indexed.json("evaluate", "--truth", "folders", "-k", "2")
    assert isinstance(found, dict)
    assert list(found["figures"]) == ["mAP", "P@2", "R@2", "mAP of groups"]
    assert {group["name"] for group in found["groups"]} == {
        "holiday",
        "holiday/beach",
        "würfel & co",
    }
    assert len(found["worst"]) == found["searches"] == 9


def test_an_image_in_the_wrong_folder_is_named_first(tmp_path: Path) -> None:
    for folder, seed, names in (("one", 1, "abcd"), ("two", 2, "abc"), ("two", 1, "x")):
        (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            size = (96 + ord(name) % 7, 72)
            draw(seed, size).save(tmp_path / "set" / folder / f"{name}.png")
    iss = Iss(tmp_path)
    iss("index", "set", "--model", "colour-texture")
    done = iss("evaluate", "--truth", "folders", "--worst", "1")
    wrong = tmp_path / "set" / "two" / "x.png"
    assert lines(done)[-1] == f"AP 0.3206, first match at rank 5  {wrong} (two; looks like one)"
    assert "more searches with imperfect results; list all with --worst " in done.err
    everything = iss("evaluate", "--truth", "folders", "--worst", "8")
    assert "more" not in everything.err
    assert lines(everything)[-1].startswith("AP 0.")
    assert everything.out.count("looks like") == 1
    assert "1 image may be mislabelled; list with --paths\n" in everything.err
    found = iss.json("evaluate", "--truth", "folders", "--worst", "1")
    assert found["worst"] == found["mislabelled"]
    assert (found["worst"][0]["group"], found["worst"][0]["looks_like"]) == ("two", "one")
    assert found["sizes"] == [{"name": "one", "images": 4}, {"name": "two", "images": 4}]
    paths = iss("evaluate", "--truth", "folders", "-0", "--exit-code", status=exits.FOUND)
    assert paths.out == f"{wrong}\0"
    iss("evaluate", "--truth", "folders", "--worst", "1", "--html", "worst.html")
    page = (tmp_path / "worst.html").read_text("utf-8")
    assert "two; looks like one" in page
    assert (page.count(">Wrong group: one<"), page.count(">Right<")) == (4, 3)
    none = iss("evaluate", "--truth", "folders", "--worst", "0")
    assert "png" not in none.out


def test_it_writes_a_page_of_the_worst(indexed: Iss, tmp_path: Path) -> None:
    indexed("evaluate", "--truth", "folders", "--worst", "1", "--html", "worst.html")
    page = (tmp_path / "worst.html").read_text("utf-8")
    assert page.count("<section") == 1
    assert page.count("<li>") == 10
    right, wrong = page.count(">Right<"), page.count(">Wrong")
    assert right + wrong == 10
    assert 0 <= right <= 2
    assert "The worst 1 of 9 searches" in page


@pytest.mark.parametrize("name", ["images.csv", "images.parquet"])
def test_it_writes_a_table_of_all_images(indexed: Iss, tmp_path: Path, name: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    os.rename(tmp_path / "photos" / "holiday", tmp_path / "photos" / os.fsdecode(b"h\xe4"))
    indexed("index", "photos")
    found = indexed.json("evaluate", "--truth", "folders", "--table", name)
    if name.endswith(".csv"):
        with open(tmp_path / name, errors="surrogateescape", newline="") as file:
            rows: list[dict[str, Any]] = list(csv.DictReader(file))
    else:
        rows = parquet.read_table(tmp_path / name).to_pylist()
        assert all(isinstance(row["fit"], float) for row in rows)
    of_id = {query["id"]: query for query in found["worst"]}
    assert [int(row["id"]) for row in rows] == sorted(of_id)
    for row in rows:
        query = of_id[int(row["id"])]
        assert float(row["average_precision"]) == query["figures"]["mAP"]
        assert (float(row["fit"]), int(row["first"])) == (query["fit"], query["first"])
        said = {key: query[key] for key in ("path", "group", "looks_like")}
        if name.endswith(".parquet"):
            said = {key: value.replace("\udce4", "\\xe4") for key, value in said.items()}
        assert {key: row[key] for key in said} == said


def test_a_table_has_a_name_that_says_what_it_is(indexed: Iss, tmp_path: Path) -> None:
    done = indexed("evaluate", "--truth", "folders", "--table", "images.txt", status=exits.USAGE)
    assert "--table is 'images.txt'; expected a name that ends in .csv or .parquet" in done.err
    assert not (tmp_path / "images.txt").exists()


def test_it_compares_two_collections(indexed: Iss, photos: Path) -> None:
    indexed("index", photos, "--index-dir", "other", "--metric", "l1", "--model", "colour-texture")
    arguments = ("evaluate", "--truth", "folders", "--against", "other")
    done = indexed(*arguments)
    first = lines(done)[0].split()
    assert first[0] == "mAP"
    assert float(first[2]) - float(first[1]) == pytest.approx(float(first[3]), abs=2e-4)
    assert b"9 searches with the same query images, 3 groups" in done.stderr
    found = json.loads(indexed(*arguments, "--json").stdout)
    assert found["against"]["searches"] == 9
    assert found["against"]["figures"]["mAP"]["first"] == found["figures"]["mAP"]["value"]


def test_what_is_missing_is_told(indexed: Iss, photos: Path) -> None:
    truth = "".join(f"picture {n}.jpg,x\n" for n in (0, 300, 301, 302))
    (photos / "groups.csv").write_text(f"{truth}holiday/picture 9.jpg,x\npicture 4.png,y\n")
    done = indexed("evaluate", "--truth", photos / "groups.csv", "--worst", "2")
    assert done.stderr.decode().count("not in the collection: ") == 2
    assert b"and 1 more" in done.stderr
    assert b"(no other image in the group): 1 group, such as y\n" in done.stderr


def test_a_truth_that_makes_no_sense_is_wrong_usage(indexed: Iss) -> None:
    done = indexed("evaluate", "--truth", "nothing.csv", status=exits.USAGE)
    assert "--truth is 'nothing.csv'; expected 'folders', " in done.err
    assert done.err.endswith("(there is no such file)\n")


@pytest.fixture
def split(tmp_path: Path) -> Iss:
    """The same two things in ``train`` and in ``val``."""
    for part, folder in enumerate(("train/001", "val/001", "train/002", "val/002")):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for number in range(2):
            draw(part * 2 + number).save(tmp_path / "set" / folder / f"{part}{number}.png")
    iss = Iss(tmp_path)
    iss("index", "set", "--model", "colour-texture")
    return iss


def test_folders_of_one_name_can_be_one_group(split: Iss) -> None:
    done = split("evaluate", "--truth", "folders")
    assert b"8 images in 4 groups" in done.stderr
    assert "2 names are those of several folders, such as train/001 and val/001: " in done.err
    done = split("evaluate", "--truth", "folder-names")
    assert b"8 images in 2 groups" in done.stderr
    assert b"several folders" not in done.stderr


def test_a_table_of_another_program(split: Iss, tmp_path: Path) -> None:
    rows = "".join(f"set/train/001/0{n}.png,x\n" for n in range(2))
    (tmp_path / "groups.csv").write_text(f"filename,Label\n{rows}")
    assert "not among" not in split("evaluate", "--truth", "groups.csv").err
    (tmp_path / "labels.tsv").write_text("label\tpath\nx\t00.png\nx\t01.png\n")
    split("evaluate", "--truth", "labels.tsv", "--relative-to", "set/train/001", "--depth", "2")
    (tmp_path / "groups.csv").write_text(f"filename,label\n{rows}", encoding="utf-16")
    assert "as UTF-8" in split("evaluate", "--truth", "groups.csv", status=exits.USAGE).err
    (tmp_path / "groups.csv").write_bytes("b\u00e4r.png,x\n".encode("latin-1"))
    assert "not UTF-8" in split("evaluate", "--truth", "groups.csv", status=exits.USAGE).err
