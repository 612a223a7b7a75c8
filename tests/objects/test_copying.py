"""How long a copy of an object is waited for: as long as something comes."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from s3_server import picture

from image_similarity_search.catalog.places import Place
from image_similarity_search.catalog.values import FileStat
from image_similarity_search.collection.pipeline import Decoders, Job, Loaded
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.objects import storage
from image_similarity_search.objects.storage import _while_it_comes

_PATIENCE = 1.5


class Selector(selectors.SelectSelector):
    """Where it would wait, its clock goes on instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class Hurried(asyncio.SelectorEventLoop):
    """A loop in which nothing takes time but waiting, and that only by its clock."""

    def __init__(self) -> None:
        self._clock = Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hurried]:
    """A loop by whose clock the copies are waited for."""
    loop = Hurried()
    monkeypatch.setattr(storage, "time", SimpleNamespace(monotonic=loop.time))
    yield loop
    loop.close()


async def _copy(target: Path, waits: list[float]) -> None:
    """Writes a byte after each of the waits."""
    with target.open("wb", buffering=0) as file:
        for seconds in waits:
            await asyncio.sleep(seconds)
            file.write(b"x")


def test_copies_that_share_a_link_have_the_time_that_they_take_together(
    loop: Hurried, tmp_path: Path
) -> None:
    async def both() -> None:
        steady = _copy(tmp_path / "steady", [0.2] * 18)
        late = _copy(tmp_path / "late", [3.5])  # for which the other had the link
        await asyncio.gather(
            *(_while_it_comes(one, str(tmp_path), _PATIENCE) for one in (steady, late))
        )

    loop.run_until_complete(both())
    assert (tmp_path / "late").read_bytes() == b"x"
    assert loop.time() == pytest.approx(3.6)


def test_one_of_which_nothing_more_comes_is_given_up(loop: Hurried, tmp_path: Path) -> None:
    copying = _copy(tmp_path / "one", [0.1, 600.0])
    with pytest.raises(TimeoutError):
        loop.run_until_complete(_while_it_comes(copying, str(tmp_path), _PATIENCE))
    assert _PATIENCE < loop.time() < 2 * _PATIENCE


def test_what_goes_wrong_is_told(loop: Hurried, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        loop.run_until_complete(_while_it_comes(_copy(tmp_path, []), str(tmp_path), _PATIENCE))


def test_copies_that_wait_for_a_decoder_have_so_many_bytes(tmp_path: Path) -> None:
    (tmp_path / "copy.png").write_bytes(picture(1))
    jobs = [
        Job(f"s3://b/{n}", Place(0, f"{n}"), FileStat(size << 20, 0), None, f"{tmp_path}/copy.png")
        for n, size in enumerate([100, 100, 100, 1, 400, 1, 1])
    ]
    taken = given = 0
    most = []

    def counted() -> Iterator[Job]:
        nonlocal taken
        for job in jobs:
            taken += 1
            yield job

    with closing(Decoders(processes=1)) as decoders:
        for item in decoders.load_all(counted(), Preprocessing(), 60.0):
            assert isinstance(item, Loaded)
            most.append(taken - given)
            given += 1
    assert most == [3, 4, 3, 2, 1, 2, 1]
