"""The environment that the recipe is measured in."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_one_that_is_older_than_what_belongs_into_it_gets_it(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    pip, stamp = tmp_path / ".venv-recipe" / "bin" / "pip", tmp_path / ".venv-recipe" / ".tried"
    pip.parent.mkdir(parents=True)
    pip.write_text('#!/bin/sh\necho "$@" >> asked\n')
    pip.chmod(0o755)
    stamp.touch()
    os.utime(stamp, (0, 0))
    for _ in ("older", "up to date"):
        subprocess.run(
            ["make", "-s", ".venv-recipe/.tried", "PYTHON=true"], cwd=tmp_path, check=True
        )
        asked = (tmp_path / "asked").read_text().splitlines()
        assert [line for line in asked if "imagededup" in line] == asked[1:2]
        assert len(asked) == 3
