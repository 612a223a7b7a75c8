"""The command line ``iss``, run in the process of the tests: what it prints, and how it ends.

A process of its own takes half a second, most of it for imports. Tests start one where that is what
they are about: signals, closed streams, pipes, what is imported.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from image_similarity_search.cli import exits
from image_similarity_search.cli.app import run

_ESCAPED = "backslashreplace"

ISS = [sys.executable, "-m", "image_similarity_search"]
"""What starts it as a process of its own."""


@dataclass(frozen=True, slots=True)
class Done:
    """How it ended, and what it wrote; as text, too."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode(errors="surrogateescape")

    @property
    def err(self) -> str:
        return self.stderr.decode()


class Iss:
    """Runs ``iss`` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: object, status: int = exits.OK, stdin: bytes = b"") -> Done:
        with chdir(self.folder):
            done = run_here(list(map(str, arguments)), stdin)
        assert done.status == status, done.err
        return done

    def json(self, *arguments: object, status: int = exits.OK) -> Any:
        """What ``--json`` writes."""
        return json.loads(self(*arguments, "--json", status=status).stdout)


def lines(done: Done) -> list[str]:
    """What was written to standard output."""
    return done.out.splitlines()


def run_here(arguments: Sequence[str], stdin: bytes = b"", *, together: bool = False) -> Done:
    """Run ``iss`` with these arguments, and leave this process as it was.

    With ``together`` what is written to standard error is among what is written to standard output.
    """
    with ExitStack() as stack:
        given, out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        given.write(stdin)
        given.seek(0)
        try:
            with _streams(given, out, out if together else err), _as_in_a_new_process():
                run(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        return Done(status, _content(out), _content(err))


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


@contextmanager
def _streams(*files: IO[bytes]) -> Iterator[None]:
    """Have files for the standard streams, those of Python and those of C libraries."""
    names = ("stdin", "stdout", "stderr")
    before = [getattr(sys, name) for name in names]
    for stream in before[1:]:
        stream.flush()
    kept = [os.dup(number) for number in range(3)]
    for number, (name, file) in enumerate(zip(names, files, strict=True)):
        os.dup2(file.fileno(), number)
        setattr(sys, name, _opened(number))
    try:
        yield
    finally:
        for number, (name, stream) in enumerate(zip(names, before, strict=True)):
            with getattr(sys, name):  # flushes it
                setattr(sys, name, stream)
            os.dup2(kept[number], number)
            os.close(kept[number])


def _opened(number: int) -> IO[str]:
    """A standard stream, as Python opens those that are files."""
    mode, buffering, errors = (("r", -1, "strict"), ("w", -1, "strict"), ("w", 1, _ESCAPED))[number]
    return open(number, mode, buffering, encoding="utf-8", errors=errors, closefd=False)


@contextmanager
def _as_in_a_new_process() -> Iterator[None]:
    """Without what the tests, or an earlier run, set; afterwards all is as it was."""
    root, package, pillow = (logging.getLogger(n) for n in (None, "image_similarity_search", "PIL"))
    handlers, level, levels = root.handlers, root.level, (package.level, pillow.level)
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root.handlers = []
    try:
        with warnings.catch_warnings():
            yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        package.setLevel(levels[0])
        pillow.setLevel(levels[1])
        for number, handler in signals.items():
            signal.signal(number, handler)
