"""What a worker process runs: a function on one request after the other, within bounds.

It is started with ``COMMAND``, and imports the function's module and nothing of the program that
started it.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import IO, Never, TypeAlias

from image_similarity_search.workers import frames

Work: TypeAlias = Callable[[bytes], Generator[bytes, None, bytes]]
"""What a worker does with a request: it yields parts of the answer, and returns the last one."""

COMMAND = (
    "import sys; sys.path[:] = sys.argv[4:]; "
    "from image_similarity_search.workers.child import main; main()"
)
"""What the interpreter is to run. Arguments: the parent's id, bytes of memory, the function as
``module:function``, and the parent's ``sys.path``."""

_PR_SET_PDEATHSIG = 1
_GRACE = 30.0  # seconds after those allowed, in which the parent would have ended this process
_LONGEST = 10.0 * 365 * 86_400


def main() -> Never:
    """Answer requests until there are no more."""
    parent, memory, name = sys.argv[1:4]
    requests, answers = _pipes()
    _bound(int(parent), int(memory))
    try:
        module, _, function = name.partition(":")
        work: Work = getattr(importlib.import_module(module), function)
        frames.write(answers, frames.READY)
        while request := frames.read(requests):
            _answer(work, request.data, answers)
    except MemoryError:
        os._exit(frames.NO_MEMORY)
    except BrokenPipeError:  # the parent is gone
        pass
    os._exit(0)


def _answer(work: Work, request: bytes, answers: IO[bytes]) -> None:
    size = frames.SECONDS.size
    (seconds,) = frames.SECONDS.unpack(request[:size])
    parts = work(request[size:])
    while True:
        _end_after(min(seconds, _LONGEST) + _GRACE)
        try:
            part = next(parts)
        except StopIteration as end:
            return frames.write(answers, frames.LAST, end.value)
        finally:
            _end_after(0)
        frames.write(answers, frames.PART, part)


def _end_after(seconds: float) -> None:
    """End this process then, even when a codec holds Python's lock; 0: don't.

    The parent would have done it earlier. Not every system ends this process with its parent.
    """
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)
    elif seconds:
        faulthandler.dump_traceback_later(seconds, exit=True)
    else:
        faulthandler.cancel_dump_traceback_later()


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes from and to the parent, out of reach of libraries that read or print."""
    pipes = open(os.dup(0), "rb"), open(os.dup(1), "wb")  # noqa: SIM115 - to the end
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    return pipes


def _bound(parent: int, memory: int) -> None:
    """Do no harm: neither to the machine nor to the terminal, nor after the parent's end."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this
    if sys.platform == "win32":
        import msvcrt

        # no window that tells of a crash, and waits for somebody to close it
        msvcrt.SetErrorMode(msvcrt.SEM_FAILCRITICALERRORS | msvcrt.SEM_NOGPFAULTERRORBOX)
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # the parent may have ignored and blocked some
    _bound_memory(memory)
    if sys.platform == "linux":
        _end_with(parent)


def _bound_memory(memory: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash leaves no file
    with suppress(OSError, ValueError):  # a lower limit is set already
        # not RLIMIT_AS: mapped libraries, and addresses that are only set aside, take no memory
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # where all memory is used up, it is this process that has to go


def _end_with(parent: int) -> None:
    import ctypes

    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended meanwhile
        os._exit(0)
