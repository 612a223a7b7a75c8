"""Jobs of several workers, their folder, and what goes on beside them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import children_of, until
from running import NAME, Starter
from test_syncing import ended

from image_similarity_search.catalog.lock import writer_lock
from image_similarity_search.service.claims import Claims
from image_similarity_search.service.jobs import Jobs
from image_similarity_search.service.problems import Refusal


@pytest.fixture
def sync(place: Path) -> dict[str, Any]:
    return {"index_dir": str(place / "index"), "roots": ["photos"], "retry_skipped": False}


@pytest.mark.parametrize("closed", [False, True])
def test_the_process_of_a_job_ends_as_it_should(sync: dict[str, Any], closed: bool) -> None:
    """Whether its input is open to its end, or closed as soon as it has said how it ended."""
    program = [sys.executable, "-P", "-m", "image_similarity_search.service.job_process"]
    task = json.dumps({**sync, "kind": "sync"})
    pipe = subprocess.PIPE
    with subprocess.Popen([*program, task], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        last = next(line for line in process.stdout if b'"state"' in line)
        if closed:
            process.stdin.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""
    assert json.loads(last)["state"] == "done"


def test_reads_wait_for_no_change(serve: Starter, place: Path, here: str) -> None:
    client = serve()
    answers: list[httpx.Response] = []

    def forget(id_: int) -> None:
        answers.append(httpx.delete(f"{client.base_url}{here}/images/{id_}", timeout=30))

    threads = [threading.Thread(target=forget, args=(id_,)) for id_ in range(1, 11)]
    with writer_lock(str(place / "index")):
        for thread in threads:
            thread.start()
        until(lambda: len(answers) == 2)  # the others wait
        began = time.monotonic()
        for path in ("/images/12/thumbnail", "/images/12/file", "/images", ""):
            assert client.get(here + path).status_code == 200
        assert client.get("/metrics").status_code == client.get("/v1/jobs").status_code == 200
        assert time.monotonic() - began < 4
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [503] * 2 + [204] * 8
    assert answers[0].headers["retry-after"] == "5"
    assert answers[0].json()["type"] == "urn:iss:problem:busy"


def test_a_job_ends_though_its_state_can_not_be_written(
    serve: Starter, place: Path, here: str
) -> None:
    client = serve()
    shutil.rmtree(place / "state1/jobs", ignore_errors=True)  # as what cleans /tmp does
    assert client.get("/v1/jobs").json() == {"jobs": []}
    job = client.post(f"{here}/sync", json={}).json()["id"]
    look = client.post(f"{here}/duplicates", json={}).json()["id"]
    shutil.rmtree(place / "state1/jobs")
    (place / "state1/jobs").write_text("where no file can be made")
    with client.stream("GET", f"/v1/jobs/{job}/events") as stream:
        assert "event: end" in list(stream.iter_lines())
    assert client.get(f"/v1/jobs/{job}").json()["state"] == "done"
    unkept = ended(client, look)
    assert (unkept["state"], unkept["error"]["type"]) == ("failed", "urn:iss:problem:unwritable")
    assert {each["id"] for each in client.get("/v1/jobs").json()["jobs"]} == {job, look}
    until(lambda: client.post(f"{here}/sync", json={}).status_code == 507)
    (place / "state1/jobs").unlink()
    assert client.post(f"{here}/sync", json={}).status_code == 202


def test_the_log_says_why_a_job_failed(
    tmp_path: Path, sync: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    jobs = Jobs(str(tmp_path))
    job = jobs.start("sync", NAME, sync | {"roots": 7})  # as none of our errors is
    until(lambda: jobs.get(job.id).state != "running")
    error = jobs.get(job.id).error
    assert error
    assert error.type == "urn:iss:problem:internal"
    assert job.id in caplog.text
    assert "TypeError: 'int' object is not iterable" in caplog.text
    jobs.close()


def test_the_log_says_how_the_process_of_a_job_ended(
    tmp_path: Path, sync: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    jobs = Jobs(str(tmp_path))
    before = children_of(os.getpid())
    job = jobs.start("sync", NAME, sync)
    until(lambda: bool(children_of(os.getpid()) - before))
    (process,) = children_of(os.getpid()) - before
    os.kill(process, 9)
    until(lambda: jobs.get(job.id).state != "running")
    assert jobs.get(job.id).error
    assert "ended with status -9" in caplog.text
    jobs.close()


def test_workers_share_their_jobs(tmp_path: Path, sync: dict[str, Any]) -> None:
    one, other = Jobs(str(tmp_path)), Jobs(str(tmp_path))
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / f"sync.{NAME}.running").touch()  # of a worker that was killed just then
    begun: list[str] = []
    refused: list[str] = []

    def start(jobs: Jobs) -> None:
        try:
            begun.append(jobs.start("sync", NAME, sync).id)
        except Refusal as refusal:
            refused.append(refusal.kind.slug)

    threads = [threading.Thread(target=start, args=(jobs,)) for jobs in (one, other) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (id_,) = begun
    assert refused == ["job-running"] * 7
    assert one.get(id_).state == other.get(id_).state == "running"
    assert one.cancel(id_).id == other.cancel(id_).id == id_
    until(lambda: one.get(id_).state != "running")
    assert one.get(id_).state == other.get(id_).state
    assert one.get(id_).state in ("cancelled", "done")  # it may have come to its end before
    one.close()
    other.close()
    for jobs in (one, other):
        assert not jobs._threads
        assert not jobs._here
    state = json.loads((folder / f"{id_}.json").read_text())
    state["job"]["state"] = "running"  # as where its end can't be written
    (folder / f"{id_}.json").write_text(json.dumps(state))
    assert one.get(id_).state == "failed"


def test_a_claim_counts_before_its_job_can_be_read(tmp_path: Path, sync: dict[str, Any]) -> None:
    jobs = Jobs(str(tmp_path))
    (tmp_path / "jobs").mkdir()
    held = Claims(str(tmp_path / "jobs")).take(f"sync.{NAME}", "0123456789abcdef")
    assert held
    with pytest.raises(Refusal, match="409"):
        jobs.start("sync", NAME, sync)
    assert jobs.all() == []
    held.release()


def test_a_read_only_service_stops_only_what_it_may_start(
    serve: Starter, place: Path, here: str, sync: dict[str, Any]
) -> None:
    client = serve(read_only=True)
    look = client.post(f"{here}/duplicates", json={}).json()["id"]
    assert client.post(f"/v1/jobs/{look}/cancel").status_code == 202
    others = Jobs(str(place / "state1"))
    job = others.start("sync", NAME, sync).id
    assert client.post(f"/v1/jobs/{job}/cancel").status_code == 403
    others.close()
    assert ended(client, look)["state"] in ("cancelled", "done")  # it may have ended before
