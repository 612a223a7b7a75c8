"""A shared catalog, and its embeddings in a real Milvus server: many write, many search.

Run with ``make test-engine``, where PostgreSQL is installed too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import CountingEncoder, draw

pytest.importorskip("milvus", reason="no Milvus server is installed")
pytest.importorskip("pymilvus", reason="Milvus's client is not installed")

from milvus_server import MilvusServer, milvus_server

from image_similarity_search.collection import Collection
from image_similarity_search.errors import StoreUnavailableError
from shared.writers import ended, start

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    with milvus_server(tmp_path_factory.mktemp("milvus") / "data") as running:
        yield running


def test_many_write_and_many_search_one_collection(
    engine: MilvusServer, url: str, tmp_path: Path
) -> None:
    roots = [tmp_path / f"root{number}" for number in range(3)]
    for number, root in enumerate(roots):
        root.mkdir()
        for seed in range(number * 40, number * 40 + 40):
            draw(seed, (32, 32)).save(root / f"{seed:03}.bmp")
    with ExitStack() as stack:
        opened = [
            stack.enter_context(
                Collection.open(
                    tmp_path / f"searcher{number}",
                    encoder=CountingEncoder(),
                    catalog=url,
                    store=engine.url() if not number else None,
                    create=True,
                )
            )
            for number in range(2)
        ]
        processes = [
            start(url, tmp_path / f"writer{number}", root) for number, root in enumerate(roots)
        ]
        while any(process.poll() is None for process in processes):
            for searcher in opened:
                searcher.search(draw(7), k=5)
        assert sum(ended(process)[0] for process in processes) == 120
        query = roots[2] / "100.bmp"
        answers = [searcher.search(query, k=120) for searcher in opened]
        assert len(answers[0]) == 120
        assert answers[0] == answers[1]
        assert (answers[0][0].path, answers[0][0].score) == (str(query), 1.0)
        assert not any(searcher.verify().damaged for searcher in opened)

        # one moves it: the others say so, and go on once they open it again
        opened[0].move("embedded")
        assert len(opened[0].search(query, k=120)) == 120
        with pytest.raises(StoreUnavailableError, match="open the collection again"):
            opened[1].remove(1)
        opened[1].close()
        with Collection.open(tmp_path / "searcher1", encoder=CountingEncoder()) as again:
            assert again.search(query, k=120) == opened[0].search(query, k=120)
