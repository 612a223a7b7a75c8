"""No file of torch takes more than a little memory and time, whatever it says of itself."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torch_writer import (
    ORDERED_DICT,
    number,
    pickled,
    storage,
    tensor,
    text,
    torch_stream,
    torch_zip,
)

from image_similarity_search import plain_pickle

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux says how much memory a process took"
)

_SECONDS = 60  # of processor time, for all together; they take less than ten
_MEGABYTES = 200  # at the peak, 60 of them for Python and NumPy

_READ = """
import json, resource, sys
from image_similarity_search.encoders.torch_file import read_torch_file
seconds = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))  # so that the machine survives
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
for path in sys.argv[2:]:
    try:
        said = str(list(read_torch_file(path)))
    except (ValueError, OSError) as error:
        said = str(error)
    # not ru_maxrss, which begins with what the process that started this one took
    status = open("/proc/self/status").read()
    megabytes = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    print(json.dumps([path, said, megabytes]), flush=True)
"""


def read_with_limits(paths: list[Path]) -> dict[str, str]:
    """What a process of its own says of each file; fails where it took much."""
    command = [sys.executable, "-c", _READ, str(_SECONDS), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    read = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode:  # a signal: it crashed, or took too long
        pytest.fail(f"{done.returncode} at {paths[len(read)].name} {done.stderr[-300:]}")
    for path, said, megabytes in read:
        assert megabytes < _MEGABYTES, path
        assert "MemoryError" not in said, path
        assert len(said) < 200, path
    return {Path(path).stem: said for path, said, _ in read}


def _doubled(last: bytes) -> bytes:
    """A tuple of itself twice, of itself twice, and so on, and what is done with it."""
    return b")q\x00" + b"".join(b"0h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60)) + last


_MANY = plain_pickle.LARGEST // 4
_PICKLES = {
    "room for a memo": b"Nr" + struct.pack("<I", 0x7FFFFFFF) + b"0" + b"]",
    "a key that takes for ever to hash": b"}" + _doubled(b"K\x01s"),
    "a key as deep as the stack": b"})" + b"\x85" * _MANY + b"K\x01s",
    "the same in a list of pairs": ORDERED_DICT + b"](" + _doubled(b"K\x01\x86") + b"e\x85R",
    "a name that takes for ever to write": _doubled(b"") + text("x") + b"\x93",
    "a storage that takes for ever to write": _doubled(b"Q"),
    "keys that all hash alike": b"}("
    + b"".join(number((2**61 - 1) * n) + b"N" for n in range(_MANY // 4))
    + b"u",
    "one list made a mapping again and again": ORDERED_DICT
    + b"q\x00](" + b"".join(text(str(n)) + b"N\x86" for n in range(50_000)) + b"eq\x010]("
    + b"h\x00h\x01\x85R" * 100_000 + b"e",
    "one call with all of it again and again": ORDERED_DICT
    + b"q\x00(" + b"N" * 500_000 + b"tq\x010](" + b"h\x00h\x01R" * 200_000 + b"e",
    "as many lists as there may be": b"](" + b"]" * (plain_pickle.LARGEST - 100) + b"e",
    "more lists than there may be": b"](" + b"]" * (20 << 20) + b"e",
    "lists in lists": b"]" * _MANY + b"a" * 50,
    "a text of 4 GB": b"X\xff\xff\xff\xffabc",
    "a text of an exabyte": b"\x8d" + struct.pack("<Q", 1 << 60) + b"abc",
    "a number of 2 GB": b"\x8b\xff\xff\xff\x7fabc",
    "a number of a million digits": b"L" + b"9" * 1_000_000 + b"L\n",
    "an array of 7 GB": b"\x96" + struct.pack("<Q", 7 << 30) + b"abc",
    "a frame of 7 GB": b"\x95" + struct.pack("<Q", 7 << 30) + b"]",
    "a storage of an exabyte": storage("0", "FloatStorage", 1 << 58),
    "a storage of 7 GB": storage("0", "FloatStorage", 7 << 28),
    "one number made many": b"}" + text("a") + tensor(
        storage("0", "FloatStorage", 1), 0, (1 << 31,), (0,)
    ) + b"s",
    "sides whose product is long": b"}" + text("a") + tensor(
        storage("0", "FloatStorage", 1), 0, (2**61 + 1,) * 32, (0,) * 32
    ) + b"s",
}  # fmt: skip


@pytest.mark.slow
def test_a_small_file_takes_little_memory_and_time(tmp_path: Path) -> None:
    paths = []
    for name, value in _PICKLES.items():
        numbers = {"0": np.zeros(1, dtype=np.float32)} if b"rebuild" in value else {}
        stored = {key: values.tobytes() for key, values in numbers.items()}
        paths.append(tmp_path / f"{name}.pth")
        paths[-1].write_bytes(torch_stream(pickled(value), numbers))
        if len(value) < 500_000:  # the longest go the same way, and take a second each
            paths.append(tmp_path / f"{name}, in an archive.pth")
            paths[-1].write_bytes(torch_zip(pickled(value), stored))
    said = read_with_limits(paths)
    assert len(said) == len(paths)
    assert "it holds a list" in said["room for a memo, in an archive"]
    assert "a key is of the type tuple" in said["a key that takes for ever to hash"]
    assert "a key is of the type tuple" in said["the same in a list of pairs"]
    assert "a name is not text" in said["a name that takes for ever to write"]
    assert "names and shapes" in said["more lists than there may be"]


_ONE = b"}" + text("a") + tensor(storage("0", "FloatStorage", 80 << 20), 0, (1,), (1,)) + b"s"


def test_an_archive_that_swells_is_not_unpacked(tmp_path: Path) -> None:
    parts = {"data/0": _ONE, "data.pkl": b"}", "byteorder": b"}"}
    paths = [tmp_path / f"{name.replace('/', ' ')}.pth" for name in parts]
    for path, (name, value) in zip(paths, parts.items(), strict=True):
        plain = zipfile.ZipFile(io.BytesIO(torch_zip(pickled(value), {})))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for entry in plain.infolist():
                if entry.filename != f"archive/{name}":
                    archive.writestr(entry.filename, plain.read(entry), zipfile.ZIP_STORED)
            archive.writestr(f"archive/{name}", bytes(320 << 20))
        assert path.stat().st_size < 4_000_000
    said = read_with_limits(paths)
    assert "fewer numbers than it declares" in said["data 0"]
    assert "compressed, or larger" in said["data.pkl"]
    assert "compressed, or larger" in said["byteorder"]
