from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import os
from image_similarity_search.stores.faiss_library import faiss_library
faiss_library()
print(os.environ.get("OMP_WAIT_POLICY"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="OpenMP of GNU tells how it waits")
@pytest.mark.parametrize(
    ("said", "spins", "left"),
    [
        ({}, "'0'", "None"),
        ({"OMP_WAIT_POLICY": "active"}, "'30000000000'", "active"),
        ({"GOMP_SPINCOUNT": "77"}, "'77'", "None"),
    ],
)
def test_threads_sleep_while_they_wait_unless_the_environment_says_otherwise(
    said: dict[str, str], spins: str, left: str
) -> None:
    usual = {name: value for name, value in os.environ.items() if "OMP_" not in name}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**usual, **said, "OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"GOMP_SPINCOUNT = {spins}" in done.stderr
    assert done.stdout.strip() == left
