"""How long a copy of an object is waited for: as long as something comes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from image_similarity_search.objects.storage import _while_it_comes

_PATIENCE = 1.5


async def _copy(target: Path, waits: list[float]) -> None:
    """Writes a byte after each of the waits."""
    with target.open("wb", buffering=0) as file:
        for seconds in waits:
            await asyncio.sleep(seconds)
            file.write(b"x")


def test_copies_that_share_a_link_have_the_time_that_they_take_together(tmp_path: Path) -> None:
    async def both() -> None:
        steady = _copy(tmp_path / "steady", [0.2] * 18)
        late = _copy(tmp_path / "late", [3.5])  # for which the other had the link
        await asyncio.gather(
            *(_while_it_comes(one, str(tmp_path), _PATIENCE) for one in (steady, late))
        )

    asyncio.run(both())
    assert (tmp_path / "late").read_bytes() == b"x"


def test_one_of_which_nothing_more_comes_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(_while_it_comes(_copy(tmp_path / "one", [0.1, 60.0]), str(tmp_path), 0.3))


def test_what_goes_wrong_is_told(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        asyncio.run(_while_it_comes(_copy(tmp_path, []), str(tmp_path), _PATIENCE))
