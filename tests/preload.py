"""Libraries that stand before the system's in a process (LD_PRELOAD)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def built(folder: Path, source: str) -> Path:
    """The library of a C ``source``, built in ``folder``; the test is skipped where it can't be."""
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or not compiler:
        pytest.skip("needs Linux and a C compiler")
    text, library = folder / "preload.c", folder / "preload.so"
    if not library.exists():
        text.write_text(source)
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(text), "-ldl"]
        subprocess.run(command, check=True)
    return library
