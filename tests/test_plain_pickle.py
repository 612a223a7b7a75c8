"""A pickle of anybody's can be read, and nothing in it is run."""

from __future__ import annotations

import collections
import copyreg
import io
import os
import pickle
import pickletools
import tracemalloc
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_similarity_search.plain_pickle import load

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PATHS = ["images/a.jpg", "", "a b\n\t.png", "caf\udce9.jpg", "würfel/猫.webp", "x" * 70_000, "a\0b"]


def loaded(data: bytes) -> Any:
    return load(io.BytesIO(data), {})


def refused(data: bytes) -> str:
    with pytest.raises(ValueError, match=r"^it |^a ") as caught:
        loaded(data)
    return str(caught.value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("paths", [[], ["one"], PATHS, [str(n) for n in range(3000)]])
def test_a_list_of_text_is_read_as_it_was_written(paths: list[str], protocol: int) -> None:
    data = pickle.dumps(paths, protocol)
    assert loaded(data) == paths
    assert loaded(pickletools.optimize(data)) == paths
    python_made = io.BytesIO()
    pickle._Pickler(python_made, protocol).dump(paths)  # the slow one
    assert loaded(python_made.getvalue()) == paths


def test_text_that_is_there_twice_is_read_twice() -> None:
    name = "images/a.jpg"
    for protocol in PROTOCOLS:
        assert loaded(pickle.dumps([name, name], protocol)) == [name, name]


def test_the_file_is_left_where_the_pickle_ends() -> None:
    file = io.BytesIO(pickle.dumps(["a"], 2) + pickle.dumps(["b"], 5) + b"more")
    assert load(file, {}) == ["a"]
    assert load(file, {}) == ["b"]
    assert file.read() == b"more"


# What would be run, if anything were

RAN: list[str] = []


def run(what: str = "called") -> str:
    RAN.append(what)
    return what


class _Reduced:
    def __init__(self, *made_by: object) -> None:
        self.made_by = made_by

    def __reduce__(self) -> Any:
        return self.made_by


class _Stateful:
    def __setstate__(self, state: object) -> None:
        run(f"setstate {state}")

    def __getstate__(self) -> object:
        return {"a": 1}


class _WithNew:
    def __new__(cls, *arguments: object, **named: object) -> _WithNew:
        run("new")
        return super().__new__(cls)

    def __getnewargs_ex__(self) -> Any:
        return (1,), {"b": 2}


class _Text(str):
    __slots__ = ()


_HOSTILE: list[Any] = [
    _Reduced(os.system, ("touch executed",)),
    _Reduced(run, ()),
    _Reduced(eval, ("__import__('os').system('touch executed')",)),
    _Reduced(run, (), None, iter(["appended"])),
    [_Reduced(run, ())],
    ["a", _Reduced(run, ())],
    _Stateful(),
    [_Stateful()],
    _WithNew(),
    _Text("a"),
    [_Text("a")],
    Path("a"),
    [Path("a")],
    run,
    [run],
    Exception("a"),
    OrderedDict(a=1),
    collections.deque(["a"]),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", _HOSTILE, ids=lambda value: type(value).__name__)
def test_what_would_run_something_is_refused(
    value: Any, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        data = pickle.dumps(value, protocol)
    except (pickle.PicklingError, TypeError, ValueError):
        pytest.skip("this protocol has no way to say it")
    RAN.clear()
    assert "nothing was run" in refused(data)
    assert RAN == []
    assert not (tmp_path / "executed").exists()


def test_what_is_asked_for_is_named() -> None:
    assert "posix.system" in refused(b"cposix\nsystem\n(S'touch executed'\ntR.")


_BY_HAND = {
    "global": b"cos\nsystem\n.",
    "reduce": b"cos\nsystem\n(Vtouch executed\ntR.",
    "stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    "stack global of a memo": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93.",
    "instance": b"(Vtouch executed\nios\nsystem\n.",
    "object": b"(cos\nsystem\nVtouch executed\no.",
    "new object": b"\x80\x02cbuiltins\nlist\n)\x81.",
    "new object with names": b"\x80\x04\x8c\x08builtins\x8c\x04dict\x93)}\x92.",
    "text by dunder": b"V__reduce__\nV__class__\n\x93.",
    "persistent id": b"Pa\n.",
    "binary persistent id": b"Va\nQ.",
    "extension 1": b"\x80\x02\x82\xf0.",
    "extension 2": b"\x80\x02\x83\xf0\xf0.",
    "extension 4": b"\x80\x02\x84\xf0\xf0\xf0\x10.",
    "duplicate": b"Va\n2.",
    "buffer": b"\x80\x05\x97.",
    "read-only buffer": b"\x80\x05]\x98.",
}


@pytest.mark.parametrize("data", _BY_HAND.values(), ids=_BY_HAND)
def test_no_instruction_beyond_the_list_is_followed(data: bytes) -> None:
    assert refused(data)


def test_registered_extensions_are_not_looked_up() -> None:
    copyreg.add_extension(__name__, "run", 240)
    try:
        data = pickle.dumps(_Reduced(run, ()), 2)
        assert b"\x82\xf0" in data  # the extension's code
        RAN.clear()
        refused(data)
        assert RAN == []
    finally:
        copyreg.remove_extension(__name__, "run", 240)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_that_is_cut_short_anywhere_is_refused(protocol: int) -> None:
    data = pickle.dumps(["images/a.jpg", "b", "c" * 300, "b"], protocol)
    for length in range(len(data)):
        assert "damaged" in refused(data[:length])


_NONSENSE = {
    "nothing": b"",
    "only an end": b".",
    "no value": b"\x80\x02.",
    "append to nothing": b"Va\na.",
    "no mark": b"]Va\ne.",
    "unknown memo": b"]h\x07.",
    "memo of nothing": b"q\x00.",
    "a memo that is no number": b"]px\n.",
    "a number of too many digits": b"]p" + b"9" * 10_000 + b"\n.",
    "text that never ends": b"Vaaaaaaaaaaaaaaaaa",
    "text that is no UTF-8": b"X\x02\0\0\0\xff\xff.",
    "longer text than there is": b"X\xff\xff\xff\x7fabc.",
    "no instruction": b"\xee.",
}


_STRANGE = {
    "a memo far away": b"]r\x00\x00\x00\x02.",
    "a memo very far away": b"]r\xff\xff\xff\x7f.",
    "a memo far away, in words": b"]p99999999999\n.",
    "a negative memo": b"]p-1\n.",
    "a newer protocol": b"\x80\xff].",
    "a longer frame than there is": b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f].",
    "append a mark": b"](e.",
}


@pytest.mark.parametrize("data", [*_NONSENSE.values(), *_STRANGE.values()])
def test_nonsense_is_refused_or_harmless_and_takes_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        if data in _STRANGE.values():
            assert loaded(data) == []
        else:
            assert "damaged" in refused(data)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_memos_may_begin_at_one_as_older_writers_had_it() -> None:
    assert loaded(b"(lp1\nVa\np2\nag2\na.") == ["a", "a"]


def test_what_is_not_plain_may_still_be_nested_lists() -> None:
    """The caller looks at what came out: lists in lists, of which one holds itself."""
    assert loaded(pickle.dumps([["a"], []], 2)) == [["a"], []]
    (inner,) = loaded(b"]q\x00h\x00a.")
    assert inner[0] is inner
    deep = loaded(b"]" + b"]" * 200_000 + b"a" * 200_000 + b".")
    assert len(deep) == 1


@given(st.binary(max_size=200))
def test_garbage_is_read_as_data_or_refused(data: bytes) -> None:
    _read_as_data_or_refused(data)


@given(
    st.lists(
        st.one_of(
            st.sampled_from([bytes([code]) for code in b"](lpahegj}stbRcio0.2QPVXqr\x80\x8c\x94"]),
            st.sampled_from([b"\x80\x04", b"Va\n", b"\x8c\x01a", b"cos\nsystem\n", b"h\x00"]),
            st.binary(max_size=5),
        ),
        max_size=30,
    ).map(b"".join)
)
def test_garbage_made_of_instructions_is_read_as_data_or_refused(data: bytes) -> None:
    _read_as_data_or_refused(data)


@given(st.data(), st.sampled_from(PROTOCOLS))
def test_a_damaged_list_is_read_as_data_or_refused(data: st.DataObject, protocol: int) -> None:
    whole = bytearray(pickle.dumps(["images/a.jpg", "b", "c"], protocol))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    _read_as_data_or_refused(bytes(whole))


def _read_as_data_or_refused(data: bytes) -> None:
    try:
        loaded(data)
    except ValueError:
        return
