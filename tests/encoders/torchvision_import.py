"""torchvision where its build does not fit that of torch, as where torch is for processors only."""

from __future__ import annotations

import sys
from types import ModuleType


def torchvision() -> ModuleType:
    """The module; the two operators that its import looks for are declared where they miss."""
    import torch

    try:
        import torchvision
    except RuntimeError:  # operator torchvision::nms does not exist
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision

        torchvision.declared_here = library  # what is declared goes with the object
    module: ModuleType = torchvision
    return module
