"""PostgreSQL's errors turned into ours; none of them has a password in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from image_similarity_search.errors import (
    CollectionCorruptError,
    CollectionError,
    CollectionLockedError,
    CollectionUnavailableError,
    CollectionUnwritableError,
)

_ANSWERS = "restore it from a backup of the database"
_REFUSED = (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)
_BUSY = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)
# the statements are ours and right: what the server can't make sense of meets tables that somebody
# changed, and a constraint that is broken was so before
_CORRUPT = (psycopg.ProgrammingError, psycopg.IntegrityError, psycopg.DataError)


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise what psycopg raises about the catalog at ``path`` as an error of ours."""
    try:
        yield
    except psycopg.Error as error:
        raise _translation(path, error) from error


def _translation(path: str, error: psycopg.Error) -> CollectionError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, _REFUSED):
        remedy = "ask the database's administrator for the right to change the catalog"
        return CollectionUnwritableError(path, reason, remedy)
    if isinstance(error, errors.DiskFull):
        return CollectionUnwritableError(path, reason, "free disk space on the database server")
    if isinstance(error, _BUSY):
        return CollectionLockedError(path)
    if isinstance(error, errors.UniqueViolation):  # ids and places are looked up before
        remedy = "try again: another added it meanwhile, or the database is just being restored"
        return CollectionUnavailableError(path, reason, remedy)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return CollectionUnavailableError(path, reason)
    if isinstance(error, _CORRUPT):
        return CollectionCorruptError(path, reason, _ANSWERS)
    return CollectionError(f"{path}: {reason}")
