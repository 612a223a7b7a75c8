"""The process of a job, seen from the service."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from typing import Any

_log = logging.getLogger(__name__)

STOP_SECONDS = 30.0
"""What a job has to stop in, before its process is killed."""

_PROCESS = "image_similarity_search.service.job_process"
_LOOK_SECONDS = 0.2  # for a wish to stop
_END_SECONDS = 5.0  # from the last line to the end of the process


def lines_of(
    task: Mapping[str, Any], is_unwanted: Callable[[], bool]
) -> Generator[dict[str, Any], None, None]:
    """Do ``task`` in a process; what it says. Closing this early ends the process.

    Args:
        task: as ``job_process`` takes it.
        is_unwanted: whether it is to stop; asked a few times a second.

    Raises:
        OSError: the process can't be started.
        ValueError: it says something else than JSON.
    """
    process = subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-P", "-m", _PROCESS, json.dumps(task)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0 if sys.platform != "win32" else None,  # Ctrl-C is for the service
    )
    assert process.stdout  # noqa: S101 - a pipe
    done = threading.Event()
    try:
        threading.Thread(
            target=_stop_when_unwanted, args=(process, is_unwanted, done), daemon=True
        ).start()
        for line in process.stdout:
            yield json.loads(line)
    finally:
        done.set()
        _end(process)
    if process.returncode:
        _log.warning("the process of a job (%s) ended with status %d", task, process.returncode)


def _stop_when_unwanted(
    process: subprocess.Popen[bytes], is_unwanted: Callable[[], bool], done: threading.Event
) -> None:
    while not done.wait(_LOOK_SECONDS):
        if is_unwanted():
            _close_input(process)
            if not done.wait(STOP_SECONDS):
                process.kill()  # what was committed is kept
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout  # noqa: S101 - a pipe
    process.stdout.close()
    _close_input(process)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _close_input(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to stop."""
    assert process.stdin  # noqa: S101 - a pipe
    with suppress(OSError):
        process.stdin.close()
