"""The client: each method is one request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

from image_similarity_search.arguments import several
from image_similarity_search.client.answers import (
    CollectionInfo,
    ExplainMethod,
    Explanation,
    Groups,
    Hit,
    Image,
    Job,
    Page,
)
from image_similarity_search.client.connection import Connection, path_to, told
from image_similarity_search.client.questions import (
    Conditions,
    Example,
    Picture,
    id_in,
    in_query,
    said,
    sent,
    sent_examples,
)
from image_similarity_search.duplicates import DuplicateLevel
from image_similarity_search.errors import ServiceError
from image_similarity_search.search_options import PLAIN, SearchOptions
from image_similarity_search.types import Region, Text, Threshold, checked_count

if TYPE_CHECKING:
    import httpx


class Client:
    """Talks to one service, about one collection. Use it as a context manager, or close it.

    Every method raises ServiceError: the service refused, failed, or can't be reached; ConfigError,
    where an argument is nothing that could be asked; and ImageError, where a picture of yours is
    no file that can be read.
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

        Raises:
            ConfigError: the URL or the key is none, or what the extra ``client`` installs is not
                there.
        """
        self._connection = Connection(url, key, timeout)
        self._ask = self._connection.ask
        self._collection = collection

    def close(self) -> None:
        """Close the connections."""
        self._connection.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What there is

    def collections(self) -> list[CollectionInfo]:
        """All collections of the service."""
        answer = self._ask("GET", "/v1/collections")
        return told(answer, lambda it: [CollectionInfo.of(each) for each in it["collections"]])

    def info(self) -> CollectionInfo:
        """What the collection is made of."""
        return told(self._ask("GET", self._here()), CollectionInfo.of)

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
        return told(answer, Page.of)

    def image(self, id_: int) -> Image:
        """One image."""
        return told(self._ask("GET", self._here("images", id_)), Image.of)

    def thumbnail(self, id_: int) -> bytes:
        """A small JPEG of an image."""
        return self._ask("GET", self._here("images", id_, "thumbnail")).content

    def preview(self, picture: Picture | int) -> bytes:
        """An upright JPEG of an image there, by its id, or of a picture of yours.

        Its longer side has 1,440 pixels at most.
        """
        if (id_ := id_in(picture)) is not None:
            return self._ask("GET", self._here("images", id_, "preview")).content
        return self._ask("POST", self._here("preview"), **sent(picture)).content

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
        wanted: dict[str, Any] = {"k": checked_count("k", k), **(where or {}), **said(options)}
        if threshold is not None:
            wanted["threshold"] = threshold
        if region is not None:
            wanted["region"] = in_query(region)
        if (id_ := id_in(query)) is not None:
            answer = self._ask("GET", self._here("images", id_, "similar"), params=wanted)
        else:
            answer = self._ask("POST", self._here("search"), params=wanted, **sent(query))
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
        wanted: dict[str, Any] = {"k": checked_count("k", k), "threshold": threshold}
        wanted |= said(options)
        if where:
            wanted["filter"] = dict(where)
        return _hits(self._ask("POST", self._here("search"), **sent_examples(examples, wanted)))

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
            wanted["region"] = in_query(region)
        path = self._here("images", hit, "explanation")
        if (id_ := id_in(query)) is not None:
            answer = self._ask("GET", path, params={"query": id_, **wanted})
        else:
            answer = self._ask("POST", path, params=wanted, **sent(query))
        return told(answer, Explanation.of)

    # Changes

    def add(self, picture: Picture, root: str, path: str) -> Image:
        """Put a picture of yours into an indexed folder, as ``path`` there."""
        query = {"root": root, "path": path}
        answer = self._ask("POST", self._here("images"), params=query, **sent(picture))
        return told(answer, Image.of)

    def add_existing(self, root: str, path: str) -> Image:
        """Take in a file that lies in an indexed folder already."""
        answer = self._ask("POST", self._here("images"), json={"root": root, "path": path})
        return told(answer, Image.of)

    def remove(self, id_: int) -> None:
        """Forget an image; its file is not touched."""
        self._ask("DELETE", self._here("images", id_))

    def sync(self, root: str | None = None, *, retry_skipped: bool = False) -> Job:
        """Begin to bring an indexed folder up to date, or all of them; see ``follow``."""
        wanted = {"root": root, "retry_skipped": retry_skipped}
        return told(self._ask("POST", self._here("sync"), json=wanted), Job.of)

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
        return told(self._ask("POST", self._here("duplicates"), json=wanted), Job.of)

    def groups(self, id_: str, *, offset: int = 0, limit: int = 100, others: int = 100) -> Groups:
        """A page of the groups that a search for duplicates found, the most alike first.

        Of each group come at most so many ``others``; its ``more`` says how many are left out.
        """
        query = {"offset": offset, "limit": limit, "others": others}
        answer = self._ask("GET", _job_path(id_, "duplicates"), params=query)
        return told(answer, Groups.of)

    def dismiss(self, ids: Sequence[int]) -> None:
        """Remember for good that no two of these images are duplicates of each other."""
        self._ask("POST", self._here("duplicates", "dismiss"), json={"ids": _ids(ids)})

    # Tags

    def tags(self) -> dict[str, int]:
        """How many images have each tag."""
        return told(self._ask("GET", self._here("tags")), lambda it: dict(it["tags"]))

    def change_tags(
        self,
        ids: int | Sequence[int],
        *,
        add: str | Sequence[str] = (),
        remove: str | Sequence[str] = (),
    ) -> int:
        """Put tags to images, and take others away; how many images have other tags now.

        An image may be given alone, and so may a tag.
        """
        words = "a tag, or several"
        wanted = {
            "ids": _ids(ids),
            "add": several("add", add, str, words),
            "remove": several("remove", remove, str, words),
        }
        answer = self._ask("POST", self._here("tags"), json=wanted)
        return told(answer, lambda it: int(it["changed"]))

    # Work in the background

    def jobs(self) -> list[Job]:
        """The last jobs of the service, of all collections, the newest first."""
        answer = self._ask("GET", "/v1/jobs")
        return told(answer, lambda it: [Job.of(each) for each in it["jobs"]])

    def job(self, id_: str) -> Job:
        """How far a job is."""
        return told(self._ask("GET", _job_path(id_)), Job.of)

    def cancel(self, id_: str) -> Job:
        """Have a job stop soon; what it did is kept."""
        return told(self._ask("POST", _job_path(id_, "cancel")), Job.of)

    def follow(self, id_: str) -> Iterator[Job]:
        """A job whenever it is further, until it has ended: the last one says how.

        Raises:
            ServiceError: also when the service ends before the job did.
        """
        job = None
        for job in self._connection.events(_job_path(id_, "events"), Job.of):
            yield job
        if job is None or job.state == "running":
            raise ServiceError(f"the service no longer reports the progress of job {id_}")

    def _here(self, *parts: object) -> str:
        if self._collection is None:
            found = self.collections()
            if not found:
                raise ServiceError("the service has no collection")
            self._collection = found[0].name
        return path_to("collections", self._collection, *parts)


def _job_path(id_: str, *more: str) -> str:
    return path_to("jobs", id_, *more)


def _ids(given: object) -> list[int]:
    expected = "the ids of images"
    some = several("ids", given, Integral, expected)
    return [checked_count("ids", one, expected, least=0) for one in some]


def _hits(answer: httpx.Response) -> list[Hit]:
    return told(answer, lambda it: [Hit.of(each) for each in it["hits"]])
