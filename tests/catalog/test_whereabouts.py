"""Where the catalog of an index folder is; what needs a server is in ``tests/shared``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.postgresql.address import Address
from image_similarity_search.catalog.whereabouts import POINTER, remember, url_of
from image_similarity_search.collection import Collection
from image_similarity_search.errors import CollectionUnavailableError, ConfigError


def test_a_url_is_remembered_in_one_line(tmp_path: Path) -> None:
    assert url_of(str(tmp_path)) == ""
    for url in ("postgresql://a@db/x", "postgresql://b@db/y?schema=z"):
        remember(str(tmp_path), url)
        assert url_of(str(tmp_path)) == url
    assert [path.name for path in tmp_path.iterdir()] == [POINTER]


def test_where_it_can_not_be_read_no_other_catalog_is_made(tmp_path: Path) -> None:
    (tmp_path / POINTER).mkdir()
    with pytest.raises(CollectionUnavailableError, match=POINTER):
        Collection.open(tmp_path, encoder="colour-texture", create=True)
    assert [path.name for path in tmp_path.iterdir()] == [POINTER]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("postgres://db/x", "postgresql://db/x"),
        ("postgresql://me@db:5433/x?schema=iss", "postgresql://me@db:5433/x"),
        (
            "postgresql://me@one,two/x?sslmode=require&schema=a_1&connect_timeout=3",
            "postgresql://me@one,two/x?schema=a_1&connect_timeout=3&sslmode=require",
        ),
        ("postgresql:///x?host=/run", "postgresql:///x?host=%2Frun"),
    ],
)
def test_an_address_has_one_form(given: str, kept: str) -> None:
    assert str(Address.parse(given)) == kept
    assert Address.parse(kept) == Address.parse(given)
    assert "schema" not in Address.parse(given).conninfo


@pytest.mark.parametrize(
    "url",
    ["", "catalog.sqlite", "postgresql://db", "postgresql://db/a/b", "postgresql://db/x?schema=A-b",
     "postgresql://db/x?schema=1", "postgresql://db/x#y", "mysql://db/x"],
)  # fmt: skip
def test_what_is_no_address_of_a_catalog_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        Address.parse(url)


@pytest.mark.parametrize(
    "url",
    ["postgresql://me:Geh3imnis@db/x", "postgresql://me@db/x?password=Geh3imnis",
     "postgresql://me@db/x?sslpassword=Geh3imnis", "mysql://me:Geh3imnis@db/x",
     "postgresql://db?password=Geh3imnis", "postgresql://me:Geh3imnis@[::1/db"],
)  # fmt: skip
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Address.parse(url)
    assert "Geh3imnis" not in str(refused.value)


def test_without_its_client_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(str(tmp_path), "postgresql://db/x")
    for name in [*sys.modules]:
        if name.startswith("image_similarity_search.catalog.postgresql."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(CollectionUnavailableError, match=r"pip install .*\[postgres\]"):
        Catalog(str(tmp_path))
