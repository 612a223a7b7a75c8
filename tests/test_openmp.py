"""The default install has one OpenMP at most, and never sets the variable that hides a second."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import draw

import image_similarity_search

_SEARCH = """
import os, sys
from image_similarity_search import Collection
with Collection.open("i", create=True) as collection:
    collection.sync("images")
    collection.search("images/a.png")
assert "KMP_DUPLICATE_LIB_OK" not in os.environ
maps = open("/proc/self/maps").read().split()
print(*sorted({part for part in maps if "omp" in part.rsplit("/", 1)[-1] and ".so" in part}))
"""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux shows what is loaded")
def test_one_openmp_at_most_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    draw(1).save(tmp_path / "images" / "a.png")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("KMP")}
    done = subprocess.run(
        [sys.executable, "-c", _SEARCH],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    libraries = [line for line in done.stdout.split() if "iomp" in line or "gomp" in line]
    assert len(libraries) <= 1, libraries


def test_the_variable_is_never_set() -> None:
    package = Path(image_similarity_search.__file__).parent
    for module in package.rglob("*.py"):
        assert "KMP_DUPLICATE" not in module.read_text("utf-8"), module
