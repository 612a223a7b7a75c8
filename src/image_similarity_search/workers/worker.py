"""One worker process, as its parent sees it."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Literal

from image_similarity_search.errors import WorkerUnavailableError
from image_similarity_search.workers import frames
from image_similarity_search.workers.child import COMMAND

_START_SECONDS = 120.0  # on a busy machine with a slow disk
_END_SECONDS = 5.0
_STEP = 1.0  # seconds
_PACKAGES = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_PIPE_BYTES = 1 << 18
# of subprocess, which has them on Windows alone
_NEW_GROUP = 0x200
_NO_WINDOW = 0x8000000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an answer is not complete.

    Attributes:
        kind: ``start``: the worker came to no beginning; ``late``: the next part took longer than
            allowed; ``memory``: it was refused memory; ``ended``: its process came to an end.
        status: how the process ended: an exit status, or a signal as a negative number.
    """

    kind: Literal["start", "late", "memory", "ended"]
    status: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The parts of an answer; where there is a ``failure``, those that came before."""

    parts: list[bytes] = field(default_factory=list)
    failure: Failure | None = None


class Worker:
    """A process that runs ``work`` (``module:function``, see ``child.Work``) in ``memory`` bytes.

    It is a new Python process: not a fork, for this process has threads, and not one of
    ``multiprocessing``, which would run the main script of the program once more. Where the
    system can, it ends with the thread that made it.

    Raises:
        WorkerUnavailableError: no process can be started, or no thread to listen to it.
    """

    def __init__(self, work: str, memory: int) -> None:
        # this package must be found, too, when a relative entry leads elsewhere by now
        path = [*(entry for entry in sys.path if isinstance(entry, str)), _PACKAGES]
        self._process = _started([COMMAND, str(os.getpid()), str(memory), work, *path])
        assert self._process.stdin  # noqa: S101 - they are pipes
        assert self._process.stdout  # noqa: S101 - as above
        _widen(self._process.stdout)
        self._requests = self._process.stdin
        self._answers: queue.SimpleQueue[frames.Frame | None] = queue.SimpleQueue()
        listener = threading.Thread(
            target=_listen, args=(self._process.stdout, self._answers), name="listen", daemon=True
        )
        self._ready = False
        self._end_once = weakref.finalize(self, _end, self._process, listener)
        try:
            listener.start()
        except RuntimeError as error:
            self._process.stdout.close()
            self.end()
            raise WorkerUnavailableError(str(error)) from error

    def ask(self, request: bytes, seconds: float) -> Answer:
        """The answer to ``request``, each part of which may take ``seconds``.

        After a failure the process is ended.
        """
        parts: list[bytes] = []
        try:
            if self._is_ready():
                with suppress(OSError, ValueError):  # it ended: how, is said below
                    limit = frames.SECONDS.pack(seconds)
                    frames.write(self._requests, frames.REQUEST, limit + request)
                while frame := self._next(seconds):
                    parts.append(frame.data)
                    if frame.kind == frames.LAST:
                        return Answer(parts)
        except TimeoutError:
            return Answer(parts, Failure("late" if self._ready else "start", self.end()))
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        status = self.end()
        if not self._ready:
            return Answer(parts, Failure("start", status))
        return Answer(parts, Failure("memory" if status == frames.NO_MEMORY else "ended", status))

    def end(self) -> int:
        """End the process, whatever it does; returns how it ended."""
        self._end_once()
        return self._process.returncode or 0

    def _is_ready(self) -> bool:
        self._ready = self._ready or self._next(_START_SECONDS) is not None
        return self._ready

    def _next(self, seconds: float) -> frames.Frame | None:
        """The next frame; None when the process has ended."""
        waited = 0.0
        while waited < seconds:
            # step by step: while this process is stopped (Ctrl-Z) or the computer sleeps, time
            # passes that no worker took
            step = min(_STEP, seconds - waited)
            try:
                return self._answers.get(timeout=step)
            except queue.Empty:
                waited += step
        raise TimeoutError


def _started(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    if getattr(sys, "frozen", False) or not sys.executable:
        # to run it would run the program once more, which would come here again
        raise WorkerUnavailableError("the running program is not a Python interpreter")
    windows = sys.platform == "win32"
    try:
        return subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-c", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # a process group of its own: Ctrl-C and Ctrl-Z of a terminal don't reach it
            process_group=None if windows else 0,
            creationflags=_NEW_GROUP | _NO_WINDOW if windows else 0,
        )
    except OSError as error:
        raise WorkerUnavailableError(str(error)) from error


def _widen(pipe: IO[bytes]) -> None:
    """Have a pipe hold a whole answer, so that the worker need not wait until it is read."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):  # more than this user may have
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _listen(pipe: IO[bytes], answers: queue.SimpleQueue[frames.Frame | None]) -> None:
    with pipe, suppress(OSError):
        while frame := frames.read(pipe):
            answers.put(frame)
    answers.put(None)


def _end(process: subprocess.Popen[bytes], listener: threading.Thread) -> None:
    process.kill()
    with suppress(OSError):
        assert process.stdin  # noqa: S101 - a pipe
        process.stdin.close()
    # one that waits for a network disk that is gone can't be ended, and is not waited for
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
        # it may be this one, where rubbish may be collected, too; or was never started
        if listener.is_alive() and listener is not threading.current_thread():
            listener.join(_END_SECONDS)
