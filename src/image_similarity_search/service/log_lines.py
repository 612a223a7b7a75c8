"""What the service writes into its log: lines with their time, none of them again and again."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from threading import Lock
from typing import Any

from image_similarity_search.service.rates import Rates

_SECONDS = 60.0  # in which a line is written once
_KNOWN = 200  # lines
_LINES_A_MINUTE = 60


def config() -> dict[str, Any]:
    """For ``logging.config``: all that is logged in a process goes to standard error.

    The level of our own lines is what it is now.
    """
    own = "image_similarity_search"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
        "filters": {"once": {"()": f"{__name__}.Once"}},
        "handlers": {
            "log": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["once"]}
        },
        "root": {"level": "WARNING", "handlers": ["log"]},
        "loggers": {own: {"level": logging.getLogger(own).getEffectiveLevel()}},
    }


class Once(logging.Filter):
    """Lets a line pass once a minute; the next one says how many there were meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self._last: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is to be written."""
        text, now = record.getMessage(), time.monotonic()
        line = text, repr(record.exc_info and record.exc_info[1])
        with self._lock:
            since, more = self._last.pop(line, (now - _SECONDS, 0))
            is_new = now - since >= _SECONDS
            self._last[line] = (now, 0) if is_new else (since, more + 1)
            if len(self._last) > _KNOWN:
                self._last.popitem(last=False)
        if is_new and more:
            record.msg, record.args = f"{text} (and {more:,} more like it before)", ()
        return is_new


class LimitedLog:
    """A log of what anybody may cause as often as they like: so many lines a minute, no more."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._rates = Rates(_LINES_A_MINUTE / 60, 60.0)

    def warning(self, text: str, *values: object) -> None:
        """Write a line, unless there were too many in the last minute."""
        if not self._rates.take(""):
            self._log.warning(text, *values)
