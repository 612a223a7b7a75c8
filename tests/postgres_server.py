"""A PostgreSQL server of one's own, on loopback, for as long as it is needed."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from conftest import until

_DEBIAN = "/usr/lib/postgresql/*/bin"  # which is not on the PATH
_NOBODY = ("nobody", "nogroup")  # root may not run one
# where the tests are killed, the server goes with them
_ENDS_WITH_ITS_PARENT = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def programs() -> Path | None:
    """The folder of the server's programs, or ISS_POSTGRES; None where none is installed."""
    if named := os.environ.get("ISS_POSTGRES"):
        return Path(named) if Path(named, "initdb").exists() else None
    found = shutil.which("initdb")
    folders = sorted(glob.glob(_DEBIAN), key=lambda path: int(path.split("/")[-2]))
    return Path(found).parent if found else Path(folders[-1]) if folders else None


@dataclass
class PostgresServer:
    """A server that runs, or not at the moment."""

    folder: Path
    port: int
    password: str
    programs: Path
    _process: subprocess.Popen[bytes] | None = None

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def url(self, schema: str, user: str = "iss", database: str = "postgres") -> str:
        """The URL of a catalog here."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}?schema={schema}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",  # the tests end it, not the power
        }
        options = [word for item in settings.items() for word in ("-c", "=".join(map(str, item)))]
        self._process = subprocess.Popen(
            [*_ENDS_WITH_ITS_PARENT, self.programs / "postgres", "-D", self._data, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **_unprivileged(),
        )
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process, "it was stopped"
        assert self._process.poll() is None, "it ended"
        with contextlib.suppress(psycopg.OperationalError):
            self.execute("SELECT 1")
            return True
        return False

    def execute(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        """Run a statement as its owner; returns the rows, if there are any."""
        address = f"postgresql://iss@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(address, password=self.password) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: its clients are told, by SIGQUIT they are not, as when it crashes."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def initialise(self) -> None:
        """Make its files."""
        password = self.folder / "password"
        password.write_text(self.password)
        _give_away(password)
        how = ["--no-sync", "-U", "iss", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256"]
        command = [
            str(self.programs / "initdb"),
            "-D",
            str(self._data),
            f"--pwfile={password}",
            *how,
        ]
        done = subprocess.run(
            command, capture_output=True, cwd="/", check=False, text=True, **_unprivileged()
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A new server, which is gone at the end, with all that it held."""
    found = programs()
    assert found, "no PostgreSQL is installed"
    folder = Path(tempfile.mkdtemp(prefix="iss-postgres-"))
    _give_away(folder)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    server = PostgresServer(folder, port, secrets.token_hex(16), found)
    try:
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> dict[str, Any]:
    """How a program is run by somebody who is not root."""
    if os.geteuid() != 0:
        return {}
    user, group = _NOBODY
    return {"user": user, "group": group, "extra_groups": []}


def _give_away(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, *_NOBODY)
