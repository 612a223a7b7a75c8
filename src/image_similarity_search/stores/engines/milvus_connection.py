"""Talking to a Milvus server: time limits, repetitions, and its errors as ours."""

from __future__ import annotations

import logging
import time
from importlib import import_module
from typing import Any

from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.stores.engines import silence
from image_similarity_search.stores.engines.access import Access
from image_similarity_search.stores.engines.address import Address

CONNECT_SECONDS = 10.0
CALL_SECONDS = 60.0
"""How long one call may take; its client repeats what did not get through until then."""

_PATIENCE_SECONDS = 30.0  # a server that was just started answers, but with errors at first
_LONGEST_PAUSE = 2.0

# how long gRPC waits before it tries again to connect: up to two minutes, if it is not told
_RECONNECTING = {
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.min_reconnect_backoff_ms": 1000,
    "grpc.max_reconnect_backoff_ms": int(1000 * _LONGEST_PAUSE),
}

# what waiting does not mend, by Milvus's numbers: no such collection, wrong parameters, and so on
COLLECTION_NOT_FOUND = 100
_FINAL = (COLLECTION_NOT_FOUND, 1, 700, 1100, 1101, 1400, 1401)

_log = logging.getLogger(__name__)


class MilvusConnection:
    """One server, and the name of our collection there.

    Every change that is asked of it may be asked twice: rows are replaced, not added. So all
    that fails for a passing reason is repeated.

    Raises:
        StoreUnavailableError: it can't be reached, or the client is not installed.
    """

    def __init__(self, address: Address, access: Access) -> None:
        self.address = address
        self._access = access
        self._silence = silence.silence_of(address.uri)
        self._milvus = _library("pymilvus")
        self._tenacity = _library("tenacity")
        # its own handler writes every error to standard error; they come as exceptions, too
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        options: dict[str, Any] = {"grpc_options": _RECONNECTING}
        if access.token:
            options["token"] = access.token
        if address.tls:
            options["secure"] = True
        if access.certificate:
            options["server_pem_path"] = access.certificate
        try:
            self._client = self._milvus.MilvusClient(
                uri=address.uri, timeout=CONNECT_SECONDS, dedicated=True, **options
            )
        except Exception as error:  # whatever the client lets through
            raise self._translated(error) from error

    @property
    def milvus(self) -> Any:
        """The module ``pymilvus``."""
        return self._milvus

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of ``MilvusClient``; repeated, with pauses, while that may help.

        Raises:
            StoreUnavailableError: it fails, or nothing was answered a moment ago.
        """
        tenacity = self._tenacity
        options.setdefault("timeout", CALL_SECONDS)
        if self._silence.lasts(self._is_there):
            raise StoreUnavailableError(f"{self.address} can't be used: it does not answer")
        started = 0.0

        def attempt() -> Any:
            nonlocal started
            started = time.monotonic()
            return getattr(self._client, method)(*arguments, **options)

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._may_pass),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=_LONGEST_PAUSE),
            stop=tenacity.stop_after_delay(_PATIENCE_SECONDS),
            before_sleep=lambda state: _log.info("%s: retrying %s", self.address, method),
            reraise=True,
        )
        try:
            return attempts(attempt)
        except Exception as error:  # grpc, Milvus's own, and what the client lets through
            if silence.is_late(started):
                self._silence.begin()
            raise self._translated(error) from error

    def _is_there(self) -> None:
        self._client.has_collection(self.address.name, timeout=silence.TRY_SECONDS)

    def description(self, name: str) -> dict[str, Any] | None:
        """What is known of a collection, or of that which an alias stands for; None: no such."""
        try:
            found: dict[str, Any] = self.call("describe_collection", name)
        except StoreUnavailableError as error:
            if getattr(error.__cause__, "code", None) == COLLECTION_NOT_FOUND:
                return None
            raise
        return found

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _may_pass(self, error: BaseException) -> bool:
        """Whether an answer of the server may be another one soon."""
        if not isinstance(error, self._milvus.MilvusException):
            return False
        return isinstance(error.code, int) and error.code not in _FINAL

    def _translated(self, error: Exception) -> StoreUnavailableError:
        reason = getattr(error, "message", None) or getattr(error, "details", lambda: "")()
        lines = str(reason or error or type(error).__name__).strip().splitlines()
        text = self._access.without_secrets(lines[0] if lines else type(error).__name__)
        return StoreUnavailableError(f"{self.address} can't be used: {text[:300]}")


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise StoreUnavailableError(
            f"Milvus's client can't be imported ({error}):"
            " pip install 'image-similarity-search[milvus]'"
        ) from error
