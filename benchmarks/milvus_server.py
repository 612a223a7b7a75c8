"""A real Milvus server on loopback, for measurements and tests."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# How often its parts look for work: each wait of a test is several of these. Milvus's own numbers
# are for servers that have nothing to do for hours. It reads them from the environment.
_EAGER = {
    "PROXY_TIMETICKINTERVAL": "50",
    "QUERYCOORD_CHECKINTERVAL": "100",
    "QUERYCOORD_CHANNELCHECKINTERVAL": "100",
    "QUERYCOORD_SEGMENTCHECKINTERVAL": "100",
    "QUERYCOORD_DISTPULLINTERVAL": "100",
    "COMMON_SESSION_TTL": "10",  # so long a part that was killed is thought to be there
    "LOG_LEVEL": "warn",
}
# where the tests are killed, the server goes with them
_ENDS_WITH_ITS_PARENT = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
_START_SECONDS = 180  # on a machine that does much else


@contextmanager
def milvus_server(folder: Path, *, eager: bool = True) -> Iterator[MilvusServer]:
    """A server whose data are in a new ``folder``, until it is left."""
    running = MilvusServer(folder, eager=eager)
    try:
        running.start()
        yield running
    finally:
        running.close()


class MilvusServer:
    """One server, whose data outlives it until ``close``.

    Its program is run without the wrapper that comes with it, which may give its parts other
    ports at each start: a part then looks for another at the place of one that was killed. Here
    they keep those that they got at the first, which no other server has.

    Args:
        folder: for its data; it is made.
        eager: let its parts look for work more often than they are made to.
    """

    def __init__(self, folder: Path, *, eager: bool = True) -> None:
        self._folder = folder
        self._eager = eager
        self.port = free_port()
        self._metrics_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, name: str = "") -> str:
        """The URL of a collection there, of a new name unless one is given."""
        return f"milvus://127.0.0.1:{self.port}/{name or 'c' + uuid.uuid4().hex[:10]}"

    def start(self) -> None:
        """Start it, and wait until it can be used."""
        programs = _prepared(self._folder, self.port)
        environment = os.environ | (_EAGER if self._eager else {})
        environment |= {"LD_LIBRARY_PATH": str(programs), "METRICS_PORT": str(self._metrics_port)}
        environment["ETCD_CONFIG_PATH"] = str(self._folder / "configs" / "etcd.yaml")
        environment |= {"DEPLOY_MODE": "STANDALONE", "MILVUS_RUN_DIR": str(self._folder / "run")}
        with open(self._folder.parent / "milvus.log", "ab") as log:
            self._process = subprocess.Popen(
                [*_ENDS_WITH_ITS_PARENT, str(programs / "milvus"), "run", "standalone"],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "it does not come up"
            time.sleep(0.1)

    def memory_mib(self) -> float:
        """What it has in memory."""
        assert self._process
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._signal(signal.SIGKILL)
        assert self._process
        self._process.wait()
        self._process = None

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """It neither answers nor ends."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, and delete what it holds."""
        if self._process:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, how: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(how)

    def _answers(self) -> bool:
        """Whether it can be asked; it listens some seconds earlier."""
        from pymilvus import MilvusClient
        from pymilvus.exceptions import MilvusException

        assert self._process
        assert self._process.poll() is None, "it ended"
        client_log = logging.getLogger("pymilvus")
        client_log.setLevel(logging.CRITICAL)  # each try would be told there
        try:
            client = MilvusClient(f"http://127.0.0.1:{self.port}", timeout=2, dedicated=True)
        except MilvusException:
            return False
        try:
            client.list_collections(timeout=2)
        except MilvusException:
            return False
        finally:
            client.close()
        return True


_PREPARE = """
import socket, sys
from milvus import MilvusServerConfig, _initialize_data_files
programs, folder, port = sys.argv[1:]
_initialize_data_files(programs)
config = MilvusServerConfig(data_dir=folder)
names = [name for name in config.configurable_items if name.endswith("_port")]
parts = {name: socket.create_server(("127.0.0.1", 0)) for name in [*names, "peers"]}
ports = {name: free.getsockname()[1] for name, free in parts.items()}
for free in parts.values():
    free.close()
etcd, peers = (f"http://127.0.0.1:{ports[name]}" for name in ("etcd_port", "peers"))
config.update(**ports | {"proxy_port": int(port)})
config.resolve()
with open(f"{folder}/configs/etcd.yaml", "w") as file:
    file.write(f"listen-client-urls: {etcd}\\nadvertise-client-urls: {etcd}\\n")
    file.write(f"listen-peer-urls: {peers}\\ninitial-advertise-peer-urls: {peers}\\n")
    file.write(f"initial-cluster: default={peers}\\n")
"""


def _prepared(folder: Path, port: int) -> Path:
    """Where a server's programs are, unpacked once; it gets a configuration, once."""
    programs = Path(sys.prefix) / "milvus"
    if not (folder / "configs").exists():  # a process of its own, for it leaves sockets open
        command = [sys.executable, "-c", _PREPARE, str(programs), str(folder), str(port)]
        subprocess.run(command, check=True, capture_output=True)
    return programs / "bin"


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
