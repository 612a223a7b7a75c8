"""Whatever the bytes: a picture or a reason, in bounded time and memory, and the process lives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_files import small_files

from image_similarity_search.workers.worker import Worker

SECONDS = 10.0
MEMORY = 1 << 30

# numbers that headers lie with
_NUMBERS = [
    0,
    1,
    2,
    3,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
]


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A small file of some format with up to eight damages."""
    files = small_files()
    data = bytearray(draw(st.sampled_from(files)))
    for _ in range(draw(st.integers(0, 8))):
        if not data:
            break
        # headers are at the beginning, and damage is more telling there
        at = draw(st.one_of(st.integers(0, min(len(data), 100) - 1), st.integers(0, len(data) - 1)))
        damage = draw(st.sampled_from(["bit", "byte", "number", "cut", "drop", "again", "splice"]))
        length = draw(st.integers(1, 64))
        if damage == "bit":
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif damage == "byte":
            data[at] = draw(st.integers(0, 255))
        elif damage == "number":
            size = draw(st.sampled_from([2, 4]))
            number = draw(st.sampled_from(_NUMBERS)) & (256**size - 1)
            data[at : at + size] = number.to_bytes(size, draw(st.sampled_from(["little", "big"])))
        elif damage == "cut":
            del data[at:]
        elif damage == "drop":
            del data[at : at + length]
        elif damage == "again":
            data[at:at] = data[at : at + length] * draw(st.integers(1, 8))
        else:
            other = draw(st.sampled_from(files))
            start = draw(st.integers(0, len(other) - 1))
            data[at : at + length] = other[start : start + length]
    return bytes(data)


@pytest.fixture(scope="module")
def workers() -> Iterator[list[Worker]]:
    """One worker, in a list so that one that was lost can be replaced."""
    workers = [Worker("fuzzed_decoder:answer", MEMORY)]
    yield workers
    workers[0].end()


def check(workers: list[Worker], data: bytes) -> None:
    answer = workers[0].ask(data, SECONDS)
    if answer.failure:
        workers[0] = Worker("fuzzed_decoder:answer", MEMORY)
    assert answer.failure is None, (answer.failure, data)
    for part in answer.parts[:-1]:
        assert part == b"RGB" or (0 < len(part) < 300 and b"\n" not in part), part


def test_undamaged_they_are_pictures(workers: list[Worker]) -> None:
    for data in small_files():
        if not data.startswith(bytes(2048)):  # the part of a PhotoCD
            assert workers[0].ask(data, SECONDS).parts[:2] == [b"RGB"] * 2, data[:20]


@settings(
    max_examples=700,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=damaged_files())
def test_a_damaged_file_is_a_picture_or_has_a_reason(workers: list[Worker], data: bytes) -> None:
    check(workers, data)
