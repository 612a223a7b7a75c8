"""Catalogs in a real PostgreSQL server. Run with ``make test-postgres``."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import PostgresServer, postgres_server, programs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They need a server."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.postgres)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    if programs() is None:
        reason = "no PostgreSQL server is installed"
        if os.environ.get("ISS_POSTGRES_NEEDED"):
            pytest.fail(reason)
        pytest.skip(reason)
    with postgres_server() as running:
        yield running


@pytest.fixture(autouse=True)
def password(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """As users give it: in the environment, and nowhere else."""
    monkeypatch.setenv("PGPASSWORD", server.password)
    return server.password


@pytest.fixture
def url(server: PostgresServer) -> str:
    """Where a catalog may be made."""
    return server.url(f"s{uuid.uuid4().hex[:12]}")
