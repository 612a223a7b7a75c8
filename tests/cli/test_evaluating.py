"""``iss evaluate`` on real folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Iss, lines

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


def test_it_writes_a_page_of_the_worst(indexed: Iss, tmp_path: Path) -> None:
    indexed("evaluate", "--truth", "folders", "--worst", "1", "--html", "worst.html")
    page = (tmp_path / "worst.html").read_text("utf-8")
    assert page.count("<section") == 1
    assert page.count("<li>") == 10
    right, wrong = page.count(">Right<"), page.count(">Wrong<")
    assert right + wrong == 10
    assert 0 <= right <= 2
    assert "The worst 1 of 9 searches" in page


def test_it_compares_two_collections(indexed: Iss, photos: Path) -> None:
    indexed("index", photos, "--index-dir", "other", "--metric", "l1", "--model", "colour-texture")
    arguments = ("evaluate", "--truth", "folders", "--against", "other")
    done = indexed(*arguments)
    first = lines(done)[0].split()
    assert first[0] == "mAP"
    assert float(first[2]) - float(first[1]) == pytest.approx(float(first[3]), abs=2e-4)
    assert b"9 searches by the same images, 3 groups" in done.stderr
    found = json.loads(indexed(*arguments, "--json").stdout)
    assert found["against"]["searches"] == 9
    assert found["against"]["figures"]["mAP"]["first"] == found["figures"]["mAP"]["value"]


def test_what_is_missing_is_told(indexed: Iss, photos: Path) -> None:
    truth = "".join(f"picture {n}.jpg,x\n" for n in (0, 300, 301, 302))
    (photos / "groups.csv").write_text(f"{truth}holiday/picture 9.jpg,x\n")
    done = indexed("evaluate", "--truth", photos / "groups.csv", "--worst", "2")
    assert done.stderr.decode().count("not among the images: ") == 2
    assert b"and 1 more" in done.stderr


def test_a_truth_that_makes_no_sense_is_wrong_usage(indexed: Iss) -> None:
    done = indexed("evaluate", "--truth", "nothing.csv", status=exits.USAGE)
    assert b"nothing.csv" in done.stderr
