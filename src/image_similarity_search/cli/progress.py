"""How far a job is, on standard error: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from typing import Any, Self

from image_similarity_search.cli.output import count, say
from image_similarity_search.types import Progress

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_TO_TELL_A_RATE = 1.0


class ProgressBar:
    """Shows ``Progress`` with rate and time left; a context manager, called with each step."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._phase = ""
        # with --verbose other lines are written, which would break the bar
        self._lines_wanted = logging.getLogger("image_similarity_search").isEnabledFor(logging.INFO)
        self._phase_started = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __call__(self, progress: Progress) -> None:
        """Show a step."""
        if progress.phase != self._phase:
            self._phase, self._phase_started = progress.phase, time.monotonic()
        if sys.stderr.isatty() and not self._lines_wanted:
            self._draw(progress)
        elif time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            say(self._line(progress))

    def _draw(self, progress: Progress) -> None:
        from tqdm import tqdm

        if progress.total == 0:
            return
        if self._bar is None or self._bar.desc != progress.phase:
            self.__exit__()
            screen = shutil.get_terminal_size()
            self._bar = tqdm(
                desc=progress.phase,
                total=progress.total,
                unit=" images",
                leave=False,
                # tqdm itself shows nothing where a terminal doesn't know its size
                ncols=min(100, screen.columns),
                nrows=screen.lines,
                file=sys.stderr,
            )
        self._bar.total = progress.total  # which may have been unknown at first
        self._bar.update(progress.done - self._bar.n)
        if progress.done == progress.total:
            self.__exit__()

    def _line(self, progress: Progress) -> str:
        if not progress.total:
            return f"{progress.phase}: {count(progress.done, 'image')}"
        line = f"{progress.phase}: {progress.done:,} of {count(progress.total, 'image')}"
        seconds = time.monotonic() - self._phase_started
        if not progress.done or seconds < _SECONDS_TO_TELL_A_RATE:
            return line
        rate = progress.done / seconds
        return f"{line}, {rate:.0f} images/s, {(progress.total - progress.done) / rate:.0f} s left"
