"""What a service tells of itself: its measurements, and its log."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import until
from running import NAME, Starter
from test_attacks import KEY

from image_similarity_search.service import log_lines
from image_similarity_search.service.wrong_keys import GUESSES_A_MINUTE

_SCRIPT = """
import os, resource, shutil, sys
folder, what = os.environ["PROMETHEUS_MULTIPROC_DIR"], sys.argv[1]
from image_similarity_search.service.metrics import Metrics
if what == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
metrics = Metrics(["pictures"], folder)
if what == "cleaned away":
    shutil.rmtree(folder)
if what == "as usual":  # all room is taken before it is mapped: it can't be missing later
    for file in os.scandir(folder):
        assert file.stat().st_blocks * 512 >= file.stat().st_size == (1 << 18) + (1 << 12)
for status in range(200, 600):
    metrics.answered({"method": "GET", "path": "/x"}, status, 0.1)
metrics.collections({"pictures": 12})
metrics.waiting(3)
print(metrics.text().decode())
"""


@pytest.mark.unix
@pytest.mark.parametrize("what", ["as usual", "full", "cleaned away"])
def test_measuring_goes_on_whatever_becomes_of_the_folder(tmp_path: Path, what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, what],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert 'iss_images{collection="pictures"} 12.0' in lines
    assert "iss_requests_at_work 3.0" in lines
    assert 'iss_http_requests_total{method="other",route="other",status="599"} 1.0' in lines
    assert ("are not shared with the others" in done.stderr) == (what == "full")


def test_collections_that_are_away_and_jobs_are_measured(
    serve: Starter, place: Path, here: str
) -> None:
    client = serve(collections=((NAME, str(place / "index")), ("away", str(place / "away"))))

    def told() -> list[str]:
        return client.get("/metrics").text.splitlines()

    done = 'iss_jobs{collection="pictures",kind="sync",state="done"}'
    before = told()
    assert 'iss_collection_available{collection="pictures"} 1.0' in before
    assert 'iss_collection_available{collection="away"} 0.0' in before
    assert f"{done} 0.0" in before
    assert 'iss_synced_timestamp_seconds{collection="pictures"} 0.0' in before
    assert client.post(f"{here}/sync", json={}).status_code == 202
    until(lambda: f"{done} 1.0" in told())
    (synced,) = [line for line in told() if "synced" in line and NAME in line]
    assert abs(float(synced.split()[1]) - time.time()) < 60


def test_a_line_is_logged_once_and_then_how_often_it_came(
    serve: Starter, here: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.handler.addFilter(once := log_lines.Once())
    client = serve(keys=(KEY,))
    # that of another service of this process has seen the same lines
    monkeypatch.setattr(logging.getLogger(), "handlers", [caplog.handler])
    try:
        for number in range(GUESSES_A_MINUTE + 2):
            client.get(here, headers={"x-api-key": f"guess-number-{number}-of-many"})
        monkeypatch.setattr(log_lines, "_SECONDS", 0.0)
        client.get(here, headers={"x-api-key": "another-guess-of-many"})
    finally:
        caplog.handler.removeFilter(once)
    refused = "too many wrong keys from '127.0.0.1': refusing it for a while"
    assert [message for message in caplog.messages if "127.0.0.1" in message] == [
        "wrong key from '127.0.0.1'",
        refused,
        f"{refused} (and 1 more like it before)",
    ]
