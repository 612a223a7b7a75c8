"""Whatever is done in whatever order, a collection answers as exact search over a dict would."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from conftest import draw
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from numpy.typing import NDArray

from image_similarity_search.collection import Collection
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder
from image_similarity_search.images.decode import content_hash
from image_similarity_search.reports import SyncInterrupted
from image_similarity_search.types import Progress

SEEDS = range(8)
BAD = -1
NAMES = [f"{folder}{name}.png" for folder in ("", "a/", "a/b/", "ç d/") for name in ("x", "y", "z")]
KINDS = ["auto", "exact", "hnsw", "ivf", "Flat"]

_names = st.sampled_from(NAMES)
_seeds = st.sampled_from(SEEDS)


def _bytes_of(seed: int) -> bytes:
    if seed == BAD:
        return b"\x89PNG\r\n\x1a\n, and then no picture"
    file = io.BytesIO()
    draw(seed, (24, 18)).save(file, "PNG")
    return file.getvalue()


CONTENT = {seed: _bytes_of(seed) for seed in (*SEEDS, BAD)}
SEED_OF = {content_hash(data): seed for seed, data in CONTENT.items()}

_SYNC = """
import sys
from image_similarity_search import Collection
from image_similarity_search.encoders.colour_texture import ColourTextureEncoder
with Collection.open(sys.argv[1], encoder=ColourTextureEncoder(), create=True) as collection:
    collection.sync(sys.argv[2], progress=lambda step: print(flush=True))
