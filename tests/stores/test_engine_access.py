"""A token of an engine goes to the hosts that it is for, and to no other."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from image_similarity_search import Collection
from image_similarity_search.errors import StoreUnavailableError
from image_similarity_search.stores.engines.access import access
from image_similarity_search.stores.engines.address import Address


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISS_MILVUS_TOKEN", "somebody:hush-hush")
    monkeypatch.delenv("ISS_MILVUS_HOST", raising=False)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.0.1", "[::1]"])
def test_this_computer_gets_it(host: str) -> None:
    assert access(Address.parse(f"milvus://{host}/x")).token == "somebody:hush-hush"


@pytest.mark.parametrize(
    "host",
    ["vectors.example", "localhost.example", "127.0.0.1.example", "10.0.0.7", "0.0.0.0", "[::2]"],
)
def test_another_host_gets_it_only_where_it_is_named(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scheme in ("milvus", "milvus+tls"):
        address = Address.parse(f"{scheme}://{host}:1234/x")
        for named in ("", "example", f"x{host}", ","):
            monkeypatch.setenv("ISS_MILVUS_HOST", named)
            with pytest.raises(StoreUnavailableError, match="export ISS_MILVUS_HOST=") as refused:
                access(address)
            assert "hush" not in str(refused.value)
        monkeypatch.setenv("ISS_MILVUS_HOST", f"other.example, {host.upper()}")
        assert access(address).token
        monkeypatch.delenv("ISS_MILVUS_TOKEN")
        monkeypatch.delenv("ISS_MILVUS_HOST")
        assert not access(address).token  # where there is no secret, nothing can be told
        monkeypatch.setenv("ISS_MILVUS_TOKEN", "somebody:hush-hush")


def test_a_host_that_is_not_named_is_not_asked(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        url = f"milvus://0.0.0.0:{server.getsockname()[1]}/x"
        with pytest.raises(StoreUnavailableError, match="ISS_MILVUS_HOST"):
            Collection.open(tmp_path, encoder="colour-texture", store=url, create=True)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
