"""Making the tables of a shared catalog, within a transaction."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg import errors
from psycopg import sql as composed

from image_similarity_search.catalog.checksums import Checksums, checksum_of_meta
from image_similarity_search.catalog.postgresql.address import Address
from image_similarity_search.catalog.postgresql.connection import Connection
from image_similarity_search.catalog.postgresql.schema import (
    APPLICATION,
    FORGOTTEN_2,
    FORMAT_VERSION,
    MARKS_3,
    SCHEMA,
)
from image_similarity_search.catalog.schema import LOOSE_ROOT
from image_similarity_search.errors import CollectionUnavailableError, ConfigError

_CREATING = "creating"  # what is locked while a catalog is made

_NEWER = ((2, "forgotten", FORGOTTEN_2), (3, "marks", MARKS_3))
"""Since which version there is which table, and how it is made."""

_RIGHTS = """
    SELECT privilege_type, grantee FROM information_schema.role_table_grants
    WHERE table_schema = current_schema AND table_name = 'removals' AND grantee <> current_user
"""
"""Those of others on a table that is used as newer ones are."""


def made_tables(connection: Connection, address: Address) -> bool:
    """Make the tables, unless somebody did; whether they are new, and empty.

    Raises:
        ConfigError: the database is not in UTF8.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise ConfigError("catalog", str(address), f"a database in UTF8, not in {encoding}")
    _wait_for_others(connection, address)
    there = "SELECT 1 FROM pg_namespace WHERE nspname = %s"  # else it takes a right to make one
    if connection.execute(there, (address.schema,)).fetchone() is None:
        schema = composed.Identifier(address.schema)
        connection.execute(composed.SQL("CREATE SCHEMA {}").format(schema))
    if connection.execute("SELECT to_regclass('format')").fetchone() != (None,):
        return False
    connection.execute(SCHEMA)
    connection.execute("INSERT INTO format VALUES (%s, %s)", (APPLICATION, FORMAT_VERSION))
    return True


def bring_up_to_date(connection: Connection, address: Address) -> None:
    """Make the tables that an older version had not, unless somebody did.

    Raises:
        CollectionUnavailableError: only who made the others may.
    """
    try:
        _wait_for_others(connection, address)
        found = connection.execute("SELECT version FROM format FOR UPDATE").fetchone()
        for version, table, made in _NEWER:
            if found and found[0] < version:
                connection.execute(made)
                _share(connection, table)
        if found and found[0] < FORMAT_VERSION:
            connection.execute("UPDATE format SET version = %s", (FORMAT_VERSION,))
    except errors.InsufficientPrivilege as error:
        reason = "its tables are of an older version, and this user has no right to upgrade them"
        remedy = (
            "open it once (iss info) as the user who created it; the rights of others stay the same"
        )
        raise CollectionUnavailableError(str(address), reason, remedy) from error


def _share(connection: Connection, table: str) -> None:
    """Let others do with a new table what they may do with the others."""
    for right, whose in connection.execute(_RIGHTS).fetchall():
        grant = composed.SQL("GRANT {} ON {} TO {}")
        who = composed.SQL("PUBLIC") if whose == "PUBLIC" else composed.Identifier(whose)
        connection.execute(grant.format(composed.SQL(right), composed.Identifier(table), who))


def put_meta(connection: Connection, meta: Mapping[str, str]) -> None:
    """Say what the collection is made with, in a table that is empty."""
    sealed = {**meta, "crc32": checksum_of_meta(meta)}
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO meta VALUES (%s, %s)", [*sealed.items()])


def put_loose_root(connection: Connection, identity: str) -> None:
    """Add the root of images that have none."""
    crc32 = Checksums(identity).of("roots", LOOSE_ROOT, b"")
    connection.execute("INSERT INTO roots VALUES (%s, '', %s)", (LOOSE_ROOT, crc32))


def _wait_for_others(connection: Connection, address: Address) -> None:
    """Have nobody else make tables until the end of the transaction."""
    key = f"{address.schema} {_CREATING}"
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))
