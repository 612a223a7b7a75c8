"""The server: one process, or several that share a socket."""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import suppress
from typing import Any

import uvicorn

from image_similarity_search.collection import Collection
from image_similarity_search.errors import (
    CollectionNotFoundError,
    ConfigError,
    EncoderNotHereError,
    ImageSearchError,
    ServiceError,
    reason_of,
)
from image_similarity_search.service import log_lines
from image_similarity_search.service.app import AppFactory
from image_similarity_search.service.background import Background
from image_similarity_search.service.connections import Counted
from image_similarity_search.service.open_collections import OPEN_SECONDS
from image_similarity_search.service.settings import Settings
from image_similarity_search.service.supervising import Workers

STOP_SECONDS = 30
"""In which open requests may end."""

_KEEP_ALIVE_SECONDS = 30


def serve(settings: Settings, *, shared_metrics: str | None = None) -> None:
    """Answer requests until the process is told to end; then end what is under way, and return.

    Raises:
        ImageSearchError: none of the collections can be opened: they are missing, damaged, of a
            model that can't be had; or the processes that answer stopped by themselves.
        ConfigError: the address can't be listened at.
    """
    _try_opening([folder for _, folder in settings.collections])
    config = configured(settings, shared_metrics, log=log_lines.config())
    listening = listening_socket(settings)
    host, port = listening.getsockname()[:2]
    where = f"[{host}]" if ":" in host else host
    sys.stderr.write(f"serving at http://{where}:{port}/ (press Ctrl-C to stop)\n")
    sys.stderr.flush()
    with listening, suppress(KeyboardInterrupt):  # uvicorn raises the signal again at the end
        if settings.workers == 1:
            server = uvicorn.Server(config)
            server.run(sockets=[listening])
            failed = not server.started
        else:
            workers = Workers(config, [listening], shared_metrics)
            workers.run()
            failed = workers.failed
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
        if failed:
            raise ServiceError("the service could not start, and has ended: the log says why")


def _try_opening(folders: list[str]) -> None:
    missing: list[str] = []
    wrong: list[ImageSearchError] = []
    for folder in folders:
        opening = Background("open")
        try:
            opening.submit(_opens, folder).result(OPEN_SECONDS)
        except TimeoutError:
            pass  # its disk does not answer: it is opened when that does
        except CollectionNotFoundError:
            missing.append(folder)
        except ImageSearchError as error:
            wrong.append(error)
        finally:
            opening.close()
    if len(missing) + len(wrong) == len(folders):
        raise wrong[0] if wrong else CollectionNotFoundError(" or ".join(missing))


def _opens(folder: str) -> None:
    with Collection.open(folder) as collection, suppress(EncoderNotHereError):
        _ = collection.encoder  # what is wrong with it is to be said here, not by uvicorn


def configured(
    settings: Settings, shared_metrics: str | None = None, *, log: dict[str, Any] | None = None
) -> uvicorn.Config:
    """How uvicorn is to run the application; ``log`` is for ``logging.config``, in each process."""
    return uvicorn.Config(
        AppFactory(settings, shared_metrics),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        # whatever a client says in these headers would count, even if no proxy were there
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        server_header=False,
        access_log=False,
        log_level="warning",
        log_config=log,
        ws="none",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_worker_healthcheck=STOP_SECONDS,  # a busy machine starts none in uvicorn's five
        http=Counted,
    )


def listening_socket(settings: Settings) -> socket.socket:
    """A socket that listens at the address of the settings.

    Raises:
        ConfigError: none can.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # the protocol by name: asyncio sends answers at once (no Nagle) only where it is
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
        listening.listen(1024)
        listening.set_inheritable(True)
    except (OSError, OverflowError) as error:
        listening.close()
        where = f"{settings.host}:{settings.port}"
        reason = reason_of(error)
        said = f"can't listen at {where} ({reason}): choose another port (--port), or end what does"
        raise ConfigError("address", where, f"one to listen at ({reason})", said) from error
    return listening
