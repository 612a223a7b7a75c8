"""Thousands of hostile and strange files in one run, where a collection of them is at hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tree_memory import peak_of

MEMORY_MIB = 1024
SECONDS = 300
LOST = re.compile("crashed|killed|took more|takes more|not enough memory")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the memory of processes")
def test_a_folder_of_odd_files_is_indexed_within_a_gigabyte(
    test_data: Path, tmp_path: Path
) -> None:
    odd = test_data / "odd"
    if not odd.is_dir():
        pytest.skip("ISS_TEST_DATA has no folder 'odd'")
    iss = [sys.executable, "-m", "image_similarity_search"]
    index = ["--index-dir", str(tmp_path / "i"), "--json"]
    with subprocess.Popen(
        [*iss, "index", str(odd), "--all-files", "--time-limit", "30", *index],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        peak = peak_of(run, every=0.02)
        report = json.loads(run.communicate(timeout=SECONDS)[0])
    assert run.returncode == 0
    print(f"{peak:.0f} MiB, {report['seconds']:.0f} s")
    assert peak < MEMORY_MIB
    files = sum(len(names) for _, _, names in os.walk(odd))
    assert report["indexed"] + report["skipped"] == files
    assert report["indexed"] > 500
    listed = subprocess.run(
        [*iss, "info", "--skipped", *index], capture_output=True, text=True, check=True
    )
    assert not [record for record in json.loads(listed.stdout) if LOST.search(record["reason"])]
