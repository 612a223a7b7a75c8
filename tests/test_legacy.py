"""The class of the recipe, used as the recipe uses it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MakePicture
from PIL import Image

from image_similarity_search import ImageSimilaritySearch
from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.collection.queries import Query
from image_similarity_search.errors import (
    CollectionMismatchError,
    CollectionUnwritableError,
    ConfigError,
    FolderNotFoundError,
    ImageNotFoundError,
    ImageUnreadableError,
)


@pytest.fixture(autouse=True)
def images(tmp_path: Path, make_picture: MakePicture, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with ``images/`` in it."""
    monkeypatch.chdir(tmp_path)
    for seed in range(6):
        make_picture(tmp_path / "images" / f"{seed}.{('jpg', 'png')[seed % 2]}", seed)
    return tmp_path / "images"


def test_it_runs_as_written(make_picture: MakePicture, tmp_path: Path) -> None:
    searcher = ImageSimilaritySearch("images")
    results = searcher.find_similar("images/1.png", k=5)
    assert len(results) == 5
    assert results[0] == {"path": "images/1.png", "score": 1.0}
    scores = [result["score"] for result in results]
    assert scores == sorted(scores, reverse=True)
    make_picture(tmp_path / "new_image.jpg", 40)
    searcher.add_image_to_index("new_image.jpg")
    assert searcher.find_similar("new_image.jpg", k=1) == [
        {"path": str(tmp_path / "new_image.jpg"), "score": 1.0}
    ]
    searcher.close()


def test_later_starts_load_what_is_there(make_picture: MakePicture, tmp_path: Path) -> None:
    make_picture(tmp_path / "new_image.jpg", 40)
    with ImageSimilaritySearch("images", model="colour-texture") as searcher:
        searcher.add_image_to_index("new_image.jpg")
        before = searcher.find_similar("images/0.jpg", k=10)
    make_picture(tmp_path / "images" / "7.jpg", 7)
    with ImageSimilaritySearch(Path("images")) as searcher:
        after = searcher.find_similar(Path("images/0.jpg"), k=10)
    assert len(before) == 7
    assert {result["path"] for result in after} - {result["path"] for result in before} == {
        "images/7.jpg"
    }


def test_an_index_outlives_its_folder(tmp_path: Path, images: Path) -> None:
    ImageSimilaritySearch("images", model="colour-texture").close()
    shutil.copy(images / "1.png", tmp_path / "query.png")
    shutil.rmtree(images)
    with ImageSimilaritySearch("images") as searcher:
        assert searcher.find_similar("query.png", k=1) == [{"path": "images/1.png", "score": 1.0}]
    with pytest.raises(FolderNotFoundError, match="no such folder, and no index of it"):
        ImageSimilaritySearch("nowhere", index_dir="other")


def test_another_folder_is_refused_with_both(images: Path, make_picture: MakePicture) -> None:
    ImageSimilaritySearch("images", model="colour-texture").close()
    make_picture(images.parent / "others" / "a.jpg", 1)
    with pytest.raises(CollectionMismatchError) as caught:
        ImageSimilaritySearch("others")
    assert str(images) in str(caught.value)
    assert str(images.parent / "others") in str(caught.value)
    make_picture(images / "below" / "b.jpg", 2)
    with pytest.raises(CollectionMismatchError):
        ImageSimilaritySearch("images/below")
    images.rename(images.parent / "renamed")
    with pytest.raises(CollectionMismatchError):
        ImageSimilaritySearch("others")
    with ImageSimilaritySearch("renamed") as searcher:
        assert searcher.find_similar("renamed/0.jpg", k=1)[0]["path"] == "renamed/0.jpg"


def test_another_writer_does_not_keep_it_from_searching(
    images: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ImageSimilaritySearch("images", model="colour-texture").close()
    index = str(images.parent / "index_data")
    with writer_lock(index), ImageSimilaritySearch("images") as searcher:
        assert len(searcher.find_similar("images/0.jpg")) == 5
    assert "is writing to" in caplog.text


def test_it_says_of_what_it_is(images: Path, tmp_path: Path) -> None:
    searcher = ImageSimilaritySearch(images, tmp_path / "i")
    collection = f"<Collection {str(tmp_path / 'i')!r}: {len(searcher.collection)} images>"
    assert repr(searcher) == f"<ImageSimilaritySearch of {str(images)!r} in {collection}>"
    searcher.close()
    assert "closed" in repr(searcher.collection)


def test_a_picture_is_given_as_to_a_collection(images: Path) -> None:
    path = images / "1.png"
    with (
        Image.open(path) as picture,
        ImageSimilaritySearch("images", model="colour-texture") as searcher,
    ):
        same: list[Query] = [str(path), path.read_bytes(), picture, np.asarray(picture)]
        for query in same:
            assert searcher.find_similar(query, k=1) == [{"path": "images/1.png", "score": 1.0}]
        (record,) = [one for one in searcher.collection if one.path == str(path.resolve())]
        assert "images/1.png" not in [hit["path"] for hit in searcher.find_similar(record.id)]
        nothing: list[Any] = [None, 2.5, True, ["images/1.png"]]
        for query in nothing:
            with pytest.raises(ConfigError, match=r"^query is "):
                searcher.find_similar(query)


def test_what_can_not_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with ImageSimilaritySearch("images", model="colour-texture", metric="l2") as searcher:
        with pytest.raises(ImageNotFoundError, match="missing"):
            searcher.find_similar("missing.jpg")
        with pytest.raises(ImageUnreadableError, match="not a supported image format"):
            searcher.add_image_to_index("bad.jpg")
    for place in ("bad.jpg", "bad.jpg/index"):
        with pytest.raises(CollectionUnwritableError, match=r"it is a file: give a folder"):
            ImageSimilaritySearch("images", place)


def test_the_script_runs_beside_its_pictures(tmp_path: Path, images: Path) -> None:
    script = Path(__file__).parent.parent / "similarity_search.py"
    shutil.copy(script, tmp_path)
    shutil.copy(images / "3.png", tmp_path / "my_image.jpg")
    for _ in range(2):  # the second time the index is there
        done = subprocess.run(
            [sys.executable, "similarity_search.py"], capture_output=True, text=True, check=True
        )
        lines = done.stdout.splitlines()
        assert len(lines) == 5
        assert lines[0] == "1.0000  images/3.png"
    assert (tmp_path / "index_data" / "faiss.index").is_file()


def test_the_script_says_what_it_lacks(tmp_path: Path) -> None:
    script = Path(__file__).parent.parent / "similarity_search.py"
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path / "empty", capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "images: no such folder" in done.stderr
    assert "Traceback" not in done.stderr
