"""A command of the user's, run when a collection was changed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from image_similarity_search.cli.output import event_as_json, say
from image_similarity_search.reports import WatchEvent


def ran_well(command: str | None, event: WatchEvent, /, **more: Any) -> bool:
    """Run ``command``, if the event's sync changed something; whether that went well.

    The shell runs it, with the event as a line of JSON on its standard input, in which fields are
    those of ``more``. What it prints goes to standard error. It is waited for. That it fails is
    said, and changes nothing else.
    """
    if command is None or event.report is None or not event.report.changed:
        return True
    line = json.dumps(event_as_json(event) | more) + "\n"
    talk = _standard_error()
    try:
        done = subprocess.run(  # noqa: S602 - that a shell runs it is what it is for
            command, shell=True, input=line.encode(), stdout=talk, stderr=talk, check=False
        )
    except OSError as error:
        say(f"--on-change can't be run: {error}; the collection is up to date anyway")
        return False
    if done.returncode:
        say(f"--on-change ended with status {done.returncode}; the collection is up to date anyway")
    return not done.returncode


def _standard_error() -> int:
    """Where Python's goes: the descriptor 2 may be silenced."""
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # it is no file, as in a test
        return 2
