"""Reading a table a part at a time comes to an end, in whatever state the table is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from image_similarity_search.catalog import parts
from image_similarity_search.catalog.parts import in_parts
from image_similarity_search.errors import CollectionCorruptError


def test_all_rows_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_ROWS", 3)
    asked: list[Sequence[Any]] = []

    def read(sql: str, values: Sequence[Any]) -> list[parts.Row]:
        asked.append((sql, *values))
        _, after, limit = values
        return [(id_, "x") for id_ in (1, 2, 5, 6, 7, 11) if id_ > after][:limit]

    found = list(in_parts(read, "file", "SELECT", "given"))
    assert [[row[0] for row in part] for part in found] == [[1, 2, 5], [6, 7, 11]]
    assert asked == [("SELECT", "given", after, 3) for after in (-1, 5, 11)]


@pytest.mark.parametrize("ids", [[3, 2], [3, 3], [1, 9, 4], [-5], [None], ["x"]])
def test_rows_that_are_out_of_order_are_damage(ids: list[Any]) -> None:
    """As where a bit of an id was turned: going on after the last of them leads back."""
    with pytest.raises(CollectionCorruptError, match="is damaged: rows are out of order"):
        list(in_parts(lambda *_: [(id_,) for id_ in ids], "catalog.sqlite", "SELECT"))
