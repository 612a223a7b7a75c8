"""Made zip.pth and stream.pth, with torch 2.13.0: ``python make.py`` in this folder."""

from __future__ import annotations

from collections import OrderedDict

import torch

base = torch.arange(24, dtype=torch.float32)
tensors = OrderedDict(
    contiguous=base[:6].clone().reshape(2, 3),
    transposed=torch.arange(6.0).reshape(2, 3).T,
    offset=base[5:11].reshape(3, 2),
    shared=base[::2],
    empty=torch.zeros(0, 4),
    scalar=torch.tensor(2.5),
    parameter=torch.nn.Parameter(torch.tensor([1.0, -1.0])),
    double=torch.tensor([0.1], dtype=torch.float64),
    half=torch.tensor([0.5, 65504.0], dtype=torch.float16),
    long=torch.tensor([-(2**40)]),
    int=torch.tensor([7], dtype=torch.int32),
    short=torch.tensor([-7], dtype=torch.int16),
    char=torch.tensor([-7], dtype=torch.int8),
    byte=torch.tensor([200], dtype=torch.uint8),
    bool=torch.tensor([True, False]),
)
tensors._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined] # as modules do
checkpoint = {
    "epoch": 3,
    "best": 0.5,
    "rates": [0.1, (0.9, 0.99)],
    "note": None,
    "state_dict": tensors,
    "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"params": [0, 1]}]},
}
for form in ("zip", "stream"):
    torch.save(checkpoint, f"{form}.pth", _use_new_zipfile_serialization=form == "zip")
