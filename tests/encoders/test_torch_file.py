"""Files of torch are read without torch, in both their forms; what is damaged is refused."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from torch_writer import (
    FORMS,
    ORDERED_DICT,
    Form,
    call,
    number,
    pickled,
    saved,
    storage,
    tensor,
    text,
    torch_stream,
    torch_zip,
    tuple_of,
)

from image_similarity_search.encoders.torch_file import read_torch_file

_SAVED_BY_TORCH = Path(__file__).parent / "torch_files"
_BASE = np.arange(24, dtype=np.float32)
_EXPECTED: dict[str, NDArray[Any]] = {
    "contiguous": _BASE[:6].reshape(2, 3),
    "transposed": _BASE[:6].reshape(2, 3).T,
    "offset": _BASE[5:11].reshape(3, 2),
    "shared": _BASE[::2],
    "empty": np.zeros((0, 4), dtype=np.float32),
    "scalar": np.array(2.5, dtype=np.float32),
    "parameter": np.array([1, -1], dtype=np.float32),
    "double": np.array([0.1]),
    "half": np.array([0.5, 65504], dtype=np.float16),
    "long": np.array([-(2**40)]),
    "int": np.array([7], dtype=np.int32),
    "short": np.array([-7], dtype=np.int16),
    "char": np.array([-7], dtype=np.int8),
    "byte": np.array([200], dtype=np.uint8),
    "bool": np.array([True, False]),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "weights.pth"


def read(file: Path, data: bytes) -> dict[str, NDArray[Any]]:
    file.write_bytes(data)
    return read_torch_file(str(file))


def same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> None:
    assert list(one) == list(other)
    for name, values in one.items():
        assert values.dtype == other[name].dtype, name
        np.testing.assert_array_equal(values, other[name], name)
        assert values.shape == other[name].shape


@pytest.mark.parametrize("form", FORMS)
def test_what_torch_saved_is_read_whole(form: Form) -> None:
    """torch_files/make.py made them: a checkpoint with tensors of every kind."""
    same(read_torch_file(str(_SAVED_BY_TORCH / f"{form}.pth")), _EXPECTED)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("around", ["", "state_dict"])
def test_views_of_one_storage_are_told_apart(file: Path, form: Form, around: str) -> None:
    numbers = np.arange(60, dtype=np.float32)
    tensors: dict[str, NDArray[Any]] = {
        "all": numbers,
        "transposed": numbers[:12].reshape(3, 4).T,
        "offset": numbers[7:19].reshape(2, 3, 2).transpose(2, 0, 1),
        "every fifth": numbers[3::5],
        "none": numbers[60:],
        "double": np.linspace(0, 1, 5),
        "count": np.array(4711),
    }
    same(read(file, saved(tensors, form, around)), tensors)


def test_old_pickles_are_read_too(file: Path) -> None:
    """Python 2 wrote mappings as lists of pairs, and text as bytes; torch 0.1 had fewer words."""
    source = storage("0", "FloatStorage", 2)
    values = b"ctorch._utils\n_rebuild_tensor\n" + tuple_of(
        source, number(0), tuple_of(number(2)), tuple_of(number(1))
    )
    pair = b"](U\x07conv1.w" + values + b"Re"
    pickle = pickled(ORDERED_DICT + b"](" + pair + b"e\x85R")
    expected = {"conv1.w": np.array([1, 2], dtype=np.float32)}
    same(read(file, torch_zip(pickle, {"0": struct.pack("<2f", 1, 2)})), expected)
    same(read(file, torch_stream(pickle, {"0": expected["conv1.w"]})), expected)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_ends_early_is_refused_wherever(file: Path, form: Form) -> None:
    whole = (_SAVED_BY_TORCH / f"{form}.pth").read_bytes()
    for end in range(0, len(whole), 7):
        with pytest.raises(ValueError, match=r"early|damaged|not a torch file"):
            read(file, whole[:end])


@pytest.mark.parametrize("step", [23, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("form", FORMS)
def test_a_file_with_a_wrong_byte_is_read_or_refused(file: Path, form: Form, step: int) -> None:
    whole = (_SAVED_BY_TORCH / f"{form}.pth").read_bytes()
    refused = 0
    for place in range(0, len(whole), step):
        wrong = bytearray(whole)
        wrong[place] ^= 1 << place % 8
        try:
            read(file, bytes(wrong))
        except (ValueError, OSError):
            refused += 1
    assert refused > 600 / step


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a torch file"),
        (b"no file of torch at all", "not a torch file"),
        (pickled(b"}"), "not a torch file"),
        (torch_zip(pickled(number(3)), {}), "it holds a int, not tensors by name"),
        (torch_zip(pickled(b"]"), {}), "it holds a list"),
        (torch_zip(pickled(b"}"), {}).replace(b"little", b"bigger"), "Bad CRC|big-endian"),
        (torch_zip(b"", {}).replace(b"/data.pkl", b"/data.pkx"), "0 of its parts are called data"),
    ],
)
def test_another_file_is_refused_in_words(file: Path, data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(file, data)


def test_an_archive_of_two_is_refused(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", pickled(b"}"))
        archive.writestr("../b/data.pkl", pickled(b"}"))
    with pytest.raises(ValueError, match="2 of its parts are called"):
        read_torch_file(str(file))


def one(source: bytes, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    return pickled(b"}" + text("a") + tensor(source, offset, shape, strides) + b"s")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (0, (7,), (1,)),
        (1, (6,), (1,)),
        (0, (2, 3), (4, 1)),
        (-1, (2,), (1,)),
        (0, (-1,), (1,)),
        (5, (6,), (-1,)),
        (0, (6,), (-(2**61),)),
        (0, (2, 3), (1,)),
        (0, (2,) * 40, (0,) * 40),
        (0, (2**62,), (2**62,)),
        (2**70, (1,), (1,)),
        (0, (2**40,), (0,)),  # one number, again and again
    ],
)
def test_a_tensor_never_reaches_beyond_its_numbers(
    file: Path, form: Form, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    pickle = one(storage("0", "FloatStorage", 6), offset, shape, strides)
    numbers = np.arange(6, dtype=np.float32)
    data = torch_zip(pickle, {"0": numbers.tobytes()})
    with pytest.raises(ValueError, match=r"reaches beyond its numbers|is invalid"):
        read(file, data if form == "zip" else torch_stream(pickle, {"0": numbers}))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", [-1, 5, 7, 2**31, 2**60, 2**80])
def test_a_storage_of_another_length_is_refused(file: Path, form: Form, length: int) -> None:
    pickle = one(storage("0", "FloatStorage", length), 0, (1,), (1,))
    numbers = np.arange(6, dtype=np.float32)
    data = torch_zip(pickle, {"0": numbers.tobytes()})
    with pytest.raises(ValueError, match=r"damaged|not a tensor|early|larger than it may be"):
        read(file, data if form == "zip" else torch_stream(pickle, {"0": numbers}))


@pytest.mark.parametrize(
    "reference",
    [
        b"N",
        text("0"),
        tuple_of(text("storage"), text("FloatStorage"), text("0"), text("cpu"), number(1)),
        tuple_of(text("module"), b"ctorch\nFloatStorage\n", text("0"), text("cpu"), number(1)),
        tuple_of(text("storage"), b"ctorch\nFloatStorage\n", number(0), text("cpu"), number(1)),
        tuple_of(text("storage"), b"ctorch\nFloatStorage\n", text("0"), text("cpu"), text("1")),
        tuple_of(
            text("storage"), b"ctorch\nFloatStorage\n", text("0"), text(""), number(1), b"](K\x01e"
        ),
        tuple_of(text("storage"), call(ORDERED_DICT), text("0"), text("cpu"), number(1)),
    ],
)
def test_a_reference_to_something_else_is_refused(file: Path, reference: bytes) -> None:
    pickle = one(reference + b"Q", 0, (1,), (1,))
    with pytest.raises(ValueError, match=r"not a tensor|part of another"):
        read(file, torch_zip(pickle, {"0": bytes(4)}))
