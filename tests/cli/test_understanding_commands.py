"""What the commands say that help to understand a collection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from image_similarity_search.cli.app import app


class Here:
    """Runs commands within this process, in a folder with twelve ``photos`` that are indexed."""

    def __init__(self, folder: Path) -> None:
        self.photo = str(folder / "photos" / "picture 0.jpg")
        self.folder = folder

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(app, arguments, input=stdin)

    def output(self, *arguments: str, stdin: bytes = b"") -> str:
        done = self(*arguments, stdin=stdin)
        assert done.exception is None, done.exception
        return done.stdout


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    (place / "index").rename(place / "index_data")
    monkeypatch.chdir(place)
    return Here(place)


def test_an_explanation_in_numbers(here: Here) -> None:
    told = json.loads(here.output("explain", here.photo, "id:3", "--json"))
    assert (told["query"]["path"], told["method"]) == (here.photo, "occlusion")
    assert told["hit"]["path"].startswith(str(here.folder / "photos"))
    assert [len(told[side]["parts"]) for side in ("query", "hit")] == [7, 7]
    left = "--region", "0,0,0.5,1"
    part = json.loads(here.output("explain", here.photo, "id:3", "--json", *left))
    assert part["query"]["seen"][0] + part["query"]["seen"][2] <= 0.5
    lines = here.output("explain", here.photo, here.photo).splitlines()
    assert lines[0] == "score 1.0000, cosine 1.0000"
    assert [len(line.split()) for line in lines[2:9]] == [7] * 7
    assert len(lines) == 1 + 2 * 8


def test_an_explanation_is_drawn(here: Here) -> None:
    photo = Path(here.photo).read_bytes()
    drawn = "--to", "why.PNG", "--html", "why.html"
    assert here.output("explain", "-", "id:3", *drawn, stdin=photo) == ""
    with Image.open("why.PNG") as picture:
        assert picture.format == "PNG"
        assert picture.width > 600
    page = Path("why.html").read_text("utf-8")
    assert "how much the similarity falls when a place is covered" in page
    assert page.count("data:image/jpeg;base64,") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["id:99", "PHOTO"], "no indexed image has this id"),
        (["PHOTO", "nowhere.jpg"], "nowhere.jpg: no such file"),
        (["PHOTO", "PHOTO", "--to", "why.gif"], "--to is 'why.gif'; expected a file name"),
        (["PHOTO", "PHOTO", "--to", "no/why.png"], "no/why.png: can't be written"),
        (["PHOTO", "PHOTO", "--method", "places"], "--method is 'places'; expected occlusion"),
    ],
)
def test_what_can_not_be_explained(here: Here, arguments: list[str], message: str) -> None:
    done = here("explain", *(here.photo if word == "PHOTO" else word for word in arguments))
    assert message in str(done.exception)


def test_clusters(here: Here) -> None:
    told = json.loads(here.output("clusters", "--count", "3", "--shown", "2", "--json"))
    assert (len(told["clusters"]), told["images"], told["tried"]) == (3, 12, {})
    assert sum(cluster["count"] for cluster in told["clusters"]) == 12
    for cluster in told["clusters"]:
        assert cluster["typical"][0]["id"] == cluster["ids"][0]
        assert len(cluster["typical"]) <= 2
    done = here("clusters", "--html", "clusters.html")
    lines = done.stdout.splitlines()
    assert sum(int(line.split()[0]) for line in lines) == 12
    assert f"{len(lines)} clusters of 12 images" in done.stderr
    assert "chosen by silhouette" in done.stderr
    page = Path("clusters.html").read_text("utf-8")
    assert page.count("<section") == len(lines)
    told = json.loads(here.output("clusters", "--json"))
    for cosine in (image["cosine"] for one in told["clusters"] for image in one["typical"][1:]):
        assert f"{1 / (1 + (1 - cosine)):.4f}" in page
    here.output("clusters", "--count", "12", "--html", "alone.html")
    assert Path("alone.html").read_text("utf-8").count("No other images.") == 12
    assert "--count is 13" in str(here("clusters", "--count", "13").exception)


def test_what_is_all_the_same_is_one_cluster(here: Here) -> None:
    (here.folder / "same").mkdir()
    for number in range(6):
        file = here.folder / "same" / f"{number}.png"
        Image.new("RGB", (64, 64), "red").save(file, compress_level=number)
    where = "--index-dir", "same.index"
    here.output("index", "same", *where, "--model", "colour-texture")
    done = here("clusters", *where)
    assert "1 cluster of 6 images in " in done.stderr
    assert done.stderr.endswith(", as they can't be separated\n")
    assert "can't be told apart" not in here("clusters", *where, "--count", "1").stderr


def test_outliers(here: Here) -> None:
    told = json.loads(here.output("outliers", "--count", "2", "-k", "3", "--json"))
    first, second = told["outliers"]
    assert (told["images"], told["k"]) == (12, 3)
    assert first["distance"] >= second["distance"] >= told["median"] > 0
    assert len(first["nearest"]) == 3
    lines = here.output("outliers", "--count", "2", "-k", "3", "--html", "out.html").splitlines()
    assert [line.split("x  ", 1)[1] for line in lines] == [first["path"], second["path"]]
    assert Path("out.html").read_text("utf-8").count("Outlier</p>") == 2
    paths = here.output("outliers", "--count", "2", "-k", "3", "--paths", "-0")
    assert paths.split("\0")[:2] == [first["path"], second["path"]]
