"""Pages of one layout are told apart by their details; copies of a page are copies."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageEnhance

from image_similarity_search import Collection
from image_similarity_search.types import Progress


def _invoice(number: int, amounts: list[int]) -> Image.Image:
    page = Image.new("RGB", (1240, 1754), "white")
    pen = ImageDraw.Draw(page)
    pen.text((100, 80), "ACME Trading Ltd", fill="black", font_size=44)
    pen.text((800, 260), f"Invoice {number}", fill="black", font_size=26)
    for row, amount in enumerate(amounts):
        top = 480 + row * 50
        pen.text((110, top), f"Item {row + 1}", fill="black", font_size=20)
        pen.text((980, top), f"{amount}.00 EUR", fill="black", font_size=20)
    return page


@pytest.fixture
def invoice() -> Image.Image:
    """One of which there are others, and copies."""
    return _invoice(31415, [128, 640, 735, 212, 903, 481])


def test_pages_with_other_digits_are_no_copies(
    collection: Collection, tmp_path: Path, invoice: Image.Image
) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    invoice.save(folder / "one.png")
    _invoice(31418, [128, 640, 735, 212, 903, 481]).save(folder / "other number.png")
    _invoice(27182, [828, 459, 450, 904, 523, 536]).save(folder / "all other.jpg", quality=80)
    collection.sync(folder)
    assert collection.duplicates(thorough=True).groups == []
    report = collection.duplicates("similar")
    assert report.copies == []
    others = [other for group in report.similar for other in group.others]
    assert {(other.level, other.change) for other in others} == {("similar", "other details")}


def test_copies_of_a_page_are_copies(
    collection: Collection, tmp_path: Path, invoice: Image.Image
) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    invoice.save(folder / "one.png")
    invoice.resize((620, 877)).save(folder / "half.png")
    invoice.save(folder / "poor.jpg", quality=30)
    ImageEnhance.Brightness(invoice).enhance(0.9).save(folder / "dark.png")
    invoice.transpose(Image.Transpose.ROTATE_180).save(folder / "upside down.png")
    collection.sync(folder)
    copies = collection.duplicates(thorough=True).copies
    told = [one for group in copies for one in (group.keep, *(o.image for o in group.others))]
    assert {Path(one.path).stem for one in told} == {"one", "half", "poor", "dark", "upside down"}


def test_a_page_too_small_to_read_is_not_called_a_copy(
    collection: Collection, tmp_path: Path, invoice: Image.Image
) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    invoice.save(folder / "one.png")
    invoice.resize((248, 351)).save(folder / "small.png")
    collection.sync(folder)
    assert collection.duplicates(thorough=True).groups == []


def test_each_step_of_a_search_is_told_once_to_its_end(
    collection: Collection, tmp_path: Path, invoice: Image.Image
) -> None:
    """As each file was read, not as it was asked for; the details are a step of their own."""
    invoice.save(tmp_path / "one.png")
    invoice.save(tmp_path / "poor.jpg", quality=30)
    invoice.resize((620, 877)).save(tmp_path / "half.png")
    collection.sync(tmp_path)
    told: list[Progress] = []
    collection.duplicates(progress=told.append)
    phases = list(dict.fromkeys(one.phase for one in told))
    assert phases == ["comparing", "looking", "comparing details", "measuring"]
    for phase in phases[1:]:
        steps = [(one.done, one.total) for one in told if one.phase == phase]
        assert [done for done, _ in steps] == list(range(1, len(steps) + 1)), phase
        assert {total for _, total in steps} == {len(steps)}, phase
