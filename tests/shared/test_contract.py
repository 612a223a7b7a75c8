"""The catalog in PostgreSQL does what the one in a file does: their tests are the same."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import test_catalog
import test_selection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from postgres_server import PostgresServer

from image_similarity_search.catalog.catalog import Catalog
from image_similarity_search.catalog.values import Identity
from image_similarity_search.catalog.whereabouts import remember


def test_a_catalog_is_as_a_dict(server: PostgresServer) -> None:
    class SharedMachine(test_catalog.CatalogMachine):
        """The same changes, of a catalog in PostgreSQL."""

        def prepare(self, folder: str) -> None:
            remember(folder, server.url(f"s{uuid.uuid4().hex[:12]}"))

        @rule(root=test_catalog.FOLDERS)
        def require_root(self, root: str) -> None:
            with self.catalog.turns.syncing(root), self.catalog.transaction():
                self.catalog.places.require_root(root)
            roots = list(self.catalog.places.roots().values())
            assert any((root + "/").startswith(other + "/") for other in roots)

    few = settings(max_examples=6, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(SharedMachine, settings=few)


@pytest.fixture(scope="module")
def filled(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", server.password)
        folder = str(tmp_path_factory.mktemp("catalog"))
        identity = Identity("e", "f", 2, "cosine", "auto")
        made = Catalog.create(folder, identity, server.url("selection"))
    with made.turns.syncing("/photos"):
        test_selection.fill(made)
    yield made
    made.close()


@settings(max_examples=60, deadline=None)
@given(
    given_=test_selection.filters(),
    extensions=st.sampled_from([[], [".jpg", ".jpeg"], [".png"]]),
    folders=st.sampled_from([None, ["00"], ["03", "04"], []]),
)
def test_postgresql_finds_what_python_finds(filled: Catalog, **asked: Any) -> None:
    test_selection.check_found(filled, **asked)
