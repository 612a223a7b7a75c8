"""Where a shared catalog is: ``postgresql://USER@HOST:PORT/DATABASE?schema=NAME``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from image_similarity_search.errors import ConfigError

EXPECTED = "postgresql://[USER@]HOST[:PORT]/DATABASE[?schema=NAME]"

DEFAULT_SCHEMA = "iss"

_SCHEMES = ("postgresql", "postgres")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SECRETS = ("password", "sslpassword")


@dataclass(frozen=True, slots=True)
class Address:
    """A catalog in a PostgreSQL database.

    Attributes:
        place: user, host and port, as they stand in a URL.
        database: its name, as it stands in a URL.
        schema: the schema whose tables it is.
        options: what else libpq is to be told, such as ``sslmode``.
    """

    place: str
    database: str
    schema: str = DEFAULT_SCHEMA
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL.

        Raises:
            ConfigError: it is none of a catalog's, or holds a password: libpq finds these in the
                environment or in a file of the user's. The error does not repeat what it refuses.
        """
        try:
            parts = urlsplit(url)
            options = dict(parse_qsl(parts.query, keep_blank_values=True))
        except ValueError:
            raise ConfigError("catalog", "not a valid URL", EXPECTED) from None
        user, _, hosts = parts.netloc.rpartition("@")
        if ":" in user or any(secret in options for secret in _SECRETS):
            raise ConfigError(
                "catalog",
                f"{parts.scheme}://***@{hosts}{parts.path}",
                "a URL without a password: put it into the environment variable PGPASSWORD"
                " or into ~/.pgpass",
            )
        database, schema = parts.path.removeprefix("/"), options.pop("schema", DEFAULT_SCHEMA)
        if parts.scheme not in _SCHEMES or not database or "/" in database or parts.fragment:
            shown = url.partition("?")[0].partition("#")[0]  # a secret might stand behind these
            raise ConfigError("catalog", shown.rpartition("@")[2], EXPECTED)
        if not _SCHEMA.fullmatch(schema):
            raise ConfigError(
                "schema", schema, "lower-case letters, digits and '_', not starting with a digit"
            )
        return cls(parts.netloc, database, schema, tuple(sorted(options.items())))

    def __str__(self) -> str:
        """The URL, always in the same form."""
        named = () if self.schema == DEFAULT_SCHEMA else (("schema", self.schema),)
        return self._url((*named, *self.options))

    @property
    def conninfo(self) -> str:
        """The server as libpq wants it."""
        return self._url(self.options)

    def _url(self, options: tuple[tuple[str, str], ...]) -> str:
        query = f"?{urlencode(options)}" if options else ""
        return f"postgresql://{self.place}/{self.database}{query}"
