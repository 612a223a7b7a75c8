"""The client: each method is one request."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeAlias

import httpx

from image_similarity_search.client.answers import CollectionInfo, Hit, Image, Job, Page
from image_similarity_search.errors import ServiceError
from image_similarity_search.types import Region

Picture: TypeAlias = "str | os.PathLike[str] | bytes"
"""A picture: the path of a file here, or a file's bytes."""

Conditions: TypeAlias = Mapping[str, Any]
"""Conditions that images must meet, such as ``{"folder": "photos/holiday", "min_width": 1000}``."""

_PICTURE = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Example:
    """A picture of yours, or the id of an image there, to search by together with others.

    ``weight`` says how much it counts; less than 0: be less like it. ``region`` is the part of it
    to search by.
    """

    image: Picture | int
    weight: float = 1.0
    region: Region | None = None


class Client:
    """Talks to one service, about one collection. Use it as a context manager, or close it.

    Every method raises ServiceError: the service refused, failed, or can't be reached.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8765",
        *,
        key: str | None = None,
        collection: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        """Talk to the service at ``url``.

        ``key`` is an API key, ``collection`` the name of one (without it, the service's first),
        ``timeout`` the seconds that an answer may take.
        """
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        self._collection = collection

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What there is

    def collections(self) -> list[CollectionInfo]:
        """All collections of the service."""
        answer = self._ask("GET", "/v1/collections").json()
        return [CollectionInfo.of(each) for each in answer["collections"]]

    def info(self) -> CollectionInfo:
        """What the collection is made of."""
        return CollectionInfo.of(self._ask("GET", self._here()).json())

    def images(
        self,
        where: Conditions | None = None,
        *,
        after: int = 0,
        offset: int = 0,
        limit: int = 100,
        skipped: bool = False,
    ) -> Page:
        """A page of images in order of id; those that were skipped, if that is said."""
        query: dict[str, Any] = {"after": after, "offset": offset, "limit": limit}
        query["state"] = "skipped" if skipped else "indexed"
        answer = self._ask("GET", self._here("images"), params={**query, **(where or {})}).json()
        return Page([Image.of(each) for each in answer["images"]], answer["next"], answer["total"])

    def image(self, id_: int) -> Image:
        """One image."""
        return Image.of(self._ask("GET", self._here("images", id_)).json())

    def thumbnail(self, id_: int) -> bytes:
        """A small JPEG of an image."""
        return self._ask("GET", self._here("images", id_, "thumbnail")).content

    def file(self, id_: int) -> bytes:
        """The file of an image."""
        return self._ask("GET", self._here("images", id_, "file")).content

    # Searches

    def search(
        self,
        query: Picture | int,
        k: int = 10,
        *,
        threshold: float | None = None,
        region: Region | None = None,
        where: Conditions | None = None,
    ) -> list[Hit]:
        """The ``k`` images most like a picture of yours, or like an image there, by its id."""
        wanted: dict[str, Any] = {"k": k, **(where or {})}
        if threshold is not None:
            wanted["threshold"] = threshold
        if region is not None:
            wanted["region"] = ",".join(map(repr, asdict(region).values()))
        if isinstance(query, int):
            answer = self._ask("GET", self._here("images", query, "similar"), params=wanted)
        else:
            answer = self._ask(
                "POST",
                self._here("search"),
                params=wanted,
                content=_bytes_of(query),
                headers=_PICTURE,
            )
        return _hits(answer)

    def search_by_examples(
        self,
        examples: Sequence[Example],
        k: int = 10,
        *,
        threshold: float | None = None,
        where: Conditions | None = None,
    ) -> list[Hit]:
        """The ``k`` images most like the examples together, least like those that weigh < 0."""
        files: list[tuple[str, tuple[str, bytes, str]]] = []
        shown: list[dict[str, Any]] = []
        for example in examples:
            place: dict[str, Any] = {"weight": example.weight}
            if example.region is not None:
                place["region"] = asdict(example.region)
            if isinstance(example.image, int):
                place["id"] = example.image
            else:
                place["upload"] = len(files)
                data = _bytes_of(example.image)
                files.append(("image", ("picture", data, "application/octet-stream")))
            shown.append(place)
        wanted: dict[str, Any] = {"examples": shown, "k": k, "threshold": threshold}
        if where:
            wanted["filter"] = dict(where)
        path = self._here("search")
        if files:
            fields = {"query": json.dumps(wanted)}
            return _hits(self._ask("POST", path, files=files, data=fields))
        return _hits(self._ask("POST", path, json=wanted))

    # Changes

    def add(self, picture: Picture, root: str, path: str) -> Image:
        """Put a picture of yours into an indexed folder, as ``path`` there."""
        query = {"root": root, "path": path}
        data = _bytes_of(picture)
        answer = self._ask(
            "POST", self._here("images"), params=query, content=data, headers=_PICTURE
        )
        return Image.of(answer.json())

    def add_existing(self, root: str, path: str) -> Image:
        """Take in a file that lies in an indexed folder already."""
        answer = self._ask("POST", self._here("images"), json={"root": root, "path": path})
        return Image.of(answer.json())

    def remove(self, id_: int) -> None:
        """Forget an image; its file is not touched."""
        self._ask("DELETE", self._here("images", id_))

    def sync(self, root: str | None = None, *, retry_skipped: bool = False) -> Job:
        """Begin to bring an indexed folder up to date, or all of them; see ``follow``."""
        wanted = {"root": root, "retry_skipped": retry_skipped}
        return Job.of(self._ask("POST", self._here("sync"), json=wanted).json())

    def job(self, id_: str) -> Job:
        """How far a sync is."""
        return Job.of(self._ask("GET", f"/v1/jobs/{id_}").json())

    def cancel(self, id_: str) -> Job:
        """Have a sync stop soon; what it did is kept."""
        return Job.of(self._ask("POST", f"/v1/jobs/{id_}/cancel").json())

    def follow(self, id_: str) -> Iterator[Job]:
        """A sync whenever it is further, until it has ended: the last one says how."""
        with self._translated(), self._http.stream("GET", f"/v1/jobs/{id_}/events") as answer:
            if answer.is_error:
                answer.read()
                raise _refused(answer)
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield Job.of(json.loads(line.removeprefix("data: ")))

    def _here(self, *parts: object) -> str:
        if self._collection is None:
            found = self.collections()
            if not found:
                raise ServiceError("the service has no collection")
            self._collection = found[0].name
        return "/".join(["/v1/collections", self._collection, *map(str, parts)])

    def _ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        with self._translated():
            answer = self._http.request(method, path, **how)
        if answer.is_error:
            raise _refused(answer)
        return answer

    def _translated(self) -> _Translated:
        return _Translated(str(self._http.base_url))


class _Translated:
    """Turns what httpx raises into ServiceError."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
            problem = f"{self._url} can't be reached: {error or type(error).__name__}"
            raise ServiceError(problem) from error


def _bytes_of(picture: Picture) -> bytes:
    if isinstance(picture, bytes):
        return picture
    with open(picture, "rb") as file:
        return file.read()


def _hits(answer: httpx.Response) -> list[Hit]:
    return [Hit.of(each) for each in answer.json()["hits"]]


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
