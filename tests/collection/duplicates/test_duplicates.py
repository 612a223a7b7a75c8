"""Finding duplicates among real files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from conftest import MakePicture, draw
from PIL import Image, ImageDraw, ImageOps

from image_similarity_search import Collection, DuplicateGroup, DuplicateReport, Filter
from image_similarity_search.collection.duplicates import dismissals
from image_similarity_search.duplicates import GOES_ELSEWHERE
from image_similarity_search.errors import (
    CollectionUnavailableError,
    ConfigError,
    FolderNotFoundError,
    ImageNotFoundError,
)

_SIZE = (400, 300)


def _groups(report: DuplicateReport) -> list[tuple[str, dict[str, tuple[str, str]]]]:
    """The groups by file name: what to keep, and level and change of the others."""
    return [
        (
            os.path.basename(group.keep.path),
            {os.path.basename(one.image.path): (one.level, one.change) for one in group.others},
        )
        for group in report.groups
    ]


def _others(group: DuplicateGroup) -> set[str]:
    return {os.path.basename(one.image.path) for one in group.others}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Six pictures that have nothing to do with one another."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(6):
        draw(seed, _SIZE).save(folder / f"{seed}.png")
    return folder


def test_different_pictures_are_no_duplicates(collection: Collection, pictures: Path) -> None:
    collection.sync(pictures)
    for level in ("exact", "same", "near"):
        report = collection.duplicates(level, thorough=level == "near")
        assert (report.groups, report.images, report.unreadable) == ([], 6, {})


def test_files_of_the_same_bytes_are_found_without_reading_them(
    collection: Collection, pictures: Path
) -> None:
    shutil.copy(pictures / "0.png", pictures / "0 copy.png")
    shutil.copy(pictures / "0.png", pictures / "0 (1).png")
    for number, name in enumerate(["0 copy.png", "0.png", "0 (1).png"]):
        os.utime(pictures / name, (1_600_000_000 + number,) * 2)
    collection.sync(pictures)
    for path in pictures.iterdir():
        path.unlink()
    (group,) = collection.duplicates("exact").groups
    assert os.path.basename(group.keep.path) == "0 copy.png"
    assert (group.why, group.level) == ("oldest", "exact")
    assert _others(group) == {"0.png", "0 (1).png"}
    assert {(one.score, one.likeness, one.level) for one in group.others} == {(1.0, 1.0, "exact")}


def test_the_levels(collection: Collection, pictures: Path) -> None:
    original = Image.open(pictures / "0.png")
    original.resize((200, 150)).save(pictures / "0 small.jpg", quality=70)
    original.convert("L").save(pictures / "0 grey.png")
    original.crop((20, 15, 400, 300)).save(pictures / "0 cut.png")
    shutil.copy(pictures / "1.png", pictures / "1 copy.png")
    original.close()
    collection.sync(pictures)
    assert _groups(collection.duplicates("same")) == [
        ("1.png", {"1 copy.png": ("exact", "")}),
        ("0.png", {"0 small.jpg": ("same", "")}),
    ]
    found = _groups(collection.duplicates("near", thorough=True))
    assert found[0] == ("1.png", {"1 copy.png": ("exact", "")})
    assert all(keep == "0.png" for keep, _ in found[1:])
    others = {name: words for _, some in found[1:] for name, words in some.items()}
    assert others == {
        "0 small.jpg": ("same", ""),
        "0 grey.png": ("near", "without its colours"),
        "0 cut.png": ("near", "cut"),
    }


def test_similar_pictures_are_told_from_copies(collection: Collection, pictures: Path) -> None:
    shutil.copy(pictures / "1.png", pictures / "1 copy.png")
    collection.sync(pictures)
    report = collection.duplicates("similar", score=0.5)
    assert report.copies == collection.duplicates().groups
    assert report.groups == report.copies + report.similar
    assert {group.level for group in report.similar} == {"similar"}
    assert len({group.keep.id for group in report.similar}) == 1  # at such a score all are similar
    others = [one for group in report.similar for one in group.others]
    assert len(others) == 5  # of six, each once: a copy of one of them is not similar as well
    assert all(0.5 <= one.score < 1 and one.likeness is None for one in others)
    assert collection.duplicates("similar", score=0.99).groups == collection.duplicates().groups


def test_copies_of_what_is_similar_are_copies_all_the_same(
    collection: Collection, pictures: Path
) -> None:
    """Though all of them look like a better one, which would take them into its group."""
    for path in pictures.iterdir():
        if path.name != "0.png":
            path.unlink()
    draw(1, (800, 600)).save(pictures / "best.png")
    with Image.open(pictures / "0.png") as original:
        original.save(pictures / "0 poor.jpg", quality=60)
        original.crop((20, 15, 400, 300)).save(pictures / "0 cut.png")
    collection.sync(pictures)
    report = collection.duplicates("similar", score=0.5, thorough=True)
    assert report.copies == collection.duplicates(thorough=True).groups
    going = {name for group in report.copies for name in _others(group)}
    assert going == {"0 poor.jpg", "0 cut.png"}
    assert _groups(report)[len(report.copies) :] == [("best.png", {"0.png": ("similar", "")})]


def test_a_thorough_search_finds_what_was_turned(collection: Collection, pictures: Path) -> None:
    with Image.open(pictures / "2.png") as original:
        for turn in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180):
            original.transpose(turn).save(pictures / f"2 {turn.name}.jpg")
        ImageOps.mirror(original).save(pictures / "2 mirrored.jpg")
    collection.sync(pictures)
    found = {
        name: change
        for keep, others in _groups(collection.duplicates(thorough=True))
        for name, (_, change) in others.items()
        if keep == "2.png"
    }
    assert found == {
        "2 ROTATE_90.jpg": "turned",
        "2 ROTATE_180.jpg": "turned",
        "2 mirrored.jpg": "mirrored",
    }


def test_what_to_keep(collection: Collection, pictures: Path) -> None:
    with Image.open(pictures / "3.png") as original:
        original.resize((200, 150)).save(pictures / "3 small.png")
        original.save(pictures / "3 poor.jpg", quality=30)
    below = pictures / "below"
    below.mkdir()
    shutil.copy2(pictures / "4.png", below / "4.png")
    collection.sync(pictures)
    reasons = {os.path.basename(one.keep.path): one.why for one in collection.duplicates().groups}
    assert reasons == {"3.png": "largest file", "4.png": "shortest path"}
    (pictures / "3.png").unlink()
    collection.sync(pictures)
    reasons = {os.path.basename(one.keep.path): one.why for one in collection.duplicates().groups}
    assert reasons["3 poor.jpg"] == "most pixels"


def test_plain_pictures_are_compared_by_their_colour(
    collection: Collection, tmp_path: Path
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, colour in {"white": "white", "other white": "#fdfdfd", "black": "black"}.items():
        Image.new("RGB", _SIZE, colour).save(folder / f"{name}.png")
    collection.sync(folder)
    assert [
        set(others) | {keep} for keep, others in _groups(collection.duplicates(thorough=True))
    ] == [{"white.png", "other white.png"}]


def test_pictures_of_one_colour_are_the_same_in_any_size_and_no_other_colour(
    collection: Collection, tmp_path: Path
) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, (size, colour) in {
        "white": ((400, 300), "white"),
        "dot": ((1, 1), "white"),
        "pale": ((400, 300), "#f5f5f5"),
        "grey": ((1, 1), "grey"),
    }.items():
        Image.new("RGB", size, colour).save(folder / f"{name}.png")
    page = Image.new("RGB", (1600, 1200), "white")
    ImageDraw.Draw(page).text((800, 600), "Only a word", fill="black", font_size=30)
    page.save(folder / "page.png")
    page.resize((800, 600)).save(folder / "smaller page.png")
    collection.sync(folder)
    assert sorted(_groups(collection.duplicates(thorough=True))) == [
        ("page.png", {"smaller page.png": ("same", "")}),
        ("white.png", {"dot.png": ("same", "")}),
    ]


def _icon(shape: str, colour: str) -> Image.Image:
    """A shape on nothing."""
    icon = Image.new("RGBA", (128, 128), (0, 0, 0, 0))
    pen = ImageDraw.Draw(icon)
    if shape == "disc":
        pen.ellipse((4, 4, 123, 123), fill=colour)
    elif shape == "bar":
        pen.rectangle((4, 50, 123, 78), fill=colour)
    else:
        pen.polygon([(64, 4), (123, 123), (4, 123)], fill=colour)
    return icon


@pytest.mark.parametrize("colour", ["white", "black", "#d02040"])
def test_shapes_on_nothing_are_told_apart_whatever_their_colour(
    collection: Collection, tmp_path: Path, colour: str
) -> None:
    folder = tmp_path / "icons"
    folder.mkdir()
    for shape in ("disc", "bar", "triangle"):
        _icon(shape, colour).save(folder / f"{shape}.png")
    _icon("triangle", colour).resize((64, 64)).save(folder / "small triangle.webp", lossless=True)
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(folder / "nothing.png")
    Image.new("RGB", (64, 64), "white").save(folder / "white.png")
    collection.sync(folder)
    report = collection.duplicates(thorough=True)
    assert _groups(report) == [("triangle.png", {"small triangle.webp": ("same", "")})]


def test_what_was_put_over_white_is_a_changed_copy(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    cut_out = draw(0, _SIZE)
    cut_out.putalpha(_icon("disc", "white").getchannel("A").resize(_SIZE))
    cut_out.save(folder / "cut out.png")
    cut_out.resize((200, 150)).save(folder / "cut out.webp")
    white = Image.new("RGBA", _SIZE, "white")
    Image.alpha_composite(white, cut_out).convert("RGB").save(folder / "over white.jpg")
    opaque = draw(1, _SIZE)
    opaque.save(folder / "opaque.jpg")
    opaque.putalpha(255)
    opaque.save(folder / "opaque.png")
    collection.sync(folder)
    assert sorted(_groups(collection.duplicates("same"))) == [
        ("cut out.png", {"cut out.webp": ("same", "")}),
        ("opaque.png", {"opaque.jpg": ("same", "")}),
    ]
    near = {name for group in collection.duplicates().groups for name in _others(group)}
    assert near == {"opaque.jpg", "cut out.webp", "over white.jpg"}


def test_images_in_a_reference_folder_stay(collection: Collection, pictures: Path) -> None:
    best = pictures / "best"
    best.mkdir()
    with Image.open(pictures / "0.png") as original:
        original.resize((200, 150)).save(best / "a.png")
        original.resize((220, 165)).save(best / "b.png")
    shutil.copy(pictures / "1.png", best / "1.png")
    shutil.copy(pictures / "1.png", best / "1 again.png")
    shutil.copy(pictures / "5.png", pictures / "5 copy.png")
    collection.sync(pictures)
    report = collection.duplicates(references=[best])
    for group in report.groups:
        assert "best" not in {Path(one.image.path).parent.name for one in group.others}
    by_other = {name: group for group in report.copies for name in _others(group)}
    assert set(by_other) == {"0.png", "1.png", "5 copy.png"} or set(by_other) == {
        "0.png",
        "1.png",
        "5.png",
    }
    on_0 = {
        Path(group.keep.path).name: (group.goes, group.why)
        for group in report.groups
        if "0.png" in _others(group)
    }
    # it goes for the one that it is most like, and the other one is told all the same
    assert sorted(on_0.values()) == [(False, GOES_ELSEWHERE), (True, "in a reference folder")]
    assert set(on_0) == {"a.png", "b.png"}
    assert Path(by_other["1.png"].keep.path).parent == best
    with pytest.raises(FolderNotFoundError):
        collection.duplicates(references=[pictures / "nowhere"])


def test_one_folder_is_compared_with_another(collection: Collection, pictures: Path) -> None:
    left, right = pictures / "left", pictures / "right"
    for folder in (left, right):
        folder.mkdir()
    with Image.open(pictures / "0.png") as original:
        original.save(left / "0.jpg")
        original.save(left / "0 too.webp")
        original.resize((300, 225)).save(right / "0.png")
    for name in ("left/1.png", "left/1 again.png", "right/1.png"):
        shutil.copy(pictures / "1.png", pictures / name)
    shutil.copy(pictures / "2.png", left / "2.png")
    shutil.copy(pictures / "2.png", left / "2 again.png")
    collection.sync(pictures)
    report = collection.duplicates(between=(left, right))
    assert report.images == 8
    pairs = {
        (os.path.relpath(group.keep.path, pictures), os.path.relpath(one.image.path, pictures))
        for group in report.groups
        for one in group.others
    }
    assert {Path(path).parts[0] for pair in pairs for path in pair} == {"left", "right"}
    assert all(Path(a).parts[0] != Path(b).parts[0] for a, b in pairs)
    assert {name for pair in pairs for name in pair if "2" in name} == set()
    assert ("left/1.png", "right/1.png") in pairs or ("right/1.png", "left/1.png") in pairs
    assert {"right/0.png"} <= {name for pair in pairs for name in pair}


def test_a_leak_is_told_though_a_better_picture_is_like_it_and_in_a_folder_below(
    collection: Collection, pictures: Path
) -> None:
    below = pictures / "below"
    below.mkdir()
    for name in ("again", "more"):
        shutil.copy(pictures / "0.png", below / f"{name}.png")
    with Image.open(pictures / "0.png") as original:
        ImageOps.mirror(original).resize((800, 600)).save(below / "better.png")
    collection.sync(pictures)
    report = collection.duplicates(between=(pictures, below))
    told = {
        frozenset({Path(group.keep.path).name, Path(one.image.path).name}): one.level
        for group in report.groups
        for one in group.others
    }
    assert told == {
        frozenset({"0.png", "again.png"}): "exact",
        frozenset({"0.png", "more.png"}): "exact",
        frozenset({"0.png", "better.png"}): "near",
    }


def test_only_what_a_filter_lets_through_is_compared(
    collection: Collection, pictures: Path
) -> None:
    below = pictures / "below"
    below.mkdir()
    for name in ("0.png", "1.png"):
        shutil.copy(pictures / name, below / name)
    shutil.copy(pictures / "1.png", below / "1 again.png")
    collection.sync(pictures)
    report = collection.duplicates(where=Filter(folder=below))
    assert report.images == 3
    assert [set(others) | {keep} for keep, others in _groups(report)] == [{"1.png", "1 again.png"}]


def test_dismissed_pairs_stay_dismissed(
    collection: Collection, pictures: Path, make_picture: MakePicture
) -> None:
    with Image.open(pictures / "0.png") as original:
        original.save(pictures / "0 poor.jpg", quality=50)
    shutil.copy(pictures / "1.png", pictures / "1 copy.png")
    collection.sync(pictures)
    assert len(collection.duplicates().groups) == 2
    poor = collection.get(pictures / "0 poor.jpg").id
    with pytest.raises(ImageNotFoundError):
        collection.dismiss_duplicates(pictures / "0.png", pictures / "nowhere.png")
    with pytest.raises(ConfigError):
        collection.dismiss_duplicates(poor)
    assert collection.dismiss_duplicates(pictures / "0.png", poor) == 1
    assert collection.dismiss_duplicates(poor, pictures / "0.png") == 0
    report = collection.duplicates()
    assert _groups(report) == [("1.png", {"1 copy.png": ("exact", "")})]
    assert report.dismissed == 1
    assert collection.dismiss_duplicates(pictures / "1.png", pictures / "1 copy.png") == 1
    assert collection.duplicates().groups == []
    os.rename(pictures / "0 poor.jpg", pictures / "renamed.jpg")
    collection.remove(pictures)
    collection.sync(pictures)
    report = collection.duplicates()
    assert (report.groups, report.dismissed) == ([], 2)


def test_what_was_dismissed_is_read_as_far_as_it_can_be_or_nothing_is_found(
    collection: Collection, pictures: Path
) -> None:
    collection.sync(pictures)
    file = Path(collection.info().index_dir) / dismissals.FILE_NAME
    file.write_text('["a", "b"]\n[1, 2]\n{"a": 1}\n7\n["c", "d"]\n["e", ')
    assert len(dismissals.Dismissals(str(file.parent))) == 2
    file.unlink()
    file.mkdir()
    with pytest.raises(CollectionUnavailableError, match=r"dismissed\.jsonl can't be used"):
        collection.duplicates()


def test_what_can_not_be_read_is_told_and_never_near(
    collection: Collection, pictures: Path
) -> None:
    with Image.open(pictures / "0.png") as original:
        original.save(pictures / "0 poor.jpg", quality=50)
    collection.sync(pictures)
    (pictures / "0 poor.jpg").write_bytes(b"no picture any more")
    report = collection.duplicates()
    assert report.groups == []
    assert list(report.unreadable) == [str(pictures / "0 poor.jpg")]
    assert "not a supported image format" in report.unreadable[str(pictures / "0 poor.jpg")]


def test_wrong_values_are_named(collection: Collection, pictures: Path) -> None:
    collection.sync(pictures)
    for wrong in (
        {"level": "equal"},
        {"likeness": 1.5},
        {"score": "high"},
        {"time_limit": 0},
        {"between": (pictures,)},
        {"between": (pictures, pictures), "references": [pictures]},
    ):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            collection.duplicates(**wrong)
