"""Nothing that is in a file of torch is run, whatever it names."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_writer import (
    FORMS,
    ORDERED_DICT,
    TENSOR,
    Form,
    call,
    number,
    saved,
    storage,
    tensor,
    text,
    torch_stream,
    torch_zip,
    tuple_of,
)

from image_similarity_search.encoders import torch_file
from image_similarity_search.encoders.torch_file import read_torch_file
from image_similarity_search.encoders.weights import read_weights
from image_similarity_search.errors import EncoderUnavailableError


def named(module: str, name: str) -> bytes:
    """A name as protocol 4 has it, which may lead to attributes: ``os.system`` of ``shutil``."""
    return b"".join(b"\x8c" + bytes([len(part)]) + part.encode() for part in (module, name)) + (
        b"\x93"
    )


_COMMAND, _CODE = text("echo > canary"), text("open('canary', 'w').close()")
_SYSTEM = b"cos\nsystem\n"
_RUN_BY_PICKLE = {
    "os.system": call(_SYSTEM, _COMMAND),
    "posix.system": call(b"cposix\nsystem\n", _COMMAND),
    "eval": call(b"cbuiltins\neval\n", _CODE),
    "exec in a mapping": b"}" + text("a") + call(b"cbuiltins\nexec\n", _CODE) + b"s",
    "exec as a key": b"}" + call(b"cbuiltins\nexec\n", _CODE) + text("a") + b"s",
    "exec behind a tensor": b"](" + ORDERED_DICT + call(b"cbuiltins\nexec\n", _CODE) + b"e",
    "a name on the stack": call(named("os", "system"), _COMMAND),
    "an attribute of a module": call(named("shutil", "os.system"), _COMMAND),
    "INST": b"(" + _COMMAND + b"ios\nsystem\n",
    "OBJ": b"(csubprocess\ngetoutput\n" + _COMMAND + b"o",
    "a partial": call(call(b"cfunctools\npartial\n", _SYSTEM, _COMMAND)),
    "a getattr": call(
        call(
            b"cbuiltins\ngetattr\n",
            call(b"cimportlib\nimport_module\n", text("os")),
            text("system"),
        ),
        _COMMAND,
    ),
    "a map": call(
        b"cbuiltins\nlist\n", call(b"cbuiltins\nmap\n", _SYSTEM, b"](" + _COMMAND + b"e")
    ),
    "a state": b"ctypes\nSimpleNamespace\n)R}" + text("a") + call(_SYSTEM, _COMMAND) + b"sb",
}
_REFUSED = {
    "what torch would load": call(b"ctorch.storage\n_load_from_bytes\n", text("")),
    "a module of torch": b"ctorch.nn.modules.linear\nLinear\n)\x81",
    "a whole network": call(b"ctorchvision.models.resnet\nResNet\n"),
    "an attribute of what is allowed": named("collections", "OrderedDict.__init__.__globals__"),
    "a part of the name before the dot": named("collections.OrderedDict", "fromkeys"),
    "a module's own names": call(
        b"cimage_similarity_search.encoders.torch_file\n_from_zip\n", text("")
    ),
    "a name of numbers": number(1) + number(2) + b"\x93",
    "a registered extension": b"\x82\x01",
    "a reference by text": b"Pos.system\n",
    "a call of a mapping": call(call(ORDERED_DICT)),
    "a call of a storage's type": call(b"ctorch\nFloatStorage\n", number(1)),
    "a call with something that is no tuple": ORDERED_DICT + b"]R",
    "a set": b"\x8f",
    "a buffer": b"\x97",
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(value: bytes, form: Form) -> str:
    data = b"\x80\x04" + value + b"."
    Path("x.pth").write_bytes(torch_zip(data, {}) if form == "zip" else torch_stream(data, {}))
    return "x.pth"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", _RUN_BY_PICKLE.values(), ids=_RUN_BY_PICKLE)
def test_what_pickle_would_run_is_not_run(value: bytes, form: Form) -> None:
    path = write(value, form)
    with pytest.raises(ValueError, match=r"plain data.*nothing was run"):
        read_torch_file(path)
    assert not Path("canary").exists()
    pickle.loads(b"\x80\x04" + value + b".")
    assert Path("canary").exists(), "this was no attack"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", _REFUSED.values(), ids=_REFUSED)
def test_every_other_name_and_instruction_is_refused(value: bytes, form: Form) -> None:
    with pytest.raises(ValueError, match=r"plain data|nothing was run|is not text"):
        read_torch_file(write(value, form))
    with pytest.raises(EncoderUnavailableError, match=r"'resnet50'.*x\.pth"):
        read_weights("resnet50", "x.pth")


def test_no_state_reaches_what_is_allowed() -> None:
    """pickle would set these attributes, for as long as the process lives."""
    state = (
        b"}(" + text("__defaults__") + tuple_of(number(1)) + text("length") + number(10**9) + b"u"
    )
    slots = b"N" + state + b"\x86b"
    source = storage("0", "FloatStorage", 1)
    view = tensor(source + slots, 0, (1,), (1,)) + slots
    content = b"}(" + text("f") + TENSOR + slots + text("a") + view + b"u"
    data = b"\x80\x02" + content + slots + b"."
    Path("x.pth").write_bytes(torch_zip(data, {"0": bytes(4)}))
    assert {name: list(value) for name, value in read_torch_file("x.pth").items()} == {"a": [0]}
    assert torch_file._rebuilt_tensor.__defaults__ is None


@given(st.binary(max_size=300), st.sampled_from(FORMS))
def test_garbage_is_refused_or_harmless(garbage: bytes, form: Form) -> None:
    _read_or_refused(write(garbage, form))


_PIECES: list[bytes] = [
    *(bytes([code]) for code in b"()]}.0123NRbtuesdalqh\x85\x86\x87\x88\x94\x93Q"),
    *(ORDERED_DICT, TENSOR, b"ctorch\nFloatStorage\n", b"h\x00", b"q\x00", b"h\x01", b"q\x01"),
    *(number(0), number(1), number(-1), number(2**70), text("a"), text("storage"), text("0")),
    *(storage("0", "FloatStorage", 3), tensor(storage("0", "ByteStorage", 12), 0, (3,), (4,))),
]


@given(st.lists(st.sampled_from(_PIECES), max_size=40), st.sampled_from(FORMS))
def test_any_order_of_instructions_is_refused_or_harmless(pieces: list[bytes], form: Form) -> None:
    _read_or_refused(write(b"".join(pieces), form))


@given(st.data())
def test_a_good_file_with_wrong_parts_is_refused_or_harmless(data: Any) -> None:
    numbers = np.arange(6, dtype=np.float32)
    whole = saved(
        {"a": numbers, "b": numbers[1:5].reshape(2, 2).T}, data.draw(st.sampled_from(FORMS))
    )
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(start + 12, len(whole))))
    Path("x.pth").write_bytes(whole[:start] + data.draw(st.binary(max_size=12)) + whole[end:])
    _read_or_refused("x.pth")


def _read_or_refused(path: str) -> None:
    try:
        tensors = read_torch_file(path)
    except (ValueError, OSError):
        return
    for values in tensors.values():
        values.sum()  # each number is there
