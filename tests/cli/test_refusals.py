"""What is said where nothing can be done as it was asked for: why, and what to do instead."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from camera_files import exif
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from conftest import draw
from privileges import as_anybody

from image_similarity_search.cli import exits
from image_similarity_search.cli.app import app
from image_similarity_search.collection import Collection
from image_similarity_search.errors import ImageSearchError

Said = Callable[..., str]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``photos``, some in a folder below and one of them bad, and their index."""
    home = tmp_path_factory.mktemp("messages")
    (home / "photos" / "below").mkdir(parents=True)
    (home / "photos" / "bad.jpg").write_bytes(b"\xff\xd8\xff no picture")
    for seed in range(3):
        draw(seed).save(home / "photos" / f"{seed}.jpg", exif=exif())
        draw(seed + 3).save(home / "photos" / "below" / f"{seed}.png")
    with Collection.open(home / "index", encoder="colour-texture", create=True) as made:
        made.sync(home / "photos")
        made.add_tags([home / "photos" / "0.jpg"], "beach")
    (home / "flat").mkdir()
    draw(1).save(home / "flat" / "1.png")
    draw(2).save(home / "flat" / "2.png")
    for name, folder in (("flat.index", "flat"), ("empty.index", None)):
        with Collection.open(home / name, encoder="colour-texture", create=True) as made:
            if folder:
                made.sync(home / folder)
    (home / "truth.csv").write_text("photos/0.jpg,a\nphotos/1.jpg,a\n")
    (home / "elsewhere.csv").write_text("nowhere/0.jpg,a\nnowhere/1.jpg,a\n")
    (home / "alone.csv").write_text("photos/0.jpg,a\nphotos/1.jpg,b\n")
    return home


@pytest.fixture
def said(home: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    """Runs ``iss`` and gives all that it says, its last words too."""
    monkeypatch.chdir(home)

    def run(*arguments: str, index: str = "index") -> str:
        done = CliRunner().invoke(app, [*arguments, "--index-dir", index])
        error = done.exception
        return f"{done.output}{error if isinstance(error, ImageSearchError) else ''}"

    return run


@pytest.mark.parametrize(
    ("arguments", "index", "why"),
    [
        (
            ["--truth", "elsewhere.csv"],
            "index",
            "no path in elsewhere.csv is an image of the collection, such as",
        ),
        (["--truth", "truth.csv", "--against", "flat.index"], "index", "flat.index (--against): "),
        (["--truth", "folders", "--name", "no*"], "index", "no image of the collection matches"),
        (["--truth", "folders"], "empty.index", "the collection is empty"),
        (["--truth", "folders"], "flat.index", "all images are directly in the indexed folder"),
        (
            ["--truth", "alone.csv"],
            "index",
            "no group in alone.csv has two images of the collection",
        ),
    ],
)
def test_why_there_is_nothing_to_evaluate(
    said: Said, arguments: list[str], index: str, why: str
) -> None:
    answer = said("evaluate", *arguments, index=index)
    assert why in answer
    assert "expected" not in answer


def test_a_bad_file_gets_no_tags(said: Said, home: Path) -> None:
    refused = said("tag", "add", "word", "photos/bad.jpg")
    assert "a skipped file (" in refused
    assert "can't have tags" in refused
    assert said("tag", "add", "all", "photos") == "changed 6\n"
    assert said("tag", "remove", "all", "photos") == "changed 6\n"
    with Collection.open(home / "index") as collection:
        assert "tags" not in next(collection.skipped()).metadata


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--tag", "breach"], ["no image has the tag breach; known tags: beach"]),
        (["--camera", "nikon"], ["no camera name contains nikon; known cameras: Canon EOS 5D"]),
        (["--tag", "beach", "--name", "2*"], ["no hits\n"]),
    ],
)
def test_what_there_is_instead_of_an_unknown_tag_or_camera(
    said: Said, arguments: list[str], parts: list[str]
) -> None:
    answer = said("search", "photos/1.jpg", *arguments)
    assert answer.startswith("no hits\n")
    assert all(part in answer for part in parts)
    assert answer.count("; known ") == (parts != ["no hits\n"])


@pytest.mark.parametrize(
    ("typed", "alike"),
    [("serach", "'search'"), ("duplicate", "'duplicates'"), ("import-legac", "'import-legacy'")],
)
def test_a_command_that_there_is_not(said: Said, typed: str, alike: str) -> None:
    answer = said(typed)
    assert f"No such command '{typed}'. Did you mean {alike}" in answer
    assert "No such command 'xyzzy'.\n" in said("xyzzy")


def test_what_follows_a_mistyped_command_is_completed_in_silence() -> None:
    complete = ShellComplete(app, {}, "iss", "_ISS_COMPLETE")
    assert complete.get_completions(["serach"], "--") is not None


def test_an_option_that_there_is_not(said: Said) -> None:
    answer = said("search", "a.jpg", "--thershold", "1")
    assert "--threshold" in answer.partition("Did you mean ")[2]


