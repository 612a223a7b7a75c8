"""Processes whose drive ends at a given change of a folder's files: they are killed, or it fails.

By a library that stands before the system's.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import preload

# Every call that changes a file below END_IN is counted, in the file END_COUNT. At number END_AT
# the process is killed, after half of a write; or, with END_WITH, this call and all that follow
# fail with that errno (ENOSPC: only those that need room).
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int watched_path(const char *path) {
    const char *folder = getenv("END_IN");
    return folder && path && !strncmp(path, folder, strlen(folder));
}

static int watched(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return watched_path(path);
}

static int is_end(int needs_room) {
    static long count;
    const char *with = getenv("END_WITH");
    if (with && atoi(with) == ENOSPC && !needs_room) return 0;
    char text[32];
    int length = snprintf(text, sizeof text, "%ld", ++count);
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    int fd = open(getenv("END_COUNT"), O_WRONLY | O_CREAT, 0600);
    real(fd, text, length, 0);
    close(fd);
    long at = atol(getenv("END_AT"));
    return with ? at && count >= at : count == at;
}

/* Kills the process, or says how the call fails. */
static int end(void) {
    const char *with = getenv("END_WITH");
    if (!with) { kill(getpid(), SIGKILL); pause(); }
    errno = atoi(with);
    return -1;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (watched(fd) && is_end(1)) { real(fd, data, size / 2); return end(); }
    return real(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t start) {
    REAL(pwrite64);
    if (watched(fd) && is_end(1)) { real(fd, data, size / 2, start); return end(); }
    return real(fd, data, size, start);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t start) {
    return pwrite64(fd, data, size, start);
}

int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    return watched(fd) && is_end(size > 0) ? end() : real(fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fsync(int fd) { REAL(fsync); return watched(fd) && is_end(0) ? end() : real(fd); }

int fdatasync(int fd) { REAL(fdatasync); return watched(fd) && is_end(0) ? end() : real(fd); }

int rename(const char *from, const char *to) {
    REAL(rename);
    return watched_path(to) && is_end(0) ? end() : real(from, to);
}

int unlink(const char *path) {
    REAL(unlink);
    return watched_path(path) && is_end(0) ? end() : real(path);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return watched_path(path) && is_end(1) ? end() : real(path, mode);
}
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and how many changes it made (ENOSPC: that need room)."""

    status: int
    err: str
    changes: int


def run(command: Sequence[object], index: Path, work: Path, at: int = 0, error: int = 0) -> Ended:
    """Run a command whose drive ends at its change number ``at`` of the files of ``index``.

    Without ``error`` the process is killed there; with 0 as ``at`` it comes to its own end.
    """
    counted = work / "count"
    counted.unlink(missing_ok=True)
    settings = {
        "LD_PRELOAD": str(preload.built(work, _SOURCE)),
        "END_IN": str(index),
        "END_AT": str(at),
        "END_COUNT": str(counted),
    } | ({"END_WITH": str(error)} if error else {})
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    changes = int(counted.read_text() or 0) if counted.exists() else 0
    return Ended(done.returncode, done.stderr, changes)


def points(total: int, count: int) -> Sequence[int]:
    """At which changes of ``total`` to end: ``count`` of them, or all."""
    if count >= total:
        return range(1, total + 1)
    return sorted({1 + round(i * (total - 1) / (count - 1)) for i in range(count)})
