"""Every error this package raises, as one tree.

::

    ImageSearchError
    ├── ImageError                      a picture (or folder of pictures) can't be used
    │   ├── ImageNotFoundError          no such file, or no such image in the collection
    │   ├── FolderNotFoundError         no such folder
    │   ├── ImageUnreadableError        the file is there but is no picture we can decode
    │   ├── ImageTooLargeError          more pixels than the limit
    │   ├── ImageTooSlowError           decoding it takes longer than the limit
    │   └── SourceUnavailableError      the object storage it lies in can't be reached or read
    ├── EncoderError                    the model can't be used
    │   ├── UnknownEncoderError         no encoder has this name
    │   ├── EncoderUnavailableError     known, but something it needs is missing
    │   │   └── EncoderNotHereError     somebody's own, or nobody said which it is
    │   └── EncoderOutputError          it returned something that is no embedding
    ├── CollectionError                 what is stored can't be used as asked
    │   ├── CollectionNotFoundError     nothing is stored there
    │   ├── CollectionMismatchError     it was made with another model, metric, folder …
    │   ├── CollectionNewerError        it was made by a newer version of this package
    │   ├── CollectionCorruptError      it is damaged
    │   ├── CollectionUnwritableError   it can't be changed: read-only, disk full …
    │   ├── CollectionLockedError       another process is writing to it
    │   ├── CollectionUnavailableError  the database that it is in can't be reached
    │   ├── CollectionClosedError       it was closed
    │   ├── CollectionExistsError       there is one already where a new one is to be made
    │   ├── LegacyIndexError            an index of the recipe is there, to be taken over
    │   └── ImportSourceError           what is to be taken over is missing, damaged, no export …
    ├── StoreError                      the index of embeddings can't be used
    │   ├── StoreUnavailableError       it can't be reached, read or made
    │   ├── StoreMismatchError          what is there belongs to somebody else
    │   ├── StoreDimensionError         embeddings of another dimension
    │   └── StoreTrainingError          too few embeddings to train it on
    ├── ExportError                     an export can't be written
    ├── ServiceError                    a service refused, failed, or can't be reached
    ├── WorkerUnavailableError          no process can be started to decode pictures in
    ├── ClusterUnavailableError         the cluster that is to encode can't be reached, or fails
    └── ConfigError                     an argument has a value that is not allowed

A message says what is wrong, which value, what was expected and what to do; the values
are attributes too. Exceptions of other libraries are translated where they are called.
Each can be copied and pickled, as where it goes from one process to another.
"""

from __future__ import annotations

import reprlib
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_LONGEST_VALUE = 300  # characters of a value in a message
_LONGEST_PATH = 4096  # of a path, as in Linux: a longer one names nothing

_values = reprlib.Repr()
_values.maxstring = _values.maxother = _values.maxlong = _LONGEST_VALUE
_values.maxlist = _values.maxtuple = _values.maxdict = _values.maxset = _values.maxfrozenset = 20


def shown_value(value: object) -> str:
    """A value as a message shows it: as Python does, but of much only the ends."""
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value):,} bytes ({type(value).__name__})"
    return _shortened(_values.repr(value), 2 * _LONGEST_VALUE)


def _shortened(text: str, longest: int) -> str:
    """``text``, without its middle where it is too long."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]} … {text[-longest // 2 :]}"


class ImageSearchError(Exception):
    """The root of the tree: catch this to catch everything that this package raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        """What it is made of anew; Exception's own would give ``__init__`` the message."""
        return Exception.__new__, (type(self), *self.args), self.__dict__


class ImageError(ImageSearchError):
    """A picture can't be used. ``path`` names it, ``reason`` says why in a few words."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{_shortened(str(path), _LONGEST_PATH)}: {reason}")
        self.path = path
        self.reason = reason


class ImageNotFoundError(ImageError):
    """No such file, or no image of that path or id in the collection."""


class FolderNotFoundError(ImageError):
    """No such folder, or none that can be listed. What is known of it is left as it is."""


class ImageUnreadableError(ImageError):
    """The bytes can't be had, or are no picture that can be decoded."""


class ImageTooLargeError(ImageError):
    """The picture has ``pixels`` pixels, more than ``limit``."""

    def __init__(self, path: object, pixels: int, limit: int) -> None:
        super().__init__(path, f"too large: {pixels:,} pixels, the limit is {limit:,}")
        self.pixels = pixels
        self.limit = limit


class ImageTooSlowError(ImageError):
    """Decoding the picture takes more than ``seconds``."""

    def __init__(self, path: object, seconds: float) -> None:
        super().__init__(path, f"decoding took more than {seconds:g} s")
        self.seconds = seconds


