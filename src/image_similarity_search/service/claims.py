"""Who does what among the processes of a service: a claim is a lock that dies with its holder."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock


@dataclass(frozen=True, slots=True)
class Claim:
    """What is held until it is released."""

    path: str
    lock: BaseFileLock

    def release(self) -> None:
        """Let others have it. Needs no room on the disk."""
        with suppress(OSError):
            os.remove(self.path)
        with suppress(OSError):
            self.lock.release()


class Claims:
    """All claims in ``folder``, each with the id of its holder beside it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def take(self, name: str, holder: str) -> Claim | None:
        """Claim ``name``; None where another holds it.

        Raises:
            OSError: it can't be written down.
        """
        import filelock

        path = self._path(name)
        # one thread takes it, another releases it
        lock = filelock.FileLock(f"{path}.lock", thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            return None
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(holder)
        except OSError:
            lock.release()
            raise
        return Claim(path, lock)

    def holder(self, name: str) -> str | None:
        """Who holds it, or held it when the process ended; None where nobody does."""
        try:
            with open(self._path(name), encoding="utf-8") as file:
                return file.read()
        except OSError:
            return None

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, f"{name}.running")
