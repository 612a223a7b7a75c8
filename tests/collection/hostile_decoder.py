"""The real decoder, but that files of certain names do what a broken codec may do."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Generator

from image_similarity_search.collection import decoder
from image_similarity_search.collection.messages import from_request


def answer(request: bytes) -> Generator[bytes, None, bytes]:
    """What a worker of the tests runs in place of ``decoder.answer``."""
    path, *_ = from_request(request)
    name = os.path.basename(path)
    parts = decoder.answer(request)
    if "before it is read" not in name:
        yield next(parts)
    if name.startswith("crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    elif name.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif name.startswith("hang"):
        ctypes.PyDLL(None).pause()  # with Python's lock held
    elif name.startswith("eat"):
        eaten = []
        while True:
            eaten.append(bytes(16 << 20))  # which counts, though nobody has written to it
    last: bytes = yield from parts
    return last
