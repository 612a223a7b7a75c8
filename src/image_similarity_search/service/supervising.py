"""The process that starts those that answer, and another where one is lost."""

from __future__ import annotations

from typing import Any

from uvicorn.supervisors import Multiprocess


class Workers(Multiprocess):
    """The processes that answer requests.

    Attributes:
        failed: one could not start, so that they were ended, though nobody had asked for it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.failed = False

    def keep_subprocess_alive(self) -> None:
        """Start another process in place of one that is lost."""
        if not self.should_exit.is_set():
            super().keep_subprocess_alive()
            self.failed = self.should_exit.is_set()
