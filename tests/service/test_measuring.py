"""What several processes measure together, in a folder that fails them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
        assert file.stat().st_blocks * 512 >= file.stat().st_size == 1 << 18
for status in range(200, 600):
    metrics.answered({"method": "GET", "path": "/x"}, status, 0.1)
metrics.images("pictures", 12)
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
    assert ("told by itself alone" in done.stderr) == (what == "full")
