"""Processes whose drive fails as real ones do: by a library that stands before the system's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import preload

# FAULT says what fails: "unreadable FIRST LAST" (bytes of catalog.sqlite), "record locks ERRNO"
# (those of SQLite), "file locks ERRNO" (ours)
_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *fault(void) { const char *text = getenv("FAULT"); return text ? text : ""; }

/* of the first file of that name: what takes its place lies in other sectors */
static int of_catalog(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (!name || strcmp(name, "/catalog.sqlite")) return 0;
    static ino_t first;
    struct stat status;
    if (fstat(fd, &status)) return 0;
    if (!first) first = status.st_ino;
    return status.st_ino == first;
}

static int unreadable(int fd, off_t start, size_t count) {
    long first, last;
    return sscanf(fault(), "unreadable %ld %ld", &first, &last) == 2 && of_catalog(fd)
        && start < last && start + (off_t)count > first;
}

ssize_t read(int fd, void *buffer, size_t count) {
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "read");
    if (unreadable(fd, lseek(fd, 0, SEEK_CUR), count)) { errno = EIO; return -1; }
    return real(fd, buffer, count);
}

ssize_t pread64(int fd, void *buffer, size_t count, off_t start) {
    static ssize_t (*real)(int, void *, size_t, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "pread64");
    if (unreadable(fd, start, count)) { errno = EIO; return -1; }
    return real(fd, buffer, count, start);
}

ssize_t pread(int fd, void *buffer, size_t count, off_t start) {
    return pread64(fd, buffer, count, start);
}

static int locked(int fd, int command, void *argument, const char *name) {
    int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
    int error;
    if ((command == F_SETLK || command == F_SETLKW)
        && sscanf(fault(), "record locks %d", &error) == 1) {
        errno = error;
        return -1;
    }
    return real(fd, command, argument);
}

int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return locked(fd, command, argument, "fcntl");
}

int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return locked(fd, command, argument, "fcntl64");
}

int flock(int fd, int operation) {
    static int (*real)(int, int);
    if (!real) real = dlsym(RTLD_NEXT, "flock");
    int error;
    if (sscanf(fault(), "file locks %d", &error) == 1) { errno = error; return -1; }
    return real(fd, operation);
}
"""


def run(folder: Path, fault: str, script: str, *arguments: object) -> str:
    """Run a Python script on a drive that fails; returns what it prints."""
    library = preload.built(folder, _SOURCE)
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=os.environ | {"LD_PRELOAD": str(library), "FAULT": fault},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
