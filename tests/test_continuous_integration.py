"""What continuous integration must not pass over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BROWSER_TEST = "tests/browser/test_states.py::test_an_empty_collection"


@pytest.mark.skipif(not (ROOT / ".ci" / "run").exists(), reason="not in what is installed")
def test_without_a_browser_its_tests_fail_there() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "\nISS_BROWSER_NEEDED=1 make test-browser\n" in script
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "browser"]
    environment = os.environ | {"ISS_CHROMIUM": "/nowhere", "ISS_BROWSER_NEEDED": "1"}
    done = subprocess.run(
        [*command, BROWSER_TEST],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "there is no /nowhere" in done.stdout


@pytest.mark.skipif(not (ROOT / ".ci" / "run").exists(), reason="not in what is installed")
def test_without_postgresql_its_tests_fail_there() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "\tISS_POSTGRES_NEEDED=1 make test-postgres\n" in script
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "postgres"]
    test = "tests/shared/test_sharing.py::test_where_there_is_none_that_is_said"
    for needed, status in (("", 0), ("1", 1)):
        environment = os.environ | {"ISS_POSTGRES": "/nowhere", "ISS_POSTGRES_NEEDED": needed}
        done = subprocess.run(
            [*command, test], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert ("no PostgreSQL server" in done.stdout) == bool(status)


@pytest.mark.skipif(not (ROOT / ".ci" / "run").exists(), reason="not in what is installed")
def test_without_an_engine_its_tests_fail_there(tmp_path: Path) -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "\tISS_ENGINE_NEEDED=1 make test-engine\n" in script
    for folder, program, lines in (
        (".venv", "python", ""),
        (".venv-engine", "python", f"echo {tmp_path}"),
        (".venv-engine", "pip", 'case "$*" in *milvus*) exit 1;; esac'),
    ):
        path = tmp_path / folder / "bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)
    for name in ("pyproject.toml", ".venv/.installed-dev"):  # in this order: it is installed
        (tmp_path / name).touch()
    command = ["make", "-f", str(ROOT / "Makefile"), "test-engine", "PYTHON=true"]
    for needed, status in (("", 0), ("1", 2)):
        environment = os.environ | {"ISS_ENGINE_NEEDED": needed}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert "can't be installed here" in done.stdout
