"""The commands that check, repair and move a collection, and wait for another process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_line import ISS, Iss
from conftest import MakePicture

from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.cli import exits
from image_similarity_search.cli.options import _with_seconds

_PAGE = 16_384


@pytest.fixture
def iss(index_data: Path) -> Iss:
    """An ``iss`` in a folder where the photos are indexed without a neural network."""
    return Iss(index_data.parent)


@pytest.fixture
def catalog(iss: Iss) -> Path:
    return iss.folder / "index_data" / "catalog.sqlite"


def zero(file: Path, page: int) -> None:
    data = bytearray(file.read_bytes())
    data[page * _PAGE : (page + 1) * _PAGE] = bytes(_PAGE)
    file.write_bytes(data)


def test_a_whole_collection_is_said_to_be_so(iss: Iss) -> None:
    done = iss("verify")
    catalog, store = done.out.splitlines()
    assert catalog.startswith("catalog: ")
    assert catalog.endswith(" pages, 1 root, 4 folders, 12 images, 12 embeddings, no problems")
    assert store == "store:   12 vectors, no problems"
    assert not done.err
    assert iss("verify", "--files").out.splitlines()[2] == "files:   12 files, no problems"
    report = iss.json("verify", "--files")
    assert (report["damaged"], report["repair"], report["problems"]) == (False, None, [])
    (iss.folder / "index_data" / "faiss.index").unlink()
    assert iss("verify").out.endswith(
        "\nstore:   0 vectors, the index file is missing and will be rebuilt\n"
    )
    assert report["checked"]["files"] == 12


def test_a_damaged_catalog_is_named_and_repaired(iss: Iss, catalog: Path, photos: Path) -> None:
    zero(catalog, 0)
    done = iss("search", photos / "picture 0.jpg", status=exits.DAMAGED)
    assert str(catalog) in done.err
    assert "run 'iss verify --repair' to save what can be saved" in done.err
    done = iss("verify", status=exits.DAMAGED)
    assert done.out.splitlines()[0] == "catalog: 1 problem"
    assert "--repair" in done.err
    assert iss.json("verify", status=exits.DAMAGED)["problem_counts"]["catalog"] == 1
    done = iss("verify", "--repair")
    assert "repaired: 12 images saved, 0 to be encoded again, 0 bad files; lost 0" in done.out
    (kept,) = catalog.parent.glob("catalog.sqlite.damaged-*")
    assert str(kept) in done.err
    assert iss("verify").out.splitlines()[0].endswith("no problems")
    assert iss("search", photos / "picture 0.jpg", "-k", "1").out.startswith("1.0000")


def test_what_a_repair_did_is_json_too(iss: Iss, catalog: Path) -> None:
    zero(catalog, 0)
    repair = iss.json("verify", "--repair")["repair"]
    assert (repair["images"], repair["lost"], repair["store_rebuilt"]) == (12, 0, True)
    assert Path(repair["kept_as"]).exists()


def test_images_whose_folder_is_lost_are_found_again(iss: Iss, catalog: Path, photos: Path) -> None:
    zero(catalog, 2)  # the roots
    done = iss("verify", "--repair")
    assert "12 images whose folder is unknown" in done.out
    assert "lost+found" in iss("info").out
    line = iss("index", photos).out
    assert line.startswith("indexed 0, updated 0, unchanged 0, moved 12, removed 0")
    assert "lost+found" not in iss("info").out


def test_a_damaged_store_is_repaired(iss: Iss, catalog: Path) -> None:
    (catalog.parent / "faiss.index").write_bytes(b"damaged")
    assert "store:   0 vectors, 1 problem" in iss("verify", status=exits.DAMAGED).out
    assert "the search index was rebuilt" in iss("verify", "--repair").out
    iss("verify")


def test_what_can_not_be_saved_is_left(iss: Iss, catalog: Path) -> None:
    for page in range(catalog.stat().st_size // _PAGE):
        zero(catalog, page)
    assert "nothing can be saved" in iss("verify", "--repair", status=exits.DAMAGED).err


def test_changed_files_are_another_status(iss: Iss, photos: Path) -> None:
    (photos / "picture 0.jpg").unlink()
    done = iss("verify", "--files", status=exits.BAD_IMAGE)
    assert f"  {photos / 'picture 0.jpg'}: no such file" in done.out
    assert "iss index" in done.err
    iss("verify")


def test_many_problems_are_not_all_printed(iss: Iss, photos: Path) -> None:
    folder = photos / "many"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}.jpg").write_bytes((photos / "picture 0.jpg").read_bytes())
    iss("index", photos)
    for path in folder.iterdir():
        path.unlink()
    lines = iss("verify", "--files", status=exits.BAD_IMAGE).out.splitlines()
    assert lines[2:4][0] == "files:   42 files, 30 problems"
    assert lines[-1] == "  and 10 more"


def test_a_missing_catalog_is_said(iss: Iss, catalog: Path) -> None:
    assert "no collection" in iss("verify", "--index-dir", "none", status=4).err
    catalog.unlink()
    assert "it is missing or empty" in iss("verify", "--repair", status=4).err


def test_a_moved_folder_is_relocated(iss: Iss, photos: Path, tmp_path: Path) -> None:
    new = photos.rename(tmp_path / "new")
    assert "are missing" in iss("relocate", photos, tmp_path / "none", status=3).err
    assert str(photos) in iss("relocate", "nowhere", new, status=3).err
    assert iss("relocate", photos, new).out == "relocated 12\n"
    assert iss("index", new).out.startswith("indexed 0, updated 0, unchanged 12")
    assert iss.json("relocate", new, tmp_path / "none", "--force") == {"relocated": 12}


def test_content_is_compared_when_asked(iss: Iss, photos: Path) -> None:
    assert "unchanged 12" in iss("index", photos, "--checksum").out


def test_commands_that_write_wait_for_another_process(
    iss: Iss, photos: Path, make_picture: MakePicture
) -> None:
    new = make_picture(photos / "new.png", 90)
    commands: list[list[object]] = [
        ["index", photos],
        ["add", new],
        ["remove", photos / "picture 0.jpg"],
        ["rebuild"],
        ["relocate", photos, photos],
    ]
    with writer_lock(str(iss.folder / "index_data")):
        for command in commands:
            refused = iss(*command, status=4).err
            assert "is writing to" in refused
            assert "iss: add --wait to wait for it\n" in refused
            waited = iss(*command, "--wait", "0.2", status=4).err
            assert "waiting for it" in waited
            assert "add --wait" not in waited
        waiting = [
            subprocess.Popen(
                [*ISS, *map(str, command), "--wait"],
                cwd=iss.folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for command in commands
        ]
        assert all(process.poll() is None for process in waiting)
    for process in waiting:
        _, err = process.communicate(timeout=60)
        assert process.returncode == exits.OK, err


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        (["--wait"], ["--wait=inf"]),
        (["--wait", "photos"], ["--wait=inf", "photos"]),
        (["photos", "--wait", "--json"], ["photos", "--wait=inf", "--json"]),
        (["--wait", "5", "photos"], ["--wait", "5", "photos"]),
        (["--wait=2.5"], ["--wait=2.5"]),
        (["--", "--wait", "x"], ["--", "--wait", "x"]),
    ],
)
def test_the_seconds_may_be_left_out(given: list[str], understood: list[str]) -> None:
    assert list(_with_seconds(given)) == understood


def test_a_wait_that_is_none_is_wrong_usage(iss: Iss, photos: Path) -> None:
    assert "--wait" in iss("index", photos, "--wait=-1", status=exits.USAGE).err
