"""Processes that change a shared collection at once, each from an index folder of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import hear_interrupts

from image_similarity_search.catalog.catalog import Catalog

_INDEX = """
import math, sys, time
from image_similarity_search import Collection
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder
from image_similarity_search.errors import ImageSearchError
from image_similarity_search.reports import SyncInterrupted

class Slow(ColourTextureEncoder):
    thread_safe = False
    count = 0
    def encode(self, pixels):
        self.count += len(pixels)
        time.sleep(float(sys.argv[4]))
        return super().encode(pixels)

encoder = Slow()
url, index, wait, _, *folders = sys.argv[1:]
try:
    with Collection.open(
        index, encoder=encoder, catalog=url, create=True, wait=float(wait)
    ) as collection:
        for folder in folders:
            collection.sync(folder, progress=lambda step: print(step.phase, step.done, flush=True))
except SyncInterrupted as interrupt:
    print("interrupted", interrupt.report.encoded, file=sys.stderr)
    sys.exit(130)
except ImageSearchError as error:
    print(type(error).__name__, error, file=sys.stderr)
    sys.exit(4)
finally:
    print("encoded", encoder.count, flush=True)
"""


def start(
    url: str, index: Path, *folders: Path, wait: float = float("inf"), seconds: float = 0.02
) -> subprocess.Popen[str]:
    """A process that syncs folders, which takes ``seconds`` for each batch."""
    return subprocess.Popen(
        [sys.executable, "-c", _INDEX, url, index, str(wait), str(seconds), *folders],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,
    )


def until_indexed(process: subprocess.Popen[str], least: int) -> None:
    """Wait until a process has said that it indexed so many files."""
    assert process.stdout
    for line in process.stdout:
        what, _, done = line.strip().partition(" ")
        if what == "indexing" and int(done) >= least:
            return
    raise AssertionError(f"it ended: {process.stderr.read() if process.stderr else ''}")


def ended(process: subprocess.Popen[str], status: int = 0) -> tuple[int, str]:
    """How many pictures a process encoded in the end, and what it said of errors."""
    out, errors = process.communicate(timeout=120)
    assert process.returncode == status, errors
    encoded = [line.split()[1] for line in out.splitlines() if line.startswith("encoded")]
    return int(encoded[-1]), errors


class Follower:
    """What a store would hold that only ever asks for what is new since the last time."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.generation = 0
        self.generations: set[int] = set()
        self.held: dict[int, bytes] = {}

    def follow(self) -> None:
        """Catch up once."""
        with self._catalog.snapshot():
            now = self._catalog.generation
            for id_ in self._catalog.removals.since(self.generation):
                self.held.pop(int(id_), None)
            for part in self._catalog.embeddings.since(self.generation):
                units = map(bytes, part.units)
                self.held |= dict(zip(part.ids.tolist(), units, strict=True))
        assert now >= self.generation, "time ran backwards"
        self.generation = now
        self.generations.add(now)

    def follow_while(self, goes_on: Callable[[], bool]) -> None:
        """Catch up again and again, and once more in the end."""
        while goes_on():
            self.follow()
        self.follow()

    def lacks(self) -> set[int]:
        """The images that it should hold, and does not; or the other way round."""
        return set(self._catalog.indexed_ids().tolist()) ^ set(self.held)
