"""Requests to a service, and what comes back: an answer, or a ServiceError."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from image_similarity_search.client.answers import Json
from image_similarity_search.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    import httpx

_T = TypeVar("_T")


class Connection:
    """Sends requests to one service."""

    def __init__(self, url: str, key: str | None, timeout: float) -> None:
        try:
            import httpx
        except ImportError as error:
            install = "pip install 'image-similarity-search[client]'"
            said = f"the client needs httpx, which is not installed ({error}): {install}"
            raise ConfigError("client", str(error), install, said) from error
        headers = {"Authorization": f"Bearer {_checked_key(key)}"} if key else {}
        address = _checked_url(url)
        self.where = str(address.copy_with(userinfo=b""))  # a password is told to nobody
        self.http = httpx.Client(base_url=address, headers=headers, timeout=timeout)

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        """Send a request; ``how`` as httpx takes it."""
        with self._translated():
            answer = self.http.request(method, path, **how)
        if answer.is_error:
            raise _refused(answer)
        return answer

    def events(self, path: str, make: Callable[[Json], _T]) -> Iterator[_T]:
        """What a stream of events tells, one after the other, until it ends."""
        with self._translated(), self.http.stream("GET", path) as answer:
            if answer.is_error:
                answer.read()
                raise _refused(answer)
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield _read(line.removeprefix("data: "), make, answer)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what httpx raises into ServiceError."""
        import httpx

        if self.http.is_closed:
            raise ServiceError(f"the client of {self.where} is closed: create a new one")
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            problem = f"{self.where} can't be reached: {error or type(error).__name__}"
            raise ServiceError(problem) from error


def _checked_key(key: str) -> str:
    if not (key.isascii() and key.isprintable()) or key != key.strip():
        expected = "printable ASCII characters without spaces or line breaks around them"
        raise ConfigError("key", "***", expected)
    return key


def _checked_url(url: str) -> httpx.URL:
    import httpx

    try:
        address = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        address = httpx.URL()
    if address.scheme not in ("http", "https") or not address.host:
        shown = "***" if "@" in str(url) else url  # there may be a password in it
        raise ConfigError("url", shown, "the address of a service, such as http://127.0.0.1:8765")
    return address


def path_to(*parts: object) -> str:
    """The path of a resource of the service."""
    return "/".join(["/v1", *(quote(str(part), safe="") for part in parts)])


def told(answer: httpx.Response, make: Callable[[Json], _T]) -> _T:
    """What an answer says."""
    return _read(answer.content, make, answer)


def _read(text: str | bytes, make: Callable[[Json], _T], answer: httpx.Response) -> _T:
    try:
        return make(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        where = answer.url.copy_with(userinfo=b"")
        problem = f"unexpected answer from {where}: {error!r}"
        raise ServiceError(problem, status=answer.status_code) from error


def _refused(answer: httpx.Response) -> ServiceError:
    try:
        problem: dict[str, Any] = answer.json()
        detail, type_ = str(problem["detail"]), str(problem["type"])
    except (ValueError, KeyError, TypeError):
        detail, type_ = answer.reason_phrase, ""
    after = answer.headers.get("retry-after", "")
    return ServiceError(
        f"{detail} (status {answer.status_code})",
        status=answer.status_code,
        kind=type_.rpartition(":")[2],
        retry_after=int(after) if after.isdigit() else None,
    )
