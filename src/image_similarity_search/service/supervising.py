"""The process that starts those that answer, and another where one is lost."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
from threading import Thread

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from uvicorn.supervisors import Multiprocess

_log = logging.getLogger(__name__)


def end_with_parent() -> None:
    """Have this process told to end when the one that started it is gone, which can't any more."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def end() -> None:
        parent.join()
        _log.warning("the parent process is gone: this process ends")
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=end, name="end with parent", daemon=True).start()


class Workers(Multiprocess):
    """The processes that answer requests.

    Attributes:
        failed: one could not start, so that they were ended, though nobody had asked for it.
    """

    def __init__(
        self, config: uvicorn.Config, sockets: list[socket.socket], shared_metrics: str | None
    ) -> None:
        """``shared_metrics`` is the folder that they count in."""
        super().__init__(config, sockets)
        self.failed = False
        self._shared_metrics = shared_metrics

    def keep_subprocess_alive(self) -> None:
        """Start another process in place of one that is lost."""
        if self.should_exit.is_set():
            return
        before = list(self.processes)
        super().keep_subprocess_alive()
        self.failed = self.should_exit.is_set()
        for process in before:
            if process not in self.processes:
                _log.warning(
                    "worker process %s ended (status %s): it was replaced",
                    process.pid,
                    process.exitcode,
                )
                if self._shared_metrics and process.pid:
                    mark_process_dead(process.pid, self._shared_metrics)  # type: ignore[no-untyped-call]  # theirs