class SourceUnavailableError(ImageError):
    """Where pictures lie can't be reached or read; ``path`` says where.

    It is no fault of one picture, so nothing that is known of any is forgotten.
    """


class EncoderError(ImageSearchError):
    """The model can't be used."""


class UnknownEncoderError(EncoderError):
    """No encoder is called ``name``; ``known`` are the names there are."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"unknown model {name!r}; known are: {', '.join(self.known)}")


class EncoderUnavailableError(EncoderError):
    """The encoder ``name`` needs something that is missing; ``remedy`` says what to do."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(f"model {name!r} can't be used: {problem}. {remedy}")
        self.name = name
        self.problem = problem
        self.remedy = remedy


class EncoderNotHereError(EncoderUnavailableError):
    """A collection's encoder is a custom object or unknown, so ``name`` can't create it."""


class EncoderOutputError(EncoderError):
    """The encoder ``name`` returned something that is no embedding."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"encoder {name!r} returned {problem}")
        self.name = name
        self.problem = problem


class CollectionError(ImageSearchError):
    """What is stored can't be used as asked."""


class CollectionNotFoundError(CollectionError):
    """Nothing is stored at ``path``; ``said`` is the message, where it is no collection's place."""

    def __init__(self, path: object, said: str = "") -> None:
        super().__init__(
            said
            or f"no collection at {path}: create one with 'iss index FOLDER', or give its"
            " location with --index-dir (index_dir)"
        )
        self.path = path


class CollectionMismatchError(CollectionError):
    """The collection was made with another ``what``: ``stored``, while ``given`` was asked."""

    def __init__(self, what: str, stored: object, given: object, remedy: str) -> None:
        super().__init__(
            f"this collection's {what} is {stored!s}, but {given!s} was requested. {remedy}"
        )
        self.what = what
        self.stored = stored
        self.given = given
        self.remedy = remedy


class CollectionNewerError(CollectionError):
    """The collection has format ``found``; this version reads up to ``supported``."""

    def __init__(self, path: object, found: int, supported: int) -> None:
        super().__init__(
            f"{path} has storage format {found}, this version reads up to {supported}: "
            "upgrade image-similarity-search"
        )
        self.path = path
        self.found = found
        self.supported = supported


class CollectionCorruptError(CollectionError):
    """What is stored at ``path`` is damaged; ``remedy`` says what to do."""

    def __init__(
        self,
        path: object,
        reason: str,
        remedy: str = "run 'iss verify --repair' to save what can be saved",
    ) -> None:
        super().__init__(f"{path} is damaged: {reason}; {remedy}")
        self.path = path
        self.reason = reason
        self.remedy = remedy


class CollectionUnwritableError(CollectionError):
    """The collection at ``path`` can't be changed; what it holds is kept."""

    def __init__(
        self,
        path: object,
        reason: str,
        remedy: str | None = None,
    ) -> None:
        if remedy is None:
            why = reason.lower()
            refused = "read-only" in why or "readonly" in why or "permission" in why
            taken = "file exists" in why or "not a directory" in why
            what = "make it writable" if refused else "free disk space"
            remedy = f"{what} or use another index folder"
            remedy = "it is a file: give a folder" if taken else remedy
        super().__init__(
            f"{path} can't be written to: {reason}. Its content is unchanged; {remedy}"
        )
        self.path = path
        self.reason = reason
        self.remedy = remedy


def reason_of(error: Exception) -> str:
    """What is wrong, to go on with in a message; of the system's errors without their path."""
    said: str | None = getattr(error, "strerror", None)
    return f"{said[:1].lower()}{said[1:]}" if said else str(error) or type(error).__name__


@contextmanager
def unwritable(path: object) -> Iterator[None]:
    """Raise what the system refuses here as CollectionUnwritableError of ``path``."""
    try:
        yield
    except OSError as error:
        raise CollectionUnwritableError(path, reason_of(error)) from error


class CollectionLockedError(CollectionError):
    """Another process is ``writing to`` what is at ``path``, or using it otherwise.

    ``holder`` says which process, as far as is known, ``remedy`` what to do.
    """

    def __init__(
        self,
        path: object,
        holder: str = "another process",
        remedy: str = "try again when it is done (searching works meanwhile)",
        *,
        use: str = "writing to",
    ) -> None:
        super().__init__(f"{holder} is {use} {path}: {remedy}")
        self.path = path
        self.holder = holder
        self.remedy = remedy


