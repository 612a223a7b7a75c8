"""Reads lists of text from a pickle that may be anybody's, without running anything in it.

A pickle is a program: it can name any function and have it called. Here it is first read as text,
without being run, and refused unless each of its instructions is on a list. What is left can build
lists of text, and nothing else. Behind that stands a second wall: no name that a pickle asks for
is ever looked up.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Set as AbstractSet
from typing import IO, Any, NoReturn

from image_similarity_search.errors import RefusedPickleError

_FRAME = {"PROTO", "FRAME", "STOP", "MARK"}
_MEMO = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"}

TEXT_LISTS: AbstractSet[str] = (
    _FRAME
    | _MEMO
    | {"EMPTY_LIST", "LIST", "APPEND", "APPENDS"}
    | {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE"}
)
"""The instructions that lists of text are made of, in every protocol."""


def load(file: IO[bytes]) -> Any:
    """What the pickle in ``file`` holds, a seekable one, which is left where the pickle ends.

    That is a list, whose items are text or lists, or a text.

    Raises:
        RefusedPickleError: it holds anything else, or is damaged. Nothing of it was run.
        OSError: it can't be read.
    """
    start = file.tell()
    _check(file)
    end = file.tell()
    file.seek(start)
    data = file.read(end - start)
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except RefusedPickleError:
        raise
    except (Exception, MemoryError) as error:  # one that makes no sense raises anything
        raise RefusedPickleError(f"it is damaged ({type(error).__name__}: {error})") from error


def _check(file: IO[bytes]) -> None:
    """Go through the instructions of a pickle without following any."""
    memorised = 0
    try:
        for opcode, argument, position in pickletools.genops(file):
            name = opcode.name
            if name not in TEXT_LISTS:
                raise RefusedPickleError(_found(name, argument, position))
            if name in _MEMO:
                # the place of a memo is a number of the pickle's choice, for which the reader
                # makes room: gigabytes, if that were let through
                if argument is not None and not 0 <= argument <= memorised + 1:
                    raise RefusedPickleError(f"it is damaged (memo {argument} at byte {position})")
                memorised += not name.endswith("GET")
    except RefusedPickleError:
        raise
    except OSError:
        raise
    except Exception as error:  # genops raises what its readers of numbers and text do
        raise RefusedPickleError(f"it is damaged ({type(error).__name__}: {error})") from error


def _found(name: str, argument: object, position: int | None) -> str:
    what = f"{name} {argument!r}" if isinstance(argument, str) else name
    return f"it holds something else than plain data ({what[:100]} at byte {position})"


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise RefusedPickleError(f"it asks for {module}.{name}, which is no text")

    def persistent_load(self, _: Any) -> NoReturn:
        raise RefusedPickleError("it refers to something outside of it")
