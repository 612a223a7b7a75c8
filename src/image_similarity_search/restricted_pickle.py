"""Reads data from a pickle that may be anybody's, without running anything that is in it.

A pickle is a program: it can name any function and have it called. Here it is first read as text,
without being run, and refused unless each of its instructions is on a list. What is left can build
what these instructions build, and nothing else. Behind that stands a second wall: the names that
a pickle asks for are looked up in a table of the caller's, never imported.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import IO, Any

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

RECORDS: AbstractSet[str] = (
    TEXT_LISTS
    | {"NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"}
    | {"FLOAT", "BINFLOAT", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}
    | {"EMPTY_DICT", "DICT", "SETITEM", "SETITEMS", "GLOBAL", "STACK_GLOBAL", "REDUCE"}
    | {"PERSID", "BINPERSID", "BUILD"}
)
"""Those of records of plain values, and of what ``allowed`` and ``persistent_load`` make."""


def load(
    file: IO[bytes],
    *,
    opcodes: AbstractSet[str] = TEXT_LISTS,
    allowed: Mapping[tuple[str, str], object] | None = None,
    persistent_load: Callable[[Any], object] | None = None,
) -> Any:
    """What the pickle in ``file`` holds, a seekable one, which is left where the pickle ends.

    Args:
        file: read from where it stands.
        opcodes: the instructions that are let through, by their names in ``pickletools``.
        allowed: what stands for each (module, name) that a pickle may ask for. It is handed out,
            and called, with whatever the pickle says: it must bear that.
        persistent_load: the same for references to things outside the pickle.

    A pickle may give any state (``BUILD``) to what was made by these; an object whose class has a
    ``__setstate__`` decides by that. What ``allowed`` holds itself can't be given any.

    Raises:
        RefusedPickleError: it holds anything else, or is damaged. Nothing of it was run, unless
            the refusal is one of ``allowed`` or ``persistent_load``.
        OSError: it can't be read.
    """
    start = file.tell()
    _check(file, opcodes)
    end = file.tell()
    file.seek(start)
    data = file.read(end - start)
    reader = _Unpickler(io.BytesIO(data), allowed or {}, persistent_load)
    try:
        return reader.load()
    except RefusedPickleError:
        raise
    except (Exception, MemoryError) as error:  # one that makes no sense raises anything
        raise RefusedPickleError(f"it is damaged ({type(error).__name__}: {error})") from error


def _check(file: IO[bytes], opcodes: AbstractSet[str]) -> None:
    """Go through the instructions of a pickle without following any."""
    memorised = 0
    try:
        for opcode, argument, position in pickletools.genops(file):
            name = opcode.name
            if name not in opcodes:
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
    def __init__(
        self,
        file: IO[bytes],
        allowed: Mapping[tuple[str, str], object],
        persistent_load: Callable[[Any], object] | None,
    ) -> None:
        super().__init__(file)
        self._allowed = allowed
        self._persistent_load = persistent_load

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self._allowed:
            raise RefusedPickleError(f"it asks for {module}.{name}, which is not plain data")
        found = self._allowed[module, name]
        return _Callable(found) if callable(found) else found

    def persistent_load(self, reference: Any) -> object:
        if self._persistent_load is None:
            raise RefusedPickleError("it refers to something outside of it")
        return self._persistent_load(reference)


class _Callable:
    """Lets a pickle call something, and do nothing else with it."""

    __slots__ = ("_called",)

    def __init__(self, called: Callable[..., object]) -> None:
        self._called = called

    def __call__(self, *arguments: object) -> object:
        return self._called(*arguments)

    def __setstate__(self, _: object) -> None:
        raise RefusedPickleError("it gives a state to what can only be called")