"""


class CollectionMachine(RuleBasedStateMachine):
    """``files`` are on the disk, ``known`` is what the collection must hold, both by path."""

    embeddings: ClassVar[dict[int, NDArray[np.float64]]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp())
        self.root, self.index = self.base / "pictures", self.base / "index"
        self.root.mkdir()
        (self.root / "no picture.txt").touch()  # an empty folder would be an unplugged disk
        self.files: dict[str, int] = {}
        self.known: dict[str, int] = {}
        self.time = 1_000_000_000
        self.collection = self._open()
        self.reader = self._open()

    def _open(self) -> Collection:
        return Collection.open(self.index, encoder=ColourTextureEncoder(), create=True)

    def teardown(self) -> None:
        self.collection.close()
        self.reader.close()
        shutil.rmtree(self.base)

    def _path(self, name: str) -> str:
        return str(self.root / name)

    # On the disk

    @rule(name=_names, seed=st.sampled_from([*SEEDS, BAD]))
    def write(self, name: str, seed: int) -> None:
        path = self._path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_bytes(CONTENT[seed])
        self._tick(path)
        self.files[path] = seed

    def _tick(self, path: str) -> None:
        self.time += 1
        os.utime(path, (self.time, self.time))

    @rule(name=_names)
    def delete(self, name: str) -> None:
        path = self._path(name)
        if self.files.pop(path, None) is not None:
            os.remove(path)

    @rule(name=_names, to=_names)
    def move(self, name: str, to: str) -> None:
        path, there = self._path(name), self._path(to)
        if path in self.files and path != there:
            os.makedirs(os.path.dirname(there), exist_ok=True)
            os.replace(path, there)
            self.files[there] = self.files.pop(path)

    @rule(name=_names, other=_names)
    def swap(self, name: str, other: str) -> None:
        path, there = self._path(name), self._path(other)
        if path in self.files and there in self.files and path != there:
            aside = str(self.base / "aside")
            for source, to in ((path, aside), (there, path), (aside, there)):
                os.replace(source, to)
            self.files[path], self.files[there] = self.files[there], self.files[path]

    @rule(name=_names)
    def touch(self, name: str) -> None:
        if self._path(name) in self.files:
            self._tick(self._path(name))

    # In the collection

    def _good(self) -> dict[str, int]:
        return {path: seed for path, seed in self.files.items() if seed != BAD}

    @rule()
    def sync(self) -> None:
        report = self.collection.sync(self.root)
        self.known = self._good()
        assert report.skipped == len(self.files) - len(self.known)

    @rule(name=_names)
    def add(self, name: str) -> None:
        path = self._path(name)
        if path not in self.files:
            return
        record = self.collection.add(path)[0]
        seed = self.files[path]
        assert (record.state == "skipped") == (seed == BAD)
        before = dict(self.known)
        self.known.pop(path, None)
        if seed != BAD:
            self.known[path] = seed
        # where a file of this content has gone, it was moved here: then its record was, too
        gone = {p for p, s in before.items() if s == seed != BAD and not os.path.exists(p)}
        left = {record.path for record in self.collection}
        missing = self.known.keys() - left
        assert missing <= gone
        assert len(missing) <= 1
        for path in missing:
            del self.known[path]

    @rule(name=_names)
    def remove(self, name: str) -> None:
        path = self._path(name)
        if path in self.known:
            assert self.collection.remove(path) == 1
            del self.known[path]

    @rule(kind=st.sampled_from(KINDS))
    def rebuild(self, kind: str) -> None:
        self.collection.rebuild(kind)
        assert self.collection.info().index == kind

    @rule()
    def reopen(self) -> None:
        self.collection.close()
        self.collection = self._open()

    # What ends in the middle

    # no preconditions: where a kill hits is chance, and what is drawn may not depend on that
    @rule(calls=st.integers(1, 12))
    def interrupt(self, calls: int) -> None:
        if self.files == self.known:
            return
        count = 0

        def progress(_: Progress) -> None:
            nonlocal count
            count += 1
            if count == calls:
                raise KeyboardInterrupt

        try:
            self.collection.sync(self.root, progress=progress)
        except SyncInterrupted:
            self._settle_for_a_part()
        else:
            self.known = self._good()

    @rule(lines=st.integers(1, 12))
    def kill(self, lines: int) -> None:
        if self.files == self.known:
            return
        command = [sys.executable, "-c", _SYNC, str(self.index), str(self.root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout
            for _ in range(lines):
                if not process.stdout.readline():
                    break
            process.kill()
        self._settle_for_a_part()

    def _settle_for_a_part(self) -> None:
        """Each image is as it was or as its file is; one whose file did not change is there."""
        left = {record.path: SEED_OF[record.content_hash or ""] for record in self.collection}
        assert left.items() <= self.known.items() | self.files.items()
        assert self.known.items() & self.files.items() <= left.items()
        self.known = left

    @rule(how=st.sampled_from(["missing", "cut short", "of another time"]))
    def damage_the_store(self, how: str) -> None:
        store = self.index / "faiss.index"
        if not store.exists():
            return
        if how == "missing":
            store.unlink()
        elif how == "cut short":
            os.truncate(store, store.stat().st_size // 2)
        elif (self.base / "old.index").exists():
            shutil.copy(self.base / "old.index", store)
        else:
            shutil.copy(store, self.base / "old.index")

    # What it answers

    def _expected(self, seed: int, among: int) -> float:
        rows = []
        for one in (seed, among):
            if one not in self.embeddings:
                (row,) = self.collection.embed([CONTENT[one]])
                wide = row.astype(np.float64)
                self.embeddings[one] = wide / np.linalg.norm(wide)
            rows.append(self.embeddings[one])
        return 1 - float(rows[0] @ rows[1])

    @rule(seed=_seeds, k=st.integers(1, len(NAMES) + 1), by_reader=st.booleans())
    def search(self, seed: int, k: int, by_reader: bool) -> None:
        collection = self.reader if by_reader else self.collection
        hits = collection.search(CONTENT[seed], k=k)
        expected = sorted(self._expected(seed, other) for other in self.known.values())[:k]
        np.testing.assert_allclose([hit.distance for hit in hits], expected, atol=2e-3)
        for hit in hits:
            distance = self._expected(seed, self.known[hit.path])
            np.testing.assert_allclose(hit.distance, distance, atol=2e-3)
            assert (hit.score == 1.0) == (self.known[hit.path] == seed)
        paths = Counter(hit.path for hit in hits)
        assert not paths or max(paths.values()) == 1
        if k > len(self.known):
            assert paths.keys() == self.known.keys()

    @rule()
    def verify(self) -> None:
        problems = self.collection.verify().problems
        store = [problem for problem in problems if problem.part == "store"]
        assert problems == store  # which may be damaged, as above

    @invariant()
    def holds_what_it_must(self) -> None:
        records = [record for record in self.collection if "\0" not in record.path]
        assert {r.path: SEED_OF[r.content_hash or ""] for r in records} == self.known


def _run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        CollectionMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_it_answers_as_a_dict_would() -> None:
    _run(12, 20)


@pytest.mark.slow
def test_it_answers_as_a_dict_would_for_long() -> None:
    _run(150, 50)
