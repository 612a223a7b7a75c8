"""A connection to a shared catalog's server."""

from __future__ import annotations

import logging
import os
import socket
from functools import partial
from typing import Any, TypeAlias

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from image_similarity_search.catalog.postgresql.address import EXPECTED, Address
from image_similarity_search.catalog.postgresql.problems import translated
from image_similarity_search.catalog.postgresql.watched import WatchedConnection, is_at_work
from image_similarity_search.errors import ConfigError

Connection: TypeAlias = WatchedConnection

# who vanished without a word, with its computer, keeps nothing locked for longer than a minute
_OURS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_SETTINGS = "".join(
    f"SET {name} = {value};"
    for name, value in {
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
        "lock_timeout": "'10min'",
        "standard_conforming_strings": "on",
        "jit": "off",  # which takes longer than the statements here
    }.items()
)


# it warns of a pipeline that ends with its connection, which the error that ended it tells
logging.getLogger("psycopg").setLevel(logging.ERROR)


def connected(address: Address) -> Connection:
    """A new connection, each statement of which is a transaction until one is begun.

    A password comes from where libpq finds one: PGPASSWORD, or a file.

    Raises:
        ConfigError: the URL says something that libpq does not know.
        CollectionUnavailableError: there is no such server, or it does not let us in.
    """
    try:
        asked = conninfo_to_dict(address.conninfo)
    except psycopg.ProgrammingError as error:
        raise ConfigError("catalog", str(address), f"{EXPECTED} ({error})") from None
    who = f"iss {os.getpid()} on {socket.gethostname()}"[:63]
    options = _OURS | {"application_name": who, "client_encoding": "UTF8"} | asked
    conninfo = make_conninfo(**options)
    with translated(str(address)):
        connection = WatchedConnection.connect(conninfo, autocommit=True)
        try:
            connection.execute(_SETTINGS.encode())
            schema = sql.Identifier(address.schema)
            connection.execute(sql.SQL("SET search_path = {}").format(schema))
            # asked, for what is between may have told another one
            pid = connection.execute("SELECT pg_backend_pid()").fetchone()
            if pid:
                connection.is_at_work = partial(is_at_work, conninfo, pid[0])
        except BaseException:
            connection.close()
            raise
    return connection
