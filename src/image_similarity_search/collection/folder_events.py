"""Being told that something changed in a folder, by the operating system, through watchfiles."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Generator, Sequence
from threading import Event
from typing import TYPE_CHECKING

from image_similarity_search.catalog.places import relative
from image_similarity_search.collection.logs import shown
from image_similarity_search.errors import ConfigError
from image_similarity_search.images.rules import Rules

if TYPE_CHECKING:
    from watchfiles.main import FileChange

_QUIET_MS = 500  # changes are told when none came for so long
_GATHERED_MS = 10_000  # or when the first of them was so long ago
_NEVER_MS = 3_600_000  # between looks of watchfiles' own, where the system tells nothing

_log = logging.getLogger(__name__)


def check_watcher() -> None:
    """Raise ConfigError where there is nothing to watch folders with."""
    try:
        importlib.import_module("watchfiles")
    except ImportError as error:
        install = "pip install 'image-similarity-search[watch]'"
        said = f"change events are not available: use --poll (poll=True), or {install}"
        raise ConfigError("poll", False, "True", said) from error


class FolderEvents:
    """Tells in which of some folders something changed that a sync may have to see.

    Only *that*, not what: a sync finds out, and misses nothing. What happens in hidden and junk
    folders, and in the collection's own, is not told.
    """

    def __init__(self, own_folder: str, stop: Event) -> None:
        self._own = own_folder
        self._stop = stop
        self._rules = Rules((), (), all_files=True, skip=())
        self._changes: Generator[set[FileChange], None, None] | None = None
        self._folders: tuple[str, ...] = ()
        self.work = True
        """Whether the system tells of changes, as far as is known."""

    @property
    def folders(self) -> tuple[str, ...]:
        """The absolute real paths of the folders that are watched now."""
        return self._folders

    def watch(self, folders: Sequence[str]) -> None:
        """Watch these from now on, instead of others.

        A folder that is gone meanwhile leaves none watched. Where the system refuses, this is
        said, and ``work`` is false.
        """
        self.close()
        if not folders:
            return
        import watchfiles

        self._changes = watchfiles.watch(
            *folders,
            watch_filter=lambda _, path: self._matters(path),
            debounce=_GATHERED_MS,
            step=_QUIET_MS,
            rust_timeout=_QUIET_MS,
            yield_on_timeout=True,
            stop_event=self._stop,
            force_polling=False,
            poll_delay_ms=_NEVER_MS,
            ignore_permission_denied=True,
        )
        try:
            next(self._changes, None)  # it watches from here on
        except FileNotFoundError:
            self.close()
        except (OSError, RuntimeError, UnicodeError) as error:
            self.close()
            self.work = False
            names = ", ".join(map(shown, folders))
            _log.warning("%s: no change events, polling instead: %s", names, error)
        else:
            self._folders = tuple(folders)

    def wait(self) -> set[str]:
        """Wait for half a second, or until a burst of changes is over; the folders they are in.

        After a change that can't be told of none are watched any more; see ``folders``.
        """
        if self._changes is None:
            return set()
        try:
            changes = next(self._changes, None)
        except (OSError, RuntimeError) as error:  # such as a name that is no text
            _log.info("a change event could not be read: %s", error)
            self.close()
            return set()
        return {folder for _, path in changes or () if (folder := self._folder_of(path))}

    def close(self) -> None:
        """Watch nothing any more."""
        if self._changes is not None:
            self._changes.close()
        self._changes, self._folders = None, ()

    def _folder_of(self, path: str) -> str | None:
        inside = (folder for folder in self._folders if relative(path, folder) is not None)
        return max(inside, key=len, default=None)

    def _matters(self, path: str) -> bool:
        folder = self._folder_of(path)
        if folder is None or relative(path, self._own) is not None:
            return False
        inner = os.path.relpath(path, folder)
        name = os.path.basename(folder)  # of a library, which counts for what lies in it
        below = f"{name}/{inner}".replace(os.sep, "/")
        return inner == os.curdir or not self._rules.leaves_out(below, name)
