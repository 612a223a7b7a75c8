"""Processes that may do less than the tests may."""

from __future__ import annotations

import os
import shutil

import pytest


def as_anybody() -> list[str]:
    """What makes a command obey file permissions, which root does not."""
    if os.name != "posix":
        pytest.skip("needs the file permissions of a Unix")
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if not setpriv:
        pytest.skip("runs as root, to whom nothing is read-only, and there is no setpriv")
    return [setpriv, "--bounding-set", "-dac_override,-dac_read_search"]
