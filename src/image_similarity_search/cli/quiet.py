"""Keeps C libraries, which write to file descriptor 2 themselves, off the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def codecs_silenced() -> Iterator[None]:
    """What a codec (libtiff above all) thinks of a damaged file goes nowhere.

    Python's own standard error still reaches whoever reads it: the reason why a file is skipped
    is in the collection.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # it was closed: there is nothing to keep clean
        yield
        return
    before = sys.stderr
    devnull = os.open(os.devnull, os.O_WRONLY)
    with open(kept, "w", buffering=1, encoding=before.encoding, errors=before.errors) as ours:
        os.dup2(devnull, 2)
        os.close(devnull)
        sys.stderr = ours
        try:
            yield
        finally:
            ours.flush()
            os.dup2(kept, 2)
            sys.stderr = before
