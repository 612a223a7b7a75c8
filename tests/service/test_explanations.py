"""Why two pictures are alike, over HTTP, is what ``Collection`` says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from running import Starter, copied
from test_searching import picture

from image_similarity_search.client.answers import Explanation
from image_similarity_search.collection import Collection


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    return copied(template, tmp_path_factory.mktemp("explained"))


@pytest.fixture(scope="module")
def client(place: Path) -> Iterator[httpx.Client]:
    with ExitStack() as stack:
        yield Starter(place, stack)()


def explained(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


def test_two_images(client: httpx.Client, here: str, place: Path) -> None:
    told = explained(client.get(f"{here}/images/1/explanation?query=3"))
    with Collection.open(place / "index") as collection:
        ours = collection.explain(3, 1)
    assert told["method"] == ours.compared.method == "occlusion"
    assert told["score"] == pytest.approx(ours.compared.score)
    for side in ("query", "hit"):
        assert np.allclose(told[side]["parts"], getattr(ours.compared, side))
    assert told["query"]["seen"]["w"] == pytest.approx(ours.query.part.w, abs=0.01)
    assert Explanation.of(told).hit.parts == told["hit"]["parts"]


def test_an_upload_and_a_part_of_it(client: httpx.Client, here: str) -> None:
    (hit,) = client.post(f"{here}/search?k=1", content=picture(3)).json()["hits"]
    path = f"{here}/images/{hit['image']['id']}/explanation"
    whole = explained(client.post(path, content=picture(3) + bytes(300_000)))
    assert whole["score"] == 1.0, "it is that very picture"
    part = explained(client.post(f"{path}?region=0.5,0,0.5,1", content=picture(3)))
    assert part["query"]["seen"]["x"] >= 0.5
    assert part["hit"]["seen"] == whole["hit"]["seen"]
    assert part["score"] < 1.0


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ("1/explanation", 422, "invalid"),
        ("1/explanation?query=99", 404, "image-not-found"),
        ("99/explanation?query=1", 404, "image-not-found"),
        ("1/explanation?query=3&method=places", 422, "invalid"),
        ("1/explanation?query=3&method=guess", 422, "invalid"),
        ("1/explanation?query=3&region=1,2", 422, "invalid"),
    ],
)
def test_what_is_refused(
    client: httpx.Client, here: str, query: str, status: int, kind: str
) -> None:
    told = client.get(f"{here}/images/{query}")
    assert (told.status_code, told.json()["type"].rpartition(":")[2]) == (status, kind), told.text


def test_what_is_no_picture_is_refused(client: httpx.Client, here: str) -> None:
    path = f"{here}/images/1/explanation"
    assert client.post(path, content=b"no picture").status_code == 422
    assert client.post(path, json={"id": 1}).status_code == 422
