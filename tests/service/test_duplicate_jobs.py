"""Duplicates over HTTP."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from conftest import draw
from running import Starter
from test_syncing import ended

from image_similarity_search.collection import Collection


def test_duplicates_are_found_and_dismissed(serve: Starter, place: Path, here: str) -> None:
    photos = place / "photos"
    draw(40, (600, 450)).save(photos / "large.png")
    draw(40, (600, 450)).resize((300, 225)).save(photos / "small.png")
    shutil.copy(photos / "large.png", photos / "copy.png")
    with Collection.open(place / "index") as collection:
        collection.sync(photos)
    client = serve()

    def found(**wanted: object) -> list[set[str]]:
        started = client.post(f"{here}/duplicates", json=wanted)
        assert started.status_code == 202, started.text
        job = ended(client, started.json()["id"])
        assert (job["state"], job["kind"]) == ("done", "duplicates")
        page = client.get(f"{started.headers['location']}/duplicates", params={"limit": 1}).json()
        assert page["total"] == job["report"]["groups"]
        groups: list[dict[str, Any]] = page["groups"]
        return [
            {group["keep"]["name"], *(other["image"]["name"] for other in group["others"])}
            for group in groups
        ]

    assert client.post(f"{here}/duplicates").json()["state"] == "running"  # needs no body
    ended(client, client.get("/v1/jobs").json()["jobs"][0]["id"])
    (exact,) = found(level="exact")
    assert exact == {"large.png", "copy.png"}
    (same,) = found(level="same")
    assert same == {"large.png", "copy.png", "small.png"}
    last = client.get("/v1/jobs").json()["jobs"][0]["id"]
    page = client.get(f"/v1/jobs/{last}/duplicates", params={"others": 1}).json()
    assert [(len(group["others"]), group["more"]) for group in page["groups"]] == [(1, 1)]
    assert found(level="exact", filter={"folder": "photos/holiday"}) == []
    images = client.get(f"{here}/images", params={"name": "*.png", "limit": 50}).json()["images"]
    by_name = {image["name"]: image["id"] for image in images}
    ids = [by_name["large.png"], by_name["small.png"]]
    assert client.post(f"{here}/duplicates/dismiss", json={"ids": ids}).status_code == 204
    (left,) = found(level="same")
    assert left == {"large.png", "copy.png"}


def test_what_has_no_groups(serve: Starter, here: str) -> None:
    client = serve()
    id_ = client.post(f"{here}/sync", json={}).json()["id"]
    assert client.get(f"/v1/jobs/{id_}/duplicates").status_code == 404
    assert client.post(f"{here}/duplicates", json={"level": "all"}).status_code == 422
    nowhere = {"filter": {"folder": "nowhere"}}
    assert client.post(f"{here}/duplicates", json=nowhere).status_code == 404