class CollectionUnavailableError(CollectionError):
    """The database at ``path`` can't be reached, or does not let us in; ``remedy`` may help."""

    def __init__(
        self,
        path: object,
        reason: str,
        remedy: str = (
            "check that the server is running and that you have access (password: PGPASSWORD or"
            " ~/.pgpass); committed changes are kept"
        ),
    ) -> None:
        super().__init__(f"{path} can't be used: {reason}; {remedy}")
        self.path = path
        self.reason = reason
        self.remedy = remedy


class CollectionClosedError(CollectionError):
    """The collection whose catalog is at ``path`` was closed by this program."""

    def __init__(self, path: object) -> None:
        super().__init__(f"the collection of {path} is closed: open it again (Collection.open)")
        self.path = path


class CollectionExistsError(CollectionError):
    """``found``, usually a collection, is at ``path`` already, where a new one was to be made."""

    def __init__(
        self,
        path: object,
        remedy: str = "use another index folder",
        *,
        found: str = "a collection",
    ) -> None:
        super().__init__(f"there is already {found} at {path}: {remedy}; nothing was changed")
        self.path = path
        self.remedy = remedy


class LegacyIndexError(CollectionError):
    """``path`` holds an index that another program made; a new collection would overwrite it."""

    def __init__(self, path: object, found: str) -> None:
        quoted = shlex.quote(str(path))
        super().__init__(
            f"{path} holds {found}, but no collection; nothing was changed. Use another"
            " index folder, or import an index of the ResNet-50 + FAISS tutorial"
            f" (import_legacy in Python): iss import-legacy {quoted} --index-dir {quoted}"
        )
        self.path = path
        self.found = found


class ImportSourceError(CollectionError):
    """What is at ``path`` can't be taken over; ``reason`` says why. Nothing was made."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path}: {reason}; nothing was imported")
        self.path = path
        self.reason = reason


class StoreError(ImageSearchError):
    """The index of embeddings can't be used."""


class StoreUnavailableError(StoreError):
    """The store can't be reached, read or made."""


class StoreMismatchError(StoreError):
    """At ``place`` is ``found``, which is not this collection's; nothing there was changed."""

    def __init__(self, place: object, found: str) -> None:
        super().__init__(
            f"{place} holds {found}; nothing there was changed. Use another name ('iss move"
            " --to URL'), or drop it in the engine if it is not needed"
        )
        self.place = place
        self.found = found


class StoreDimensionError(StoreError):
    """Embeddings of dimension ``given`` were handed to a store of dimension ``expected``."""

    def __init__(self, expected: int, given: int) -> None:
        super().__init__(f"the store holds embeddings of dimension {expected}, not {given}")
        self.expected = expected
        self.given = given


class StoreTrainingError(StoreError):
    """A store of kind ``kind`` is trained on ``needed`` embeddings; there are only ``given``."""

    def __init__(self, kind: str, needed: int, given: int) -> None:
        super().__init__(
            f"training an index of kind {kind} needs at least {needed:,} images, and there"
            f" are {given:,}: nothing was changed"
        )
        self.kind = kind
        self.needed = needed
        self.given = given


class ExportError(ImageSearchError):
    """An export can't be written to ``path``; ``reason`` says why."""

    def __init__(self, path: object, reason: str) -> None:
        super().__init__(f"{path} can't be written: {reason}")
        self.path = path
        self.reason = reason


class ServiceError(ImageSearchError):
    """A service over HTTP refused a request, failed at it, or can't be reached.

    Attributes:
        status: the HTTP status; None when it can't be reached.
        kind: which problem it is, such as ``image-not-found``; empty when it did not say.
        retry_after: seconds after which the same may succeed, where it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        kind: str = "",
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.retry_after = retry_after


class WorkerUnavailableError(ImageSearchError):
    """Pictures are decoded in processes of their own, and none can be started, for ``reason``."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no process for decoding pictures can be started: {reason}")
        self.reason = reason


class ClusterUnavailableError(ImageSearchError):
    """The cluster at ``address`` can't be reached, or failed; what was done is kept."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"the cluster {address} can't be used: {reason}; finished work is kept")
        self.address = address
        self.reason = reason


class ConfigError(ImageSearchError):
    """The argument ``name`` has the value ``value``; ``expected`` says what is allowed.

    ``said`` is the message, where that is said in better words than by these three.
    """

    def __init__(self, name: str, value: object, expected: str, said: str = "") -> None:
        super().__init__(said or f"{name} is {shown_value(value)}; expected {expected}")
        self.said = said
        self.name = name
        self.value = value
        self.expected = expected
