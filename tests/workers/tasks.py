"""What the workers of the tests do: a request names one of these, with an argument."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Generator

_served: list[str] = []


def answer(request: bytes) -> Generator[bytes, None, bytes]:
    """The entry that the tests give to workers."""
    name, _, argument = request.decode().partition(" ")
    last: bytes = yield from globals()[f"_{name}"](argument)
    _served.append(name)
    return last


def _echo(text: str) -> Generator[bytes, None, bytes]:
    yield from ()
    return text.encode()


def _pid(_: str) -> Generator[bytes, None, bytes]:
    yield from ()
    return str(os.getpid()).encode()


def _parts(numbers: str) -> Generator[bytes, None, bytes]:
    for size in numbers.split(","):
        yield b"x" * int(size)
    return b""


def _sleep(seconds: str) -> Generator[bytes, None, bytes]:
    yield b"begun"
    time.sleep(float(seconds))
    return b"done"


def _hang(_: str) -> Generator[bytes, None, bytes]:
    """Wait for ever as a codec may: in C, with Python's global lock held."""
    yield b"begun"
    ctypes.PyDLL(None).pause()
    return b""


def _crash(number: str) -> Generator[bytes, None, bytes]:
    yield b"begun"
    os.kill(os.getpid(), int(number))
    return b""


def _crash_unless_fresh(_: str) -> Generator[bytes, None, bytes]:
    yield from ()
    if _served:
        os.kill(os.getpid(), signal.SIGSEGV)
    return b"fresh"


def _exit(status: str) -> Generator[bytes, None, bytes]:
    yield b"begun"
    os._exit(int(status))


def _raise(_: str) -> Generator[bytes, None, bytes]:
    yield b"begun"
    raise RuntimeError("unforeseen")


def _eat(_: str) -> Generator[bytes, None, bytes]:
    yield b"begun"
    eaten = []
    while True:
        eaten.append(bytearray(16 << 20))


def _shout(text: str) -> Generator[bytes, None, bytes]:
    """Write to standard output and error, as C libraries do, and read standard input."""
    for standard in (1, 2):
        os.write(standard, text.encode())
    print(text, file=sys.stderr, flush=True)
    yield from ()
    return repr(os.read(0, 100)).encode()


def _busy(folder: str) -> Generator[bytes, None, bytes]:
    """Be seen to be at work."""
    yield from ()
    sign = os.path.join(folder, f"busy {os.getpid()}")
    with open(sign, "wb"):
        time.sleep(0.4)
    os.remove(sign)
    return b"done"


def _crash_unless_alone(folder: str) -> Generator[bytes, None, bytes]:
    yield from ()
    for _ in range(4):
        if os.listdir(folder):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)
    return b"alone"


def _limits(_: str) -> Generator[bytes, None, bytes]:
    import resource

    yield str(resource.getrlimit(resource.RLIMIT_CORE)[0]).encode()
    with open("/proc/self/oom_score_adj", "rb") as file:
        return file.read().strip()
