"""Syncs in the background, followed, stopped, and those whose process is gone."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import children_of, draw, until
from running import Starter
from test_searching import hits_of, picture

from image_similarity_search.collection import Collection
from image_similarity_search.service import job_runs


def ended(client: httpx.Client, id_: str) -> dict[str, Any]:
    # seldom: its process has but what of the processors nobody else wants
    until(lambda: bool(client.get(f"/v1/jobs/{id_}").json()["state"] != "running"), every=0.1)
    job: dict[str, Any] = client.get(f"/v1/jobs/{id_}").json()
    return job


def test_a_sync_is_followed_to_its_end(serve: Starter, place: Path, here: str) -> None:
    client = serve()
    (place / "photos/new.png").write_bytes(picture(60))
    started = client.post(f"{here}/sync", json={"root": "photos"})
    assert started.status_code == 202
    kinds, jobs = [], []
    with client.stream("GET", f"{started.headers['location']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kinds.append(value)
            elif name == "data":
                jobs.append(json.loads(value))
    assert (kinds[0], kinds[-1]) == ("progress", "end")
    last = jobs[-1]
    assert last["state"] == "done"
    report = last["report"]
    assert (report["indexed"], report["unchanged"], report["removed"]) == (1, 12, 0)
    assert hits_of(client.post(f"{here}/search", content=picture(60)))[0]["score"] == 1.0
    assert client.get("/v1/jobs").json()["jobs"] == [last]
    shutil.rmtree(place / "photos/holiday")
    job = ended(client, client.post(f"{here}/sync").json()["id"])  # without a body: all folders
    assert job["report"]["removed"] == 6


@pytest.fixture
def in_the_background() -> Iterator[None]:
    """As a script starts what it does not wait for: with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("in_the_background")
def test_a_sync_can_be_stopped_and_another_waits_its_turn(
    serve: Starter, place: Path, here: str
) -> None:
    client = serve()
    large = BytesIO()
    draw(60, (1600, 1200)).save(large, "PNG", compress_level=1)
    for number in range(300):  # what follows the picture makes each another file
        (place / f"photos/{number}.png").write_bytes(large.getvalue() + b"%d" % number)
    id_ = client.post(f"{here}/sync", json={}).json()["id"]
    second = client.post(f"{here}/sync", json={})
    assert (second.status_code, second.json()["type"]) == (409, "urn:iss:problem:job-running")
    until(lambda: bool(client.get(here).json()["indexed"] > 12))
    assert client.post(f"/v1/jobs/{id_}/cancel").status_code == 202
    job = ended(client, id_)
    assert job["state"] == "cancelled", job
    assert 0 < job["report"]["indexed"] < 300
    assert client.get(here).json()["indexed"] == 12 + job["report"]["indexed"]


def test_a_sync_that_fails_says_why(serve: Starter, place: Path, here: str) -> None:
    client = serve()
    (place / "photos").rename(place / "elsewhere")
    job = ended(client, client.post(f"{here}/sync", json={}).json()["id"])
    assert (job["state"], job["error"]["type"]) == ("failed", "urn:iss:problem:folder-not-found")
    assert job["error"]["detail"] == "photos: no such folder; nothing was changed"
    assert str(place) not in json.dumps(job)


def test_a_folder_that_is_away_keeps_no_other_from_being_synced(
    serve: Starter, place: Path, here: str
) -> None:
    (place / "zoo").mkdir()
    (place / "zoo/old.png").write_bytes(picture(61))
    with Collection.open(place / "index") as collection:
        collection.sync(place / "zoo")
    client = serve()
    (place / "photos").rename(place / "elsewhere")
    (place / "zoo/new.png").write_bytes(picture(60))
    job = ended(client, client.post(f"{here}/sync", json={}).json()["id"])
    assert (job["state"], job["root"], job["error"]) == ("done", "zoo", None)
    report = job["report"]
    assert report["unreadable_folders"] == ["photos: no such folder; nothing was changed"]
    assert (report["indexed"], report["removed"]) == (1, 0)
    assert client.get(here).json()["indexed"] == 14
    (place / "elsewhere").rename(place / "photos")
    job = ended(client, client.post(f"{here}/sync", json={}).json()["id"])
    assert (job["report"]["unchanged"], job["report"]["unreadable_folders"]) == (14, [])


@pytest.mark.unix
def test_a_job_whose_process_was_killed_has_failed(serve: Starter, place: Path, here: str) -> None:
    client = serve()
    before = children_of(os.getpid())
    id_ = client.post(f"{here}/sync", json={}).json()["id"]
    until(lambda: bool(children_of(os.getpid()) - before))
    for pid in children_of(os.getpid()) - before:
        os.kill(pid, 9)
    job = ended(client, id_)
    assert (job["state"], job["error"]["type"]) == ("failed", "urn:iss:problem:job-lost")
    again = ended(client, client.post(f"{here}/sync", json={}).json()["id"])
    assert again["state"] == "done"


@pytest.mark.unix
def test_a_job_that_was_to_stop_and_is_killed_was_stopped(
    serve: Starter, place: Path, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that gives it no time in which to stop by itself."""
    monkeypatch.setattr(job_runs, "STOP_SECONDS", 0.1)
    client = serve()
    (place / "photos/new.png").write_bytes(picture(60))
    before = children_of(os.getpid())
    id_ = client.post(f"{here}/sync", json={}).json()["id"]
    until(lambda: bool(children_of(os.getpid()) - before))
    for pid in children_of(os.getpid()) - before:
        os.kill(pid, signal.SIGSTOP)
    assert client.post(f"/v1/jobs/{id_}/cancel").status_code == 202
    job = ended(client, id_)
    assert (job["state"], job["error"], job["report"]) == ("cancelled", None, None)
    again = ended(client, client.post(f"{here}/sync", json={}).json()["id"])
    assert (again["state"], again["report"]["unchanged"]) == ("done", 12)
    assert again["report"]["indexed"] == 1


def test_there_is_no_such_job(shared: httpx.Client, here: str) -> None:
    for id_ in ("0123456789abcdef", "..", "%2e%2e%2fx", "x" * 500):
        assert shared.get(f"/v1/jobs/{id_}").status_code == 404
    assert shared.post(f"{here}/sync", json={"root": "other"}).status_code == 404
