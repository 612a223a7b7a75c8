"""A real Ray cluster of two nodes on loopback, for tests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import children_of, until
from ports import free_port, listens

SETTINGS = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}


class RayCluster:
    """A head, at which drivers call, and one node more, which may be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._client_port = free_port(), free_port()
        self._head: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None
        self._environment = os.environ | SETTINGS

    @property
    def address(self) -> str:
        """Where it is, as ``iss index --on`` takes it."""
        return f"ray://127.0.0.1:{self._client_port}"

    def start(self) -> None:
        """Start both, and wait until they can be used."""
        self._head = self._started(
            *("--head", f"--port={self._port}", f"--ray-client-server-port={self._client_port}"),
            *("--include-dashboard=false", "--num-cpus=2"),
        )
        until(lambda: listens(self._client_port), 120)
        self.start_node()

    def start_node(self) -> None:
        """Start the second node, and wait until the head knows it."""
        self._node = self._started(f"--address=127.0.0.1:{self._port}", "--num-cpus=2")
        until(lambda: self.nodes() == 2, 120)

    def nodes(self) -> int:
        """How many nodes are alive."""
        status = subprocess.run(
            [_ray(), "status", f"--address=127.0.0.1:{self._port}"],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
        )
        return len(re.findall(r"^ *1 node_", status.stdout, re.MULTILINE))

    def kill_node(self) -> None:
        """End the second node at once, with all that runs there."""
        assert self._node
        _kill_all(self._node.pid)
        self._node.wait()

    def kill_one_actor(self) -> None:
        """End one of the processes that encode."""
        until(lambda: bool(self.actors()), 60)
        os.kill(self.actors()[0], signal.SIGKILL)

    def actors(self) -> list[int]:
        """The processes that encode."""
        found = []
        for process in (self._head, self._node):
            if process and process.poll() is None:
                found += [pid for pid in _below(process.pid) if "Encoding" in _title(pid)]
        return found

    def close(self) -> None:
        """End all of it."""
        for process in (self._node, self._head):
            if process and process.poll() is None:
                _kill_all(process.pid)
                process.wait()

    def _started(self, *options: str) -> subprocess.Popen[bytes]:
        command = [
            *(_ray(), "start", "--block", "--node-ip-address=127.0.0.1"),
            *("--object-store-memory=200000000", "--disable-usage-stats", *options),
        ]
        with open(self._folder / "ray.log", "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)


@contextmanager
def ray_cluster(folder: Path) -> Iterator[RayCluster]:
    """A cluster, to the end of the block."""
    cluster = RayCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()


def _ray() -> str:
    return str(Path(sys.executable).with_name("ray"))


def _below(pid: int) -> list[int]:
    found = []
    for child in children_of(pid):
        found += [child, *_below(child)]
    return found


def _kill_all(pid: int) -> None:
    for one in (pid, *_below(pid)):
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue
    time.sleep(0.1)


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    except OSError:
        return ""
