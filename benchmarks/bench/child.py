"""Functions run in a process of their own, so that memory and start-up are theirs alone."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tree_memory import peak_of

from bench.registry import Figures

_HERE = Path(__file__).resolve().parent.parent


class ChildFailedError(Exception):
    """A process ended with an error, which it has printed, or took too long."""


def run(
    module: str, function: str, *arguments: object, peak: bool = False, limit: float | None = None
) -> Figures:
    """What ``module.function(*arguments)`` gives in a fresh process, the arguments as text.

    With ``peak``, the most memory that it and its children took together is added, ``peak_mib``.
    Looking at it takes a process with gigabytes some milliseconds, twenty times a second: it is
    not for measurements of time.

    Raises:
        ChildFailedError: it failed, or ran for more than ``limit`` seconds.
    """
    command = [sys.executable, "-m", "bench.child", module, function, *map(str, arguments)]
    # what is measured is what this process imports, also where that is not what is installed
    paths = filter(None, (str(_HERE), os.environ.get("PYTHONPATH")))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    most = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        if peak:
            most = peak_of(process)
        try:
            output = process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired as error:
            process.kill()
            raise ChildFailedError(f"took more than {limit:,.0f} s") from error
    if process.returncode:
        raise ChildFailedError(f"{module}.{function} ended with status {process.returncode}")
    figures: Figures = json.loads(output.splitlines()[-1])
    return figures | ({"peak_mib": most} if peak else {})


def _main(module: str, function: str, *arguments: str) -> None:
    called: Any = getattr(importlib.import_module(module), function)
    print(json.dumps(called(*arguments)))


if __name__ == "__main__":
    _main(*sys.argv[1:])
