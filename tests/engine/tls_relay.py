"""Ends TLS in front of a server that has none."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def tls_relay(certificate: Path, key: Path, target: int) -> Iterator[int]:
    """A port of 127.0.0.1 that takes TLS for the port ``target``, speaking HTTP/2 as gRPC does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listening, context, target), daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()


def _accept(listening: socket.socket, context: ssl.SSLContext, target: int) -> None:
    with suppress(OSError):
        while True:
            caller, _ = listening.accept()
            threading.Thread(target=_relay, args=(caller, context, target), daemon=True).start()


def _relay(caller: socket.socket, context: ssl.SSLContext, target: int) -> None:
    with (
        suppress(OSError),
        caller,
        socket.create_connection(("127.0.0.1", target)) as server,
        context.wrap_socket(caller, server_side=True) as encrypted,
    ):
        back = threading.Thread(target=_copy, args=(server, encrypted), daemon=True)
        back.start()
        _copy(encrypted, server)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
