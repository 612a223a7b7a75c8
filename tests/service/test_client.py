"""The client against a real service: what comes back is what ``Collection`` would say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from running import Starter
from test_attacks import KEY
from test_searching import picture

from image_similarity_search.client import Client, Example
from image_similarity_search.collection import Collection
from image_similarity_search.errors import ImageSearchError, ServiceError
from image_similarity_search.types import Region


@pytest.fixture
def client(serve: Starter) -> Iterator[Client]:
    with Client(str(serve(keys=(KEY,)).base_url), key=KEY) as made:
        yield made


def test_everything_that_can_be_asked(client: Client, place: Path) -> None:
    info = client.info()
    assert [found.name for found in client.collections()] == [info.name] == ["pictures"]
    assert (info.indexed, info.roots[0].name, info.roots[0].writable) == (12, "photos", True)
    page = client.images(after=2, limit=3)
    assert [image.id for image in page.images] == [3, 4, 5]
    assert (page.next, page.total) == (5, 12)
    image = client.image(3)
    assert image == page.images[0]
    assert image.root is not None
    original = place / image.root / image.path
    assert client.file(3) == original.read_bytes()
    assert client.thumbnail(3).startswith(b"\xff\xd8")
    assert client.images(skipped=True).images == []
    below = client.images({"folder": "photos/holiday", "formats": ["png"]})
    assert below.total == 6

    with Collection.open(place / "index") as collection:
        expected = [(hit.id, hit.score) for hit in collection.search(original, k=4)]
        by_id = [hit.id for hit in collection.search(3, k=4)]
    for query in (original, str(original), original.read_bytes()):
        assert [(hit.image.id, hit.score) for hit in client.search(query, k=4)] == expected
    assert [hit.image.id for hit in client.search(3, k=4)] == by_id
    assert client.search(3, threshold=0.9999) == []
    assert client.search(3, k=1, region=Region(0, 0, 0.5, 0.5))[0].image.id != 3
    conditions = {"formats": ["png"]}
    found = client.search_by_examples(
        [Example(3), Example(picture(50), 0.5, Region(0, 0, 1, 0.5)), Example(4, -0.2)],
        k=20,
        where=conditions,
    )
    assert {hit.image.path.rpartition(".")[2] for hit in found} == {"png"}
    assert len(client.search_by_examples([Example(3), Example(4, -0.2)], k=20)) == 10


def test_everything_that_can_be_changed(client: Client, place: Path) -> None:
    added = client.add(picture(70), "photos", "new/seventy.png")
    assert client.search(picture(70), k=1)[0].image == added
    (place / "photos/late.png").write_bytes(picture(71))
    late = client.add_existing("photos", "late.png")
    client.remove(late.id)
    with pytest.raises(ServiceError) as missing:
        client.image(late.id)
    assert (missing.value.status, missing.value.kind) == (404, "image-not-found")
    jobs = list(client.follow(client.sync("photos").id))
    assert jobs[-1].state == "done"
    assert jobs[-1].report is not None
    assert jobs[-1].report["indexed"] == 1
    assert client.job(jobs[-1].id) == client.cancel(jobs[-1].id) == jobs[-1]


def test_what_goes_wrong_is_one_error(client: Client, shared: httpx.Client) -> None:
    with pytest.raises(ServiceError) as refused:
        client.search(b"no picture")
    assert (refused.value.status, refused.value.kind) == (422, "image-unreadable")
    with pytest.raises(ServiceError, match="404"):
        list(client.follow("0123456789abcdef"))
    with Client("http://127.0.0.1:9", timeout=2) as nowhere:
        with pytest.raises(ImageSearchError, match="can't be reached") as unreached:
            nowhere.info()
        assert unreached.value.__cause__
    with Client(str(shared.base_url), collection="other") as other, pytest.raises(ServiceError):
        other.info()


def test_the_client_needs_no_server_here() -> None:
    check = (
        "import sys, image_similarity_search.client as c; "
        "print(*(m for m in ('fastapi', 'uvicorn', 'numpy', 'PIL') if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