@pytest.mark.parametrize(
    ("command", "nothing"),
    [("clusters", "no clusters: "), ("outliers", "no outliers: "), ("map", "no map: ")],
)
def test_what_there_is_nothing_to_tell_of(
    said: Said, home: Path, command: str, nothing: str
) -> None:
    page = home / f"{command}.html"
    answer = said(command, "--html", str(page), index="empty.index")
    assert answer == f"{nothing}the collection is empty; add images with 'iss index FOLDER'\n"
    answer = said(command, "--html", str(page), "--name", "no*")
    assert answer.endswith(f"{nothing}no image matches the filter\n")
    assert not page.exists()


def test_one_image_is_one_cluster_and_no_outlier(said: Said) -> None:
    answer = said("clusters", "--name", "0.jpg")
    assert "1 cluster of 1 image in " in answer
    assert "silhouette" not in answer
    assert "no outliers: there is only one image\n" in said("outliers", "--name", "0.jpg")


def test_a_folder_that_may_not_be_entered(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "below").mkdir(parents=True)
    draw(1).save(closed / "q.png")
    closed.chmod(0)
    iss = [*as_anybody(), sys.executable, "-m", "image_similarity_search"]
    try:
        for command, what in (("add", "q.png"), ("index", "below")):
            done = subprocess.run(
                [*iss, command, closed / what, "--index-dir", tmp_path / "i"],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == exits.BAD_IMAGE
            assert f"{closed / what}: it can't be checked: permission denied;" in done.stderr
    finally:
        closed.chmod(0o700)
    assert not (tmp_path / "i").exists()


def test_several_images_are_given_with_like(said: Said) -> None:
    assert "to search by all of them: a.jpg --like b.jpg --like c.jpg" in said(
        "search", "a.jpg", "b.jpg", "c.jpg"
    )


def test_examples_that_cancel_out(said: Said) -> None:
    answer = said("search", "--id", "1", "--weighted", "-1", "photos/0.jpg")
    assert "the 2 examples cancel each other out" in answer


def test_nothing_to_undo(said: Said) -> None:
    answer = said("duplicates", "--undo")
    assert answer.startswith("there is nothing to undo in ")


def test_no_box(said: Said) -> None:
    answer = said("search", "--id", "1", "--gps-box", "50,5,40,10")
    assert answer.startswith("50.0,5.0,40.0,10.0 is not a box on the earth; give four numbers")


def test_a_port_in_use(said: Said) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = said("serve", "--port", port)
    assert answer.startswith(f"can't listen at 127.0.0.1:{port} (")
    assert "--port" in answer


def test_one_is_no_plural(said: Said) -> None:
    assert "evaluated" not in said("rebuild")
    answer = said("evaluate", "--truth", "truth.csv")
    assert "2 searches among 6 images in 1 group, 4 in none" in answer
    assert "rebuilt: 2 images" in said("rebuild", index="flat.index")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["thumbnails", "--on", "--off"], "give only one of --on and --off"),
        (
            ["search", "--weighted", "0", "photos/0.jpg"],
            "at least one query needs a weight above 0: give IMAGE",
        ),
        (
            ["explain", "photos/0.jpg", "id:x"],
            "no such file 'id:x'; for an image of the collection",
        ),
        (["explain", "photos/0.jpg", "2"], "2: no such file; for the image with this id give id:2"),
        (["search", "2"], "2: no such file; for the image with this id give id:2"),
        (["search", "photos/0.jpg", "--like", "2"], "for the image with this id give id:2"),
        (["search", "photos/0.jpg", "--unlike", "2"], "for the image with this id give id:2"),
        (["search", "--weighted", "1", "2"], "for the image with this id give id:2"),
    ],
)
def test_what_makes_no_sense_is_named(said: Said, arguments: list[str], why: str) -> None:
    assert why in said(*arguments)


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("pyarrow", ["export", "new.parquet", "--index-dir", "index"]),
        ("pyarrow", ["import", "photos/any.parquet", "--index-dir", "new"]),
        ("openTSNE", ["map", "--html", "map.html", "--index-dir", "index"]),
        ("fsspec", ["index", "s3://bucket/photos", "--index-dir", "index"]),
        ("ray", ["index", "photos", "--on", "ray", "--index-dir", "by-ray"]),
        ("psycopg", ["join", "postgresql://a@127.0.0.1:1/b", "--index-dir", "new"]),
        ("timm", ["index", "photos", "--model", "timm:resnet18", "--index-dir", "new"]),
    ],
)
def test_a_missing_package_has_one_status(
    home: Path, monkeypatch: pytest.MonkeyPatch, package: str, arguments: list[str]
) -> None:
    monkeypatch.chdir(home)
    (home / "photos" / "any.parquet").touch()
    for module in [one for one in sys.modules if one.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    shared = "image_similarity_search.catalog.postgresql"
    for module in [one for one in sys.modules if one.startswith(shared)]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, ImageSearchError)
    assert "pip install" in str(error)
    assert exits.status_of(error) == exits.USAGE
