"""Searches that hang in one collection, as where its engine does, beside another."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx
import pytest
from conftest import until
from running import NAME, Starter, copied
from test_attacks import slug_of

from image_similarity_search.collection import Collection
from image_similarity_search.collection.questions import Answered, Question
from image_similarity_search.service import turns
from image_similarity_search.service.settings import Limits

_HUNG = "/v1/collections/hung"


class Hanging:
    """Whoever searches the collection ``hung`` waits until it ``answers``."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = Event()
        self.asked = 0
        search_each = Collection.search_each

        def hang(collection: Collection, questions: Sequence[Question]) -> list[Answered]:
            if collection.info().index_dir == str(folder):
                self.asked += len(questions)
                self.answers.wait(30)
            return search_each(collection, questions)

        monkeypatch.setattr(Collection, "search_each", hang)


@pytest.fixture
def hanging(place: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    copied(template, place / "hung")
    hanging = Hanging(place / "hung/index", monkeypatch)
    yield hanging
    hanging.answers.set()


@pytest.fixture
def two(serve: Starter, place: Path, hanging: Hanging) -> httpx.Client:
    places = ((NAME, str(place / "index")), ("hung", str(place / "hung/index")))
    return serve(collections=places, limits=Limits(waiting=4))


def test_they_take_no_place_of_another_collection(
    two: httpx.Client, here: str, hanging: Hanging
) -> None:
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(two.get, f"{_HUNG}/images/{id_}/similar") for id_ in range(1, 5)]
        until(lambda: two.get(f"{_HUNG}/images/5/similar").status_code == 503)
        assert slug_of(two.get(f"{_HUNG}/images/5/similar")) == "busy"
        for _ in range(5):
            assert two.get(f"{here}/images/1/similar").status_code == 200
            assert two.get(f"{here}/images").status_code == 200
        assert two.get("/readyz").json()["problems"] == {}  # it has no engine
        hanging.answers.set()
        assert [one.result().status_code for one in waiting] == [200] * 4


def test_their_turn_counts(
    two: httpx.Client, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "SEARCH_SECONDS", 0.5)
    with ThreadPoolExecutor(3) as pool:
        started = time.monotonic()
        waiting = [pool.submit(two.get, f"{_HUNG}/images/{id_}/similar") for id_ in range(1, 4)]
        assert {one.result().status_code for one in waiting} == {503}
        assert time.monotonic() - started < 5
    hanging.answers.set()
    monkeypatch.undo()
    until(lambda: two.get(f"{_HUNG}/images/1/similar").status_code == 200)
    assert hanging.asked < 4  # nobody waited for the others
