"""The client: each method is one request."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeAlias, TypeVar
from urllib.parse import quote

import httpx

from image_similarity_search.client.answers import (
    CollectionInfo,
    ExplainMethod,
    Explanation,
    Group,
    Groups,
    Hit,
    Image,
    Job,
    Json,
    Page,
)
from image_similarity_search.duplicates import DuplicateLevel
from image_similarity_search.errors import ServiceError
from image_similarity_search.search_options import PLAIN, SearchOptions
from image_similarity_search.types import Region, Text, Threshold

Picture: TypeAlias = "str | os.PathLike[str] | bytes"
"""A picture: the path of a file here, or a file's bytes."""

Conditions: TypeAlias = Mapping[str, Any]
"""Conditions that images must meet, such as ``{"folder": "photos/holiday", "min_width": 1000}``."""

_T = TypeVar("_T")

_PICTURE = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Example:
    """A picture of yours, the id of an image there, or words, to search by together with others.

    ``weight`` says how much it counts; less than 0: be less like it. ``region`` is the part of it
    to search by.
    """

    image: Picture | int | Text
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
        answer = self._ask("GET", "/v1/collections")
        return _told(answer, lambda it: [CollectionInfo.of(each) for each in it["collections"]])

    def info(self) -> CollectionInfo:
        """What the collection is made of."""
        return _told(self._ask("GET", self._here()), CollectionInfo.of)

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
        answer = self._ask("GET", self._here("images"), params={**query, **(where or {})})
        return _told(answer, _page)

    def image(self, id_: int) -> Image:
        """One image."""
        return _told(self._ask("GET", self._here("images", id_)), Image.of)

    def thumbnail(self, id_: int) -> bytes:
        """A small JPEG of an image."""
        return self._ask("GET", self._here("images", id_, "thumbnail")).content

    def file(self, id_: int, *, download: bool = False) -> bytes:
        """The file of an image; ``download`` has the service say that it is to be saved."""
        wanted = {"download": "true"} if download else {}
        return self._ask("GET", self._here("images", id_, "file"), params=wanted).content

    # Searches

    def search(
        self,
        query: Picture | int | Text,
        k: int = 10,
        *,
        threshold: Threshold | None = None,
        region: Region | None = None,
        where: Conditions | None = None,
        options: SearchOptions = PLAIN,
    ) -> list[Hit]:
        """The ``k`` images most like a picture of yours, an image there, by its id, or words."""
        if isinstance(query, Text):
            example = Example(query, region=region)
            return self.search_by_examples(
                [example], k, threshold=threshold, where=where, options=options
            )
        wanted: dict[str, Any] = {"k": k, **(where or {}), **_said(options)}
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
        threshold: Threshold | None = None,
        where: Conditions | None = None,
        options: SearchOptions = PLAIN,
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
            elif isinstance(example.image, Text):
                place["text"] = example.image.words
            else:
                place["upload"] = len(files)
                data = _bytes_of(example.image)
                files.append(("image", ("picture", data, "application/octet-stream")))
            shown.append(place)
        wanted: dict[str, Any] = {"examples": shown, "k": k, "threshold": threshold}
        wanted |= _said(options)
        if where:
            wanted["filter"] = dict(where)
        path = self._here("search")
        if files:
            fields = {"query": json.dumps(wanted)}
            return _hits(self._ask("POST", path, files=files, data=fields))
        return _hits(self._ask("POST", path, json=wanted))

    def explain(
        self,
        query: Picture | int,
        hit: int,
        *,
        region: Region | None = None,
        method: ExplainMethod | None = None,
    ) -> Explanation:
        """Why the image ``hit`` is like a picture of yours, or like an image there, by its id."""
        wanted: dict[str, Any] = {"method": method} if method else {}
        if region is not None:
            wanted["region"] = ",".join(map(repr, asdict(region).values()))
        path = self._here("images", hit, "explanation")
        if isinstance(query, int):
            answer = self._ask("GET", path, params={"query": query, **wanted})
        else:
            data = _bytes_of(query)
            answer = self._ask("POST", path, params=wanted, content=data, headers=_PICTURE)
        return _told(answer, Explanation.of)

    # Changes

    def add(self, picture: Picture, root: str, path: str) -> Image:
        """Put a picture of yours into an indexed folder, as ``path`` there."""
        query = {"root": root, "path": path}
        data = _bytes_of(picture)
        answer = self._ask(
            "POST", self._here("images"), params=query, content=data, headers=_PICTURE
        )
        return _told(answer, Image.of)

    def add_existing(self, root: str, path: str) -> Image:
        """Take in a file that lies in an indexed folder already."""
        answer = self._ask("POST", self._here("images"), json={"root": root, "path": path})
        return _told(answer, Image.of)

    def remove(self, id_: int) -> None:
        """Forget an image; its file is not touched."""
        self._ask("DELETE", self._here("images", id_))

    def sync(self, root: str | None = None, *, retry_skipped: bool = False) -> Job:
        """Begin to bring an indexed folder up to date, or all of them; see ``follow``."""
        wanted = {"root": root, "retry_skipped": retry_skipped}
        return _told(self._ask("POST", self._here("sync"), json=wanted), Job.of)

    # Duplicates

    def duplicates(
        self,
        level: DuplicateLevel = "near",
        *,
        thorough: bool = False,
        where: Conditions | None = None,
    ) -> Job:
        """Begin to look for duplicates; see ``follow``, and then ``groups``. Nothing is changed.

        ``level`` is the least alike that counts; ``thorough`` reads all files, which takes long.
        """
        wanted: dict[str, Any] = {"level": level, "thorough": thorough}
        if where:
            wanted["filter"] = dict(where)
        return _told(self._ask("POST", self._here("duplicates"), json=wanted), Job.of)

    def groups(self, id_: str, *, offset: int = 0, limit: int = 100, others: int = 100) -> Groups:
        """A page of the groups that a search for duplicates found, the most alike first.

        Of each group come at most so many ``others``; its ``more`` says how many are left out.
        """
        query = {"offset": offset, "limit": limit, "others": others}
        answer = self._ask("GET", _job_path(id_, "duplicates"), params=query)
        return _told(answer, _groups)

    def dismiss(self, ids: Sequence[int]) -> None:
        """Remember for good that no two of these images are duplicates of each other."""
        self._ask("POST", self._here("duplicates", "dismiss"), json={"ids": list(ids)})

    # Tags

    def tags(self) -> dict[str, int]:
        """How many images have each tag."""
        return _told(self._ask("GET", self._here("tags")), lambda it: dict(it["tags"]))

    def change_tags(
        self, ids: Sequence[int], *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> int:
        """Put tags to images, and take others away; how many images have other tags now."""
        wanted = {"ids": list(ids), "add": list(add), "remove": list(remove)}
        answer = self._ask("POST", self._here("tags"), json=wanted)
        return _told(answer, lambda it: int(it["changed"]))

    # Work in the background

    def jobs(self) -> list[Job]:
        """The last jobs of the service, of all collections, the newest first."""
        answer = self._ask("GET", "/v1/jobs")
        return _told(answer, lambda it: [Job.of(each) for each in it["jobs"]])

    def job(self, id_: str) -> Job:
        """How far a job is."""
        return _told(self._ask("GET", _job_path(id_)), Job.of)

    def cancel(self, id_: str) -> Job:
        """Have a job stop soon; what it did is kept."""
        return _told(self._ask("POST", _job_path(id_, "cancel")), Job.of)

    def follow(self, id_: str) -> Iterator[Job]:
        """A job whenever it is further, until it has ended: the last one says how.

        Raises:
            ServiceError: also when the service ends before the job did.
        """
        job = None
        path = _job_path(id_, "events")
        with self._translated(), self._http.stream("GET", path) as answer:
            if answer.is_error:
                answer.read()
                raise _refused(answer)
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    job = _read(line.removeprefix("data: "), Job.of, answer)
                    yield job
        if job is None or job.state == "running":
            raise ServiceError(f"the service does not say any more how far job {id_} is")

    def _here(self, *parts: object) -> str:
        if self._collection is None:
            found = self.collections()
            if not found:
                raise ServiceError("the service has no collection")
            self._collection = found[0].name
        return _path("collections", self._collection, *parts)

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


def _said(options: SearchOptions) -> dict[str, Any]:
    """The options that are other than usual: an older service knows none."""
    usual = asdict(PLAIN)
    return {name: value for name, value in asdict(options).items() if value != usual[name]}


def _bytes_of(picture: Picture) -> bytes:
    if isinstance(picture, bytes):
        return picture
    with open(picture, "rb") as file:
        return file.read()


def _path(*parts: object) -> str:
    return "/".join(["/v1", *(quote(str(part), safe="") for part in parts)])


def _job_path(id_: str, *more: str) -> str:
    return _path("jobs", id_, *more)


def _told(answer: httpx.Response, make: Callable[[Json], _T]) -> _T:
    """What an answer says."""
    return _read(answer.content, make, answer)


def _read(text: str | bytes, make: Callable[[Json], _T], answer: httpx.Response) -> _T:
    try:
        return make(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{answer.url} does not answer as this client understands: {error!r}"
        raise ServiceError(problem, status=answer.status_code) from error


def _page(answer: Json) -> Page:
    return Page([Image.of(each) for each in answer["images"]], answer["next"], answer["total"])


def _groups(answer: Json) -> Groups:
    return Groups([Group.of(each) for each in answer["groups"]], answer["next"], answer["total"])


def _hits(answer: httpx.Response) -> list[Hit]:
    return _told(answer, lambda it: [Hit.of(each) for each in it["hits"]])


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
