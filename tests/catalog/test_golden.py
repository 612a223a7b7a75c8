"""Collections that older versions wrote still open. One folder for each storage format."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import draw

from image_similarity_search.collection import Collection

_GOLDEN = sorted((Path(__file__).parent.parent / "golden").iterdir())


@pytest.mark.parametrize("golden", _GOLDEN, ids=lambda path: path.name)
def test_it_opens_and_finds(golden: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each holds the pictures that ``draw`` makes of 0, 1 and 2, and a bad file."""
    shutil.copytree(golden, tmp_path / "index")
    with Collection.open(tmp_path / "index") as collection:
        assert [Path(record.path).name for record in collection] == ["0.png", "1.png", "2.png"]
        assert [Path(record.path).name for record in collection.skipped()] == ["bad.png"]
        for seed, record in enumerate(collection):
            (best,) = collection.search(draw(seed), k=1)
            assert (best.id, best.score) == (record.id, 1.0)
    assert not caplog.text
