"""The demo's pictures: the same every time, decodable, and honest about where they come from."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageOps

from image_similarity_search.cli.demo import pictures as demo_pictures
from image_similarity_search.cli.demo.drawings import VARIATIONS, drawings
from image_similarity_search.cli.demo.photographs import PHOTOGRAPHS, photographs
from image_similarity_search.cli.demo.picture_set import write_missing
from image_similarity_search.cli.demo.pictures import CREDITS_FILE, DemoPictures, make_demo_pictures
from image_similarity_search.cli.demo.scenes import SCENES

needs_photographs = pytest.mark.skipif(
    importlib.util.find_spec("skimage") is None,
    reason="the photographs come with scikit-image, which is not installed",
)


def files(folder: str) -> list[str]:
    return sorted(os.path.join(place, n) for place, _, names in os.walk(folder) for n in names)


def pictures(folder: str) -> list[str]:
    return [path for path in files(folder) if not path.endswith(".txt")]


def opened(path: str) -> Image.Image:
    if path.endswith(".heic"):
        return pillow_heif.open_heif(path).to_pillow()
    with Image.open(path) as image:
        image.load()
    return image


def small(path: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    upright = ImageOps.exif_transpose(opened(path)).convert("L").resize((8, 8))
    return np.asarray(upright, np.float32).ravel()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DemoPictures:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_pictures, "photographs", lambda: None)
        return make_demo_pictures(str(tmp_path_factory.mktemp("drawn")))


@pytest.fixture(scope="module")
def photographed(tmp_path_factory: pytest.TempPathFactory) -> DemoPictures:
    return make_demo_pictures(str(tmp_path_factory.mktemp("photographed") / "new" / "démo"))


def test_drawings_are_pictures_of_every_kind(drawn: DemoPictures) -> None:
    found = pictures(drawn.folder)
    assert len(found) == len(SCENES) * VARIATIONS == 64
    assert {opened(path).size for path in found} == {(480, 360)}
    assert {os.path.splitext(path)[1] for path in found} == {".jpg", ".png", ".webp"}
    assert min(small(path).std() for path in found) > 5  # none is blank


def test_drawings_come_out_the_same_and_differ_from_each_other(drawn: DemoPictures) -> None:
    again = drawings().pictures
    for name in ("Fish/fish 1.jpg", "Night sky/night sky 3.png", "Flower/flower 8.webp"):
        assert Path(drawn.folder, *name.split("/")).read_bytes() == again[name]()
    assert len({Path(path).read_bytes() for path in files(drawn.folder)}) == 64 + 1


def test_queries_are_new_pictures_of_different_things(drawn: DemoPictures) -> None:
    known = {Path(path).read_bytes() for path in files(drawn.folder)}
    assert len(set(drawn.queries)) == 3
    for query in drawn.queries:
        assert os.path.isabs(query)
        assert Path(query).read_bytes() not in known
        assert opened(query).size == (480, 360)


def test_what_exists_is_left_alone_and_what_is_missing_comes_back(
    tmp_path: Path, drawn: DemoPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_pictures, "photographs", lambda: None)
    first, second = (os.path.relpath(path, drawn.folder) for path in pictures(drawn.folder)[:2])
    for name in drawings().pictures:
        (tmp_path / "drawings" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "drawings" / name).write_bytes(b"mine")
    (tmp_path / "drawings" / second).unlink()
    made = make_demo_pictures(str(tmp_path))
    assert Path(made.folder, first).read_bytes() == b"mine"
    assert Path(made.folder, second).read_bytes() == Path(drawn.folder, second).read_bytes()


def test_an_interrupted_file_is_not_taken_for_a_picture(tmp_path: Path) -> None:
    def fails() -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_missing(str(tmp_path), {"a/one.jpg": lambda: b"1", "a/two.jpg": fails})
    assert write_missing(str(tmp_path), {"a/two.jpg": lambda: b"2"}) == [
        str(tmp_path / "a" / "two.jpg")
    ]
    assert [os.path.basename(path) for path in files(str(tmp_path))] == ["one.jpg", "two.jpg"]


def test_the_source_is_told(drawn: DemoPictures) -> None:
    assert drawn.source == "64 pictures drawn by this program, free for any use"
    assert drawn.source in Path(drawn.folder, CREDITS_FILE).read_text(encoding="utf-8")


def test_without_the_packages_there_are_no_photographs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert photographs() is None


def test_every_photograph_names_its_author_and_licence() -> None:
    assert all(p.author and p.licence for p in PHOTOGRAPHS)
    assert len({p.title for p in PHOTOGRAPHS}) == len(PHOTOGRAPHS)


@needs_photographs
def test_photographs_in_many_views_formats_and_folders(photographed: DemoPictures) -> None:
    found = pictures(photographed.folder)
    assert 60 <= len(found) <= 120
    endings = {os.path.splitext(path)[1] for path in found}
    assert {".jpg", ".png", ".webp", ".gif", ".heic"} <= endings
    assert any("写真" in path for path in found)
    for path in found:
        assert min(opened(path).size) > 100


@needs_photographs
def test_phone_pictures_lie_on_their_side_and_say_so(photographed: DemoPictures) -> None:
    phone = [path for path in pictures(photographed.folder) if "Été 2024" in path]
    assert phone
    for path in phone:
        assert opened(path).getexif()[ExifTags.Base.Orientation] == 6
    original = next(p for p in pictures(photographed.folder) if p.endswith("Rocket at dusk.jpg"))
    likeness = [float(np.corrcoef(small(original), small(path))[0, 1]) for path in phone]
    assert max(likeness) > 0.9


@needs_photographs
def test_photographs_come_out_the_same(photographed: DemoPictures) -> None:
    chosen = photographs()
    assert chosen is not None
    for name in list(chosen.pictures)[:8]:
        assert Path(photographed.folder, *name.split("/")).read_bytes() == chosen.pictures[name]()


@needs_photographs
def test_photographs_are_credited(photographed: DemoPictures) -> None:
    text = Path(photographed.folder, CREDITS_FILE).read_text(encoding="utf-8")
    assert "scikit-image" in photographed.source
    for photograph in PHOTOGRAPHS:
        if photograph.package == "skimage":
            assert f"{photograph.title}\n  by:       {photograph.author}\n" in text
