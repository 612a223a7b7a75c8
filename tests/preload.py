"""Libraries that stand before the system's in a process (LD_PRELOAD)."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest


def built(folder: Path, source: str) -> Path:
    """The library of a C ``source``, put into ``folder``; the test is skipped where it can't be."""
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or not compiler:
        pytest.skip("needs Linux and a C compiler")
    library = folder / "preload.so"
    if not library.exists():
        library.write_bytes(_compiled(compiler, source))
    return library


@cache
def _compiled(compiler: str, source: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        text, library = Path(folder, "preload.c"), Path(folder, "preload.so")
        text.write_text(source)
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(text), "-ldl"]
        subprocess.run(command, check=True)
        return library.read_bytes()
