"""The files of an SQLite database, which belong together."""

from __future__ import annotations

import os
import time
from contextlib import suppress

LOG = "-wal"
"""How the name of a database's log ends."""


def remove(path: str) -> None:
    """Have no database there, nor what it left."""
    for end in (LOG, "-shm", "-journal", ""):  # a log would be taken for that of the next one
        with suppress(FileNotFoundError):
            os.remove(path + end)


def rename(path: str, target: str) -> None:
    """Call a database that nobody uses otherwise; what is at the target is gone then."""
    for end in (LOG, ""):  # the log first: it must not be read into another database
        with suppress(FileNotFoundError):
            os.remove(target + end)
        with suppress(FileNotFoundError):
            os.replace(path + end, target + end)
    with suppress(FileNotFoundError):
        os.remove(f"{path}-shm")


def kept_name(path: str, word: str) -> str:
    """A name that is free, to keep a database by: what became of it, and when."""
    kept = f"{path}.{word}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    while os.path.exists(kept):
        kept += "+"
    return kept
