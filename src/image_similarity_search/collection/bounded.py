"""A question whose answer is waited for only so long: a drive whose server is away gives none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

_Answer = TypeVar("_Answer")

_log = logging.getLogger(__name__)


class Bounded(Generic[_Answer]):
    """Asks on another thread, which may hang in the system for ever, and one question at a time."""

    def __init__(self) -> None:
        self._answers: SimpleQueue[_Answer | None] = SimpleQueue()
        self._asking = False

    def ask(self, question: Callable[[], _Answer], seconds: float) -> _Answer | None:
        """What ``question`` returns, or None where that takes longer, or it fails, which is logged.

        From then on it is None at once, until there is an answer to the question that was late.
        """
        late, self._asking = self._asking, True
        if not late:
            asking = threading.Thread(
                target=self._answer, args=(question,), name="iss-look", daemon=True
            )
            try:
                asking.start()
            except RuntimeError as error:  # as many threads as the system allows
                _log.warning("could not check (no thread could be started): %s", error)
                self._answers.put(None)
        try:
            found = self._answers.get(timeout=0 if late else seconds)
        except Empty:
            return None
        self._asking = False
        return found

    def _answer(self, question: Callable[[], _Answer]) -> None:
        found = None
        try:
            found = question()
        except Exception as error:
            _log.warning("a check failed: %r", error)
        finally:
            self._answers.put(found)
