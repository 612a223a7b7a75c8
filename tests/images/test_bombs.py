"""Files that ask for much get little, and soon: in a real worker process, which is measured."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from bombs import BOMBS, FINE
from PIL import Image

from image_similarity_search.collection.messages import Message, Refusal, View, from_part, request
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.workers.worker import Worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the memory")

SECONDS = 10.0  # on a busy machine; most take a hundredth
MEMORY = 128 << 20  # bytes, of a process that takes 30 MB for a photograph


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("measured_decoder:answer", 4 << 30)
    yield worker
    worker.end()


def decoded(worker: Worker, path: Path, data: bytes) -> tuple[Message, int]:
    """What becomes of a file, and the bytes of memory that its process took at most."""
    path.write_bytes(data)
    started = time.monotonic()
    answer = worker.ask(request(str(path), Preprocessing()), 60)
    assert answer.failure is None
    assert time.monotonic() - started < SECONDS
    *_, outcome, memory = answer.parts
    return from_part(outcome), 1024 * int(memory)


@pytest.mark.parametrize("name", BOMBS)
def test_what_asks_for_much_is_refused_or_read_at_no_cost(
    name: str, worker: Worker, tmp_path: Path
) -> None:
    make, reason = BOMBS[name]
    outcome, memory = decoded(worker, tmp_path / "bomb", make())
    assert memory < MEMORY
    if reason == FINE:
        assert isinstance(outcome, View)
    else:
        assert isinstance(outcome, Refusal)
        assert outcome.reason.startswith(reason)


SIDE = 6000
BYTES = 4 * SIDE * SIDE  # as Pillow keeps these


@pytest.mark.parametrize(
    "mode",
    ["RGBA", *(pytest.param(mode, marks=pytest.mark.slow) for mode in ("RGB", "F", "I", "CMYK"))],
)
def test_a_large_picture_takes_little_more_than_its_pixels(
    mode: str, worker: Worker, tmp_path: Path
) -> None:
    block = np.arange(64, dtype=np.uint8).reshape(8, 8)
    small = Image.merge("RGB", [Image.fromarray(block)] * 3)
    image = small.resize((SIDE, SIDE)).convert("L" if mode in "IF" else mode).convert(mode)
    file = BytesIO()
    image.save(file, "TIFF", compression="packbits")
    outcome, memory = decoded(worker, tmp_path / "large.tif", file.getvalue())
    assert isinstance(outcome, View)
    assert memory < 2.2 * BYTES + len(file.getvalue()) + (60 << 20)
