"""Keeping a collection up to date with folders that change: when to sync which."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event

from image_similarity_search.addresses import is_address
from image_similarity_search.collection.bounded import Bounded
from image_similarity_search.collection.folder_events import FolderEvents
from image_similarity_search.collection.outage import Outage
from image_similarity_search.errors import (
    CollectionLockedError,
    CollectionUnavailableError,
    CollectionUnwritableError,
    FolderNotFoundError,
    SourceUnavailableError,
    StoreUnavailableError,
)
from image_similarity_search.reports import SyncReport, WatchEvent

EVERY_POLLED = 60.0
"""Seconds between syncs of a folder that tells of no changes."""

EVERY_TOLD = 3600.0
"""Seconds between syncs of one that does: the system may lose events, and says so to nobody."""

_LOOK = 1.0  # seconds between looks at whether the folders are there
_LOOK_AT_DISKS = 5.0  # the same, of disks in them: a server that hangs may hold up each look
_LONGEST_LOOK = (
    5.0  # seconds: a folder that takes longer to look at is passed over until it answers
)

_log = logging.getLogger(__name__)

_Identity = tuple[str, int, int]
_Look = tuple[_Identity | None, dict[str, bool]]


@dataclass(slots=True)
class _Watched:
    """A folder that is watched.

    Attributes:
        path: as it was given.
        identity: which folder lies there now; None where there is none, and for an address.
        disks: those that are known in it, by path: whether something was mounted there when last
            seen, and before the last sync.
        due: whether it is to be synced.
        next_sync: when it is in any case, by the monotonic clock.
        visited: at which visit of the watch it was last looked at; 0 before the first.
        vanished: the same, of when images vanished from it that may have moved to the others;
            None where there are none.
        available: whether it could be synced the last time.
        report: of the last sync.
        look: how it is looked at.
        hangs: whether that did not come to an end, as where a server is away.
    """

    path: str
    identity: _Identity | None = None
    disks: dict[str, bool] = field(default_factory=dict)
    due: bool = True
    next_sync: float = 0.0
    visited: int = 0
    vanished: int | None = None
    available: bool = True
    report: SyncReport | None = None
    look: Bounded[_Look] = field(default_factory=Bounded)
    hangs: bool = False


class Watch:
    """Syncs some folders whenever something changes in them, or it is time to look."""

    def __init__(
        self,
        sync: Callable[[str, bool], SyncReport],
        disks: Callable[[str], Iterable[str]],
        folders: Sequence[str],
        events: FolderEvents | None,
        every: float | None,
        stop: Event,
        servers: Iterable[str] = (),
    ) -> None:
        """``sync`` brings the collection up to date with a folder, under the writer lock.

        It is told whether to forget images whose file is gone: where several folders are watched,
        that waits for a look at the others, which they may have moved to. ``disks`` says which
        are known to be mounted in a folder.
        Without ``events``, and in object storage, only the clock says when. ``servers`` are the
        URLs of those without which nothing can be synced.
        """
        self._sync = sync
        self._disks = disks
        self._watched = [_Watched(folder) for folder in dict.fromkeys(folders)]
        self._events = events
        self._every = every
        self._stop = stop
        self._servers = list(servers)
        self._outage: Outage | None = None  # while there is one
        self._waits_for_lock = False
        self._visits = 0
        self._next_look_at_disks = 0.0  # by the monotonic clock
        self._at_once = False  # whether what vanished is to be looked for without a wait

    def run(self) -> Iterator[WatchEvent]:
        """Sync them all, then each when it is time, until ``stop`` is set."""
        with contextlib.closing(self._events) if self._events else contextlib.nullcontext():
            while not self._stop.is_set():
                self._look()
                self._at_once = False
                for watched in list(self._watched):
                    if self._outage and not self._outage.is_time():
                        break
                    if self._is_time(watched) and (event := self._visit(watched)):
                        yield event
                    if self._stop.is_set():
                        return
                self._wait()

    def _look(self) -> None:
        """See which folders came, went, or are others than before, such as a disk's."""
        local = [watched for watched in self._watched if not is_address(watched.path)]
        other, at_disks = False, time.monotonic() >= self._next_look_at_disks
        if at_disks:
            self._next_look_at_disks = time.monotonic() + _LOOK_AT_DISKS
        for watched in local:
            seen = watched.look.ask(partial(_seen, watched, at_disks=at_disks), _LONGEST_LOOK)
            watched.hangs = seen is None
            identity, disks = seen or (None, watched.disks)
            if (identity, disks) != (watched.identity, watched.disks):
                watched.identity, watched.disks = identity, disks
                watched.due = other = True
        if self._events and self._events.work:
            there = tuple(sorted({watched.identity[0] for watched in local if watched.identity}))
            if other or there != self._events.folders:
                self._events.watch(there)
                for watched in local:  # nobody told what happened until now
                    watched.due = True

    def _is_time(self, watched: _Watched) -> bool:
        if watched.due or time.monotonic() >= watched.next_sync:
            return True
        waits = watched.vanished is not None and not is_address(watched.path)
        return waits and self._may_forget(watched)

    def _may_forget(self, watched: _Watched) -> bool:
        """Whether the others were looked at since images vanished from this one."""
        since = watched.vanished
        others = (other for other in self._watched if other is not watched)
        return len(self._watched) == 1 or (
            since is not None and all(other.visited > since for other in others)
        )

    def _visit(self, watched: _Watched) -> WatchEvent | None:
        """Sync a folder; what there is to tell of it."""
        watched.due = False
        self._visits += 1
        before, was_available = watched.report, watched.available
        outage, self._outage = self._outage, None
        may_forget, vanished = self._may_forget(watched), watched.vanished
        watched.vanished = None  # where it can't be synced, the next time tells it again
        try:
            if watched.hangs:
                reason = "no answer, perhaps its server is down; nothing was changed"
                raise FolderNotFoundError(watched.path, reason)
            disks = _mounted(self._disks(watched.path))
            report = self._sync(watched.path, may_forget)
            # those that the sync met first were there; what changed meanwhile, the next look sees
            watched.disks = {path: disks.get(path, True) for path in self._disks(watched.path)}
        except CollectionLockedError as error:
            if not self._waits_for_lock:
                _log.warning("%s is writing to %s: waiting for it", error.holder, error.path)
            watched.due = self._waits_for_lock = True
            return None
        except (FolderNotFoundError, SourceUnavailableError) as error:
            watched.available, watched.visited = False, self._visits
            return WatchEvent(watched.path, "unavailable", str(error)) if was_available else None
        except (
            StoreUnavailableError,
            CollectionUnavailableError,
            CollectionUnwritableError,
        ) as error:
            if before is None:
                raise
            watched.available, watched.due = False, True
            self._outage = outage or Outage(self._servers)
            if outage:
                outage.prolong()
                return None
            return WatchEvent(watched.path, "unavailable", str(error))
        finally:
            watched.next_sync = time.monotonic() + self._seconds_between(watched)
        if self._waits_for_lock:
            _log.warning("%s: no other process is writing any more; continuing", watched.path)
        self._waits_for_lock, watched.available, watched.report = False, True, report
        watched.visited = self._visits
        if report.vanished:
            watched.vanished = vanished
            if vanished is None:
                self._look_for_what_vanished(watched)
        if before and was_available and not _differ(before, report):
            return None
        return WatchEvent(watched.path, "synced", report=report)

    def _look_for_what_vanished(self, watched: _Watched) -> None:
        """Sync the other folders, then this one again: what did not turn up there is forgotten.

        Those in object storage, and tables, in their time: to list or read one may cost.
        """
        watched.vanished, self._at_once = self._visits, True
        self._watched.remove(watched)
        self._watched.append(watched)
        for each in self._watched:
            if each is not watched and not is_address(each.path):
                each.due = True

    def _seconds_between(self, watched: _Watched) -> float:
        told = self._events and self._events.work and not is_address(watched.path)
        return self._every or (EVERY_TOLD if told else EVERY_POLLED)

    def _wait(self) -> None:
        """Wait until something is told, or there may be something to do."""
        if self._at_once:
            return
        until = time.monotonic() + _LOOK
        if self._events and self._events.folders:
            told = self._events.wait()
            for watched in self._watched:
                if watched.identity and watched.identity[0] in told:
                    watched.due = True
            if told:
                return
        times = [watched.next_sync for watched in self._watched] if not self._outage else []
        soonest = min([until, *times])
        self._stop.wait(max(0.0, soonest - time.monotonic()))


def _seen(watched: _Watched, *, at_disks: bool) -> _Look:
    """Which folder lies at a path, and which of the known disks are in it."""
    disks = _mounted(watched.disks) if at_disks else watched.disks
    return _identity(watched.path), disks


def _identity(folder: str) -> _Identity | None:
    """Where a folder really is, and which; None where there is none."""
    try:
        path = os.path.realpath(folder)
        status = os.stat(path)
    except OSError:
        return None
    return (path, status.st_dev, status.st_ino) if os.path.isdir(path) else None


def _mounted(disks: Iterable[str]) -> dict[str, bool]:
    """Whether something is mounted at each path; nothing is listed, so that it may go to sleep."""
    return {path: os.path.ismount(path) for path in disks}


def _differ(before: SyncReport, after: SyncReport) -> bool:
    """Whether a sync did something, or met something that the one before did not."""
    met = after.skipped != before.skipped or after.unreadable_folders != before.unreadable_folders
    return after.changed or met
