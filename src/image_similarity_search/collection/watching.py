"""What keeps a collection up to date for as long as it runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from threading import Event

from image_similarity_search.addresses import is_address
from image_similarity_search.collection.changing import ChangeableCollection
from image_similarity_search.collection.originals import check_folder
from image_similarity_search.collection.queries import checked_source
from image_similarity_search.errors import ConfigError
from image_similarity_search.reports import SyncReport, WatchEvent
from image_similarity_search.types import DEFAULT_TIME_LIMIT, ProgressCallback, checked_seconds


class WatchingCollection(ChangeableCollection):
    """The use case that does not end by itself."""

    def watch(
        self,
        *folders: str | os.PathLike[str],
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        follow_symlinks: bool = False,
        all_files: bool = False,
        time_limit: float = DEFAULT_TIME_LIMIT,
        poll: bool = False,
        every: float | None = None,
        stop: Event | None = None,
        progress: ProgressCallback | None = None,
    ) -> Iterator[WatchEvent]:
        """Sync ``folders``, then again whenever something changes in them; for ever.

        Yields what became of each folder at first, and then each time it changed. The work is
        done while the next event is waited for. Other processes may write between syncs, and are
        waited for. A folder that is gone, such as a disk's, keeps its images, and is synced again
        when it is back. Changes are gathered until none came for half a second, or for ten.

        Args:
            folders: as for ``sync``, each.
            include: as for ``sync``.
            exclude: as for ``sync``.
            follow_symlinks: as for ``sync``.
            all_files: as for ``sync``.
            time_limit: as for ``sync``.
            poll: don't ask the system to tell of changes, which it can't for network drives:
                sync every 60 seconds. Folders in object storage are always synced so, and Parquet
                files; what vanishes beside them is forgotten when they were looked at.
            every: seconds after which a folder is synced in any case; by default 60 for those
                that are polled, 3600 for others, since a system may lose events.
            stop: ends it when it is set, between two syncs.
            progress: called now and then during each sync.

        Raises:
            FolderNotFoundError: there is no such folder, and none is known by that path.
            ConfigError: no folder, no path, no pattern or no time; or the package that tells of
                changes is missing, which the message says how to install.
            SyncInterrupted: Ctrl-C during a sync; what was done is kept.
        """
        from image_similarity_search.collection.disks import disks_below
        from image_similarity_search.collection.folder_events import FolderEvents, check_watcher
        from image_similarity_search.collection.scanning import WalkOptions
        from image_similarity_search.collection.watch import Watch

        paths = [checked_source(folder) for folder in folders]
        if not paths:
            raise ConfigError("folders", (), "at least one folder")
        WalkOptions(include, exclude)  # which says of a pattern that it is none
        every = None if every is None else checked_seconds("every", every, limit=False)
        local = [path for path in paths if not is_address(path)]
        roots = self._catalog.places.roots()
        for path in local:
            if self._catalog.places.locate(os.path.realpath(path))[0] not in roots:
                check_folder(path)  # a misspelt one would be waited for in vain
        stop = stop or Event()
        events = FolderEvents(self._folder, stop) if local and not poll else None
        if events:
            check_watcher()

        def sync(path: str, forget: bool) -> SyncReport:
            return sync_all(path, forget=forget)

        def disks(path: str) -> set[str]:
            return set() if is_address(path) else disks_below(self._catalog, os.path.realpath(path))

        sync_all = partial(
            self.sync,
            include=include,
            exclude=exclude,
            follow_symlinks=follow_symlinks,
            all_files=all_files,
            time_limit=time_limit,
            progress=progress,
        )
        servers = (
            url for url in (self._catalog.path, self._catalog.identity.store) if "://" in url
        )
        return Watch(sync, disks, paths, events, every, stop, servers).run()
