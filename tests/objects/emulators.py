"""Servers on loopback that speak as Google Cloud Storage and as Azure Blob Storage do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import until
from ports import free_port, listens

# Azurite's own account, which its documentation names
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass
class Emulator:
    """A server that runs, until it is stopped.

    Attributes:
        scheme: what its addresses begin with.
        process: it.
        port: where it listens.
        settings: the environment in which the packages find it.
    """

    scheme: str
    process: subprocess.Popen[bytes]
    port: int
    settings: dict[str, str]

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def azurite() -> str | None:
    """The program of Azure's emulator, or ISS_AZURITE; None where it is not installed."""
    return os.environ.get("ISS_AZURITE") or shutil.which("azurite-blob")


@contextmanager
def emulator(scheme: str, folder: Path) -> Iterator[Emulator]:
    """The server for ``gs`` or ``az``, to the end of the block."""
    port = free_port()
    if scheme == "gs":
        module = ["-m", "gcp_storage_emulator", "start"]
        command = [sys.executable, *module, "--host=127.0.0.1", f"--port={port}", "--in-memory"]
        settings = {
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
            "FSSPEC_GS_TOKEN": "anon",
            "FSSPEC_GS_PROJECT": "tests",
            # gRPC, by which it would ask what kind a bucket is, is not spoken here
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        }
    else:
        program = azurite()
        assert program, "it is not installed"
        command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"]
        command += ["--location", str(folder), "--skipApiVersionCheck", "--disableTelemetry"]
        endpoint = f"BlobEndpoint=http://127.0.0.1:{port}/{_ACCOUNT}"
        settings = {
            "AZURE_STORAGE_CONNECTION_STRING": (
                f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};{endpoint};"
            )
        }
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    running = Emulator(scheme, process, port, settings)
    try:
        until(lambda: _answers(running), 60)
        yield running
    finally:
        running.stop()


def _answers(running: Emulator) -> bool:
    assert running.process.poll() is None, "it ended"
    return listens(running.port)
