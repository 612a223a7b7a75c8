"""Plain data from a pickle that may be anybody's, read by a machine that can run nothing.

A pickle is a program. Python's own unpickler follows it wherever it leads: it calls what the pickle
names, gives a state to any object, makes room for a memo of any number, and hashes any key, however
deep. This machine has only the instructions that plain data is made of. A name stands for what the
caller's table says, and nothing is ever imported. A pickle may only be so large, so time and memory
have a bound too.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator, Mapping
from io import SEEK_END, BytesIO
from typing import IO, Any

LARGEST = 1 << 20
"""Bytes that a pickle may have as a rule: some thousands of tensors are described in as many."""

_ARGUMENTS = 16  # that a call may have: one with a million would take time, and be repeated

_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"),
    *("BINBYTES", "SHORT_BINBYTES"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


def load(
    file: IO[bytes],
    named: Mapping[str, object],
    referred: Callable[[Any], object] | None = None,
    *,
    largest: int = LARGEST,
) -> Any:
    """What the pickle in ``file`` holds; the file is left where the pickle ends.

    Args:
        file: read from where it stands.
        named: what stands for each name, ``module.name``. A function is called with what the
            pickle says: it must bear anything, and take no longer for it.
        referred: makes something of a reference to what is outside the pickle.
        largest: bytes that it may have.

    The state that a pickle gives to an object is passed over.

    Raises:
        ValueError: it holds anything else, or is damaged.
        OSError: it can't be read.
    """
    machine = _Machine(named, referred)
    start = file.tell()
    data = BytesIO(file.read(largest))
    for name, argument in _instructions(data, largest):
        try:
            machine.follow(name, argument)
        except ValueError:
            raise
        except Exception as error:  # a pickle that makes no sense raises anything
            raise ValueError(f"it is damaged ({type(error).__name__}: {error})") from error
    file.seek(start + data.tell())
    return machine.result()


def _instructions(data: BytesIO, largest: int) -> Iterator[tuple[str, Any]]:
    """Each instruction's name and argument."""
    try:
        for instruction, argument, _ in pickletools.genops(data):
            yield instruction.name, argument
    except Exception as error:  # genops raises what its readers of numbers and text do
        if data.seek(0, SEEK_END) == largest:
            raise ValueError(f"it has more than {largest:,} bytes of names and shapes") from error
        raise ValueError(f"it is damaged ({error})") from error


def text_keys(pairs: list[Any]) -> dict[Any, Any]:
    """A mapping of a list of key and value after key and value.

    Raises:
        ValueError: a key is neither text nor a small number. Others can be made so that to hash
            them takes for ever.
    """
    keys = pairs[::2]
    for key in keys:
        if not (isinstance(key, str) or (isinstance(key, int) and 0 <= key <= LARGEST)):
            raise ValueError(f"a key is of the type {type(key).__name__}")
    return dict(zip(keys, pairs[1::2], strict=True))


class _Machine:
    """Has a stack of values, those that were set aside at each mark, and a memo."""

    def __init__(
        self, named: Mapping[str, object], referred: Callable[[Any], object] | None
    ) -> None:
        self._named = named
        self._referred = referred
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        """What is left at the end."""
        if len(self._stack) != 1 or self._marked:
            raise ValueError("it is damaged: it ends in the middle of something")
        return self._stack[0]

    def follow(self, name: str, argument: Any) -> None:
        """Do what the instruction ``name`` says."""
        match name:
            case "PROTO" | "FRAME" | "STOP":
                pass
            case "MARK":
                self._marked.append(self._stack)
                self._stack = []
            case "POP" if self._stack:
                self._stack.pop()
            case "POP" | "POP_MARK":
                self._since_mark()
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = self._stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = self._stack[-1]
            case "APPEND":
                value = self._stack.pop()
                self._top(list).append(value)
            case "APPENDS":
                values = self._since_mark()
                self._top(list).extend(values)
            case "SETITEM":
                value, key = self._stack.pop(), self._stack.pop()
                self._top(dict).update(text_keys([key, value]))
            case "SETITEMS":
                values = self._since_mark()
                self._top(dict).update(text_keys(values))
            case "BUILD":
                self._stack.pop()
            case _:
                made = self._made(name, argument)  # may set aside the stack there is now
                self._stack.append(made)

    def _made(self, name: str, argument: Any) -> Any:
        """The value that an instruction puts on the stack."""
        if name in _LITERALS:
            return argument
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        match name:
            case "EMPTY_LIST":
                return []
            case "LIST":
                return self._since_mark()
            case "EMPTY_DICT":
                return {}
            case "DICT":
                return text_keys(self._since_mark())
            case "TUPLE":
                return tuple(self._since_mark())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                return tuple(reversed([self._stack.pop() for _ in range(int(name[-1]))]))
            case "GET" | "BINGET" | "LONG_BINGET":
                return self._memo[argument]
            case "GLOBAL":
                return self._meant(*argument.split(" ", 1))
            case "STACK_GLOBAL":
                what, module = self._stack.pop(), self._stack.pop()
                return self._meant(module, what)
            case "REDUCE":
                arguments, function = self._stack.pop(), self._stack.pop()
                return self._called(function, arguments)
            case "BINPERSID" if self._referred:
                return self._referred(self._stack.pop())
        raise ValueError(f"it holds something other than plain data ({name}); nothing was run")

    def _top(self, kind: type) -> Any:
        value = self._stack[-1]
        if type(value) is not kind:
            raise ValueError(f"it puts something into a {type(value).__name__}")
        return value

    def _since_mark(self) -> list[Any]:
        values, self._stack = self._stack, self._marked.pop()
        return values

    def _meant(self, module: Any, name: Any) -> object:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a name is not text")
        key = f"{module}.{name}"
        if key not in self._named:
            raise ValueError(f"it would call {key[:80]}, which is not plain data; nothing was run")
        return self._named[key]

    def _called(self, function: Any, arguments: Any) -> object:
        if not callable(function) or not isinstance(arguments, tuple):
            raise ValueError(f"it would call a {type(function).__name__}; nothing was run")
        if len(arguments) > _ARGUMENTS:
            raise ValueError(f"it calls something with {len(arguments):,} values")
        return function(*arguments)
