"""The error tree: complete, drawn, and mapped to exit statuses."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import pytest

from image_similarity_search import errors
from image_similarity_search.cli import exits
from image_similarity_search.errors import ImageSearchError

_CLASSES: list[type[Any]] = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


def test_all_are_of_one_tree() -> None:
    assert all(issubclass(kind, ImageSearchError) for kind in _CLASSES)


def test_the_drawing_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    above = ["ImageSearchError"]
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"    ((?:│   |    )*)[├└]── (\w+)", line):
            del above[len(match[1]) // 4 + 1 :]
            drawn[match[2]] = above[-1]
            above.append(match[2])
    actual = {
        kind.__name__: kind.__bases__[0].__name__
        for kind in _CLASSES
        if kind is not ImageSearchError
    }
    assert drawn == actual


def _bare(kind: type[Any]) -> ImageSearchError:
    """An instance of a class, whatever its constructor wants."""
    instance: ImageSearchError = BaseException.__new__(kind)
    return instance


def test_every_error_has_an_exit_status() -> None:
    for kind in _CLASSES:
        assert exits.status_of(_bare(kind)) in exits.EXIT_STATUS.values()


_VALUES = {
    "pixels": 7,
    "limit": 5,
    "seconds": 1.5,
    "known": ["a", "b"],
    "found": 9,
    "supported": 8,
    "expected": 4,
    "given": 3,
    "needed": 2,
}
"""What is no text, of what the constructors take."""


@pytest.mark.parametrize("kind", _CLASSES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
def test_an_error_goes_from_one_process_to_another(kind: type[Any], again: Any) -> None:
    names = [] if kind.__init__ is Exception.__init__ else inspect.signature(kind).parameters
    given = {name: _VALUES.get(name, f"the {name}") for name in names}
    error = kind(**given) if given else kind("a message")
    error.add_note("a note")
    got = again(error)
    assert type(got) is kind
    assert str(got) == str(error) != ""
    assert vars(got) == vars(error)


def test_no_status_means_two_things() -> None:
    statuses = [*exits.EXIT_STATUS.values(), exits.OK, exits.INTERRUPTED]
    assert len(statuses) == len(set(statuses))
