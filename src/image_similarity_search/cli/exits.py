"""What the exit status says; the one table of it."""

from __future__ import annotations

from image_similarity_search.errors import (
    CollectionError,
    ConfigError,
    EncoderError,
    ImageError,
    ImageSearchError,
    StoreError,
)

OK = 0
FAILED = 1
USAGE = 2
FOUND = 7
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# the first class that fits counts
EXIT_STATUS: dict[type[ImageSearchError], int] = {
    ConfigError: USAGE,
    ImageError: 3,
    CollectionError: 4,
    EncoderError: 5,
    StoreError: 6,
    ImageSearchError: FAILED,
}

BAD_IMAGE = EXIT_STATUS[ImageError]
DAMAGED = EXIT_STATUS[CollectionError]

HELP = """\b
Exit status:
  0    success
  1    other error
  2    wrong usage, invalid option value, or missing package
  3    a picture or folder is missing or unreadable
  4    the collection is missing, locked, damaged, or made by another model
  5    the model is unknown or can't be used
  6    the search index can't be used
  7    with --exit-code: something was found
  130  interrupted (what was done is kept)
"""


def status_of(error: ImageSearchError) -> int:
    """The exit status for an error; the same for whatever lacks a package."""
    if _lacks_package(error):
        return USAGE
    return next(code for kind, code in EXIT_STATUS.items() if isinstance(error, kind))


def _lacks_package(error: BaseException | None) -> bool:
    """Whether it was raised for an import that failed, whatever stands between."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    return any(isinstance(one, ImportError) for one in seen)
