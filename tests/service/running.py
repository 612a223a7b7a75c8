"""A real server on loopback, in a thread of the tests."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import uvicorn
from conftest import draw, until

from image_similarity_search.collection import Collection
from image_similarity_search.service.serving import configured
from image_similarity_search.service.settings import Settings

NAME = "pictures"


class _Hurried:
    """``asyncio``, whose sleeps take a tenth: a server looks once in them whether it is to end."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """Serve until the end of the block; gives the address."""
    hurried = patch("uvicorn.server.asyncio", _Hurried())
    with hurried, socket.create_server((settings.host, 0)) as listening:
        server = uvicorn.Server(configured(settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive())
            assert thread.is_alive()
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def make_collection(folder: Path, count: int = 12) -> Path:
    """A folder ``photos`` of pictures, and the index of them, which is returned."""
    photos = folder / "photos"
    for seed in range(count):
        below = photos / ("", "holiday")[seed % 2]
        below.mkdir(parents=True, exist_ok=True)
        draw(seed).save(below / f"picture {seed}{('.jpg', '.png')[seed % 2]}")
    with Collection.open(folder / "index", encoder="colour-texture", create=True) as made:
        made.sync(photos)
    return folder / "index"


def copied(template: Path, place: Path) -> Path:
    """A copy of a folder with ``photos`` and ``index``: to make one anew takes longer."""
    for name in ("photos", "index"):
        shutil.copytree(template / name, place / name)
    with Collection.open(place / "index") as collection:
        collection.relocate(template / "photos", place / "photos")
    return place


class Starter:
    """Starts services of the collection in ``place``, each with a state folder of its own."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self._place = place
        self._stack = stack
        self._count = 0

    def __call__(self, **changes: object) -> httpx.Client:
        """A client of a new service, with other settings if they are given."""
        self._count += 1
        state = self._place / f"state{self._count}"
        state.mkdir()
        settings = Settings(((NAME, str(self._place / "index")),), str(state))
        url = self._stack.enter_context(running(replace(settings, **changes)))  # type: ignore[arg-type]  # of any field
        # to load what certificates are verified by takes longer than many a test
        return self._stack.enter_context(httpx.Client(base_url=url, timeout=30, verify=False))
