"""Processes that are killed at a given change of a folder's files, by a library before libc."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

# Every call that changes a file below KILL_IN is counted; the one of number KILL_AT is begun, a
# write is half done, and then the process is killed. The count goes to KILL_COUNT.
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int watched_path(const char *path) {
    const char *folder = getenv("KILL_IN");
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

static int is_last(void) {
    static long count;
    char text[32];
    int length = snprintf(text, sizeof text, "%ld", ++count);
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    int fd = open(getenv("KILL_COUNT"), O_WRONLY | O_CREAT, 0600);
    real(fd, text, length, 0);
    close(fd);
    return count == atol(getenv("KILL_AT"));
}

static void die(void) { kill(getpid(), SIGKILL); pause(); }

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (watched(fd) && is_last()) { real(fd, data, size / 2); die(); }
    return real(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t start) {
    REAL(pwrite64);
    if (watched(fd) && is_last()) { real(fd, data, size / 2, start); die(); }
    return real(fd, data, size, start);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t start) {
    return pwrite64(fd, data, size, start);
}

int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    if (watched(fd) && is_last()) die();
    return real(fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fsync(int fd) { REAL(fsync); if (watched(fd) && is_last()) die(); return real(fd); }

int fdatasync(int fd) { REAL(fdatasync); if (watched(fd) && is_last()) die(); return real(fd); }

int rename(const char *from, const char *to) {
    REAL(rename);
    if (watched_path(to) && is_last()) die();
    return real(from, to);
}

int unlink(const char *path) {
    REAL(unlink);
    if (watched_path(path) && is_last()) die();
    return real(path);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    if (watched_path(path) && is_last()) die();
    return real(path, mode);
}
"""


@cache
def _library(folder: Path) -> Path:
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or not compiler:
        pytest.skip("needs Linux and a C compiler")
    source, library = folder / "killing.c", folder / "killing.so"
    source.write_text(_SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def run(command: Sequence[object], index: Path, work: Path, at: int = 0) -> int:
    """Run a command that is killed at its change number ``at`` of the files of ``index``.

    Returns how many changes it made; 0 as ``at`` lets it end.
    """
    counted = work / "count"
    counted.unlink(missing_ok=True)
    done = subprocess.run(
        list(map(str, command)),
        env=os.environ
        | {
            "LD_PRELOAD": str(_library(work)),
            "KILL_IN": str(index),
            "KILL_AT": str(at),
            "KILL_COUNT": str(counted),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if at else 0), done.stderr
    return int(counted.read_text() or 0) if counted.exists() else 0
