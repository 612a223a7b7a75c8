"""A question whose answer is waited for only so long: a drive whose server is away gives none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

_Answer = TypeVar("_Answer")


class Bounded(Generic[_Answer]):
    """Asks on another thread, which may hang in the system for ever, and one question at a time."""

    def __init__(self) -> None:
        self._answers: SimpleQueue[_Answer] = SimpleQueue()
        self._asking = False

    def ask(self, question: Callable[[], _Answer], seconds: float) -> _Answer | None:
        """What ``question`` returns, or None where that takes longer.

        From then on it is None at once, until there is an answer to the question that was late.
        """
        late, self._asking = self._asking, True
        if not late:
            answer = self._answers.put
            threading.Thread(
                target=lambda: answer(question()), name="iss-look", daemon=True
            ).start()
        try:
            found = self._answers.get(timeout=0 if late else seconds)
        except Empty:
            return None
        self._asking = False
        return found
