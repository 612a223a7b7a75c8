"""A real Milvus server on loopback, for tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import children_of, until


class MilvusServer:
    """One server, whose data outlives it until ``close``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, name: str = "") -> str:
        """The URL of a collection there, of a new name unless one is given."""
        return f"milvus://127.0.0.1:{self.port}/{name or 'c' + uuid.uuid4().hex[:10]}"

    @property
    def runs(self) -> bool:
        """Whether it was started, and not ended."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and wait until it can be used."""
        command = [
            str(Path(sys.executable).with_name("milvus-server")),
            *("--data", str(self._folder), "--proxy-port", str(self.port)),
        ]
        with open(self._folder.parent / "milvus.log", "ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until(self._is_listening, 240)  # it unpacks itself at its first start

    def stop(self) -> None:
        """Ask it to end, by the wrapper, and wait until it did."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        for child in self._children():
            _signal(child, signal.SIGKILL)
        self._end(signal.SIGKILL)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """It neither answers nor ends."""
        children = self._children()
        for child in children:
            _signal(child, signal.SIGSTOP)
        try:
            yield
        finally:
            for child in children:
                _signal(child, signal.SIGCONT)

    def close(self) -> None:
        """End it, and delete what it holds."""
        if self._process:
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _children(self) -> set[int]:
        assert self._process
        return children_of(self._process.pid)

    def _end(self, how: signal.Signals) -> None:
        assert self._process
        children = self._children()
        self._process.send_signal(how)
        self._process.wait(30)
        until(lambda: not any(_lives(child) for child in children), 30)
        self._process = None

    def _is_listening(self) -> bool:
        assert self._process
        assert self._process.poll() is None, "it ended"
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False


def _lives(process: int) -> bool:
    """Whether a process that is no child of this one is there; one that ended may be a zombie."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _signal(process: int, how: signal.Signals) -> None:
    os.kill(process, how)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
