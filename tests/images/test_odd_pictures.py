"""Thousands of hostile and strange files, where a collection of them is at hand."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from image_similarity_search.errors import ImageError
from image_similarity_search.images.decode import decode, read_file
from image_similarity_search.images.walk import walk

DATA = os.environ.get("ISS_TEST_DATA", "")
ODD = os.path.join(DATA, "odd")
PHOTOS = os.path.join(DATA, "photos")
MAX_SECONDS = 10.0

pytestmark = [
    pytest.mark.skipif(
        not DATA or not os.path.isdir(ODD),
        reason="the environment variable ISS_TEST_DATA names no folder with a folder 'odd' in it",
    ),
    pytest.mark.filterwarnings("ignore"),  # Pillow warns of what it finds in broken files
]


@pytest.mark.parametrize("min_side", [None, 256])
def test_every_file_is_decoded_or_refused_and_none_hangs(min_side: int | None) -> None:
    outcomes: Counter[str] = Counter()
    for path in sorted(Path(ODD).rglob("*")):
        if path.is_file():
            start = time.perf_counter()
            refusal = _refusal(str(path), min_side)
            seconds = time.perf_counter() - start
            assert seconds < MAX_SECONDS, f"{path} took {seconds:.1f} s"
            assert len(refusal.splitlines()) <= 1
            assert len(refusal) < 300
            outcomes["refused" if refusal else "decoded"] += 1
    assert outcomes["decoded"] > 0
    assert outcomes["refused"] > 0


def _refusal(path: str, min_side: int | None = None) -> str:
    """Why a file is not decoded; "" if it is."""
    try:
        decoded = decode(read_file(path), name=path, min_side=min_side)
    except ImageError as error:
        return error.reason
    assert decoded.image.mode == "RGB"
    return ""


def test_the_walk_finds_every_file_that_can_be_decoded() -> None:
    found = {
        os.path.join(ODD, folder.path, file.name) for folder in walk(ODD) for file in folder.files
    }
    everything = {
        os.path.join(ODD, folder.path, file.name)
        for folder in walk(ODD, all_files=True)
        for file in folder.files
    }
    others = sum(len(folder.others) for folder in walk(ODD))
    assert len(found) + others == len(everything)
    assert not [path for path in sorted(everything - found) if not _refusal(path)]


@pytest.mark.skipif(not os.path.isdir(PHOTOS), reason="there is no folder 'photos' beside 'odd'")
def test_every_photograph_is_decoded() -> None:
    for folder in walk(PHOTOS):
        assert folder.others == []
        for file in folder.files:
            path = os.path.join(PHOTOS, folder.path, file.name)
            decoded = decode(read_file(path), min_side=56)
            assert min(decoded.image.size) >= min(112, decoded.width, decoded.height)
