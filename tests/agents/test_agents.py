"""``iss mcp``: the real process, asked by the SDK's own client over its standard streams."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from conftest import draw

pytest.importorskip("mcp", reason="the extra [mcp] is not installed")

from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, ImageContent, TextContent, Tool
from PIL import Image
from running import copied

from image_similarity_search.agents.pictures import Pictures
from image_similarity_search.agents.server import made_server
from image_similarity_search.collection import Collection

LOOKS = {
    "describe_collection",
    "search_images",
    "get_image",
    "list_images",
    "find_duplicates",
    "list_tags",
}
CHANGES = {"change_tags", "sync_folder", "remove_images", "dismiss_duplicates"}


class Agent:
    """Calls tools, from a thread of the tests."""

    def __init__(self, portal: BlockingPortal, client: Client, place: Path) -> None:
        self.place = place
        self._portal = portal
        self._client = client

    def tools(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in self._portal.call(self._client.list_tools).tools}

    def answer(self, tool: str, **arguments: Any) -> CallToolResult:
        answer: CallToolResult = self._portal.call(self._client.call_tool, tool, arguments)
        return answer

    def __call__(self, tool: str, **arguments: Any) -> Any:
        """The data of an answer, which is no error."""
        answer = self.answer(tool, **arguments)
        assert not answer.is_error, answer.content
        text = next(part for part in answer.content if isinstance(part, TextContent))
        assert json.loads(text.text) == answer.structured_content
        return answer.structured_content

    def refusal(self, tool: str, **arguments: Any) -> str:
        """What an error says."""
        answer = self.answer(tool, **arguments)
        assert answer.is_error
        (text,) = answer.content
        assert isinstance(text, TextContent)
        return text.text


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Agent]:
    """An agent of a collection of twelve pictures, which may change it."""
    place = copied(template, tmp_path_factory.mktemp("agent"))
    (place / "allowed").mkdir()
    draw(3).save(place / "allowed" / "query.png")
    draw(3).save(place / "elsewhere.png")
    arguments = ["-m", "image_similarity_search", "mcp", "--index-dir", str(place / "index")]
    arguments += ["--allow-folder", str(place / "allowed"), "--allow-changes"]
    server = StdioServerParameters(command=sys.executable, args=arguments, env={**os.environ})
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Client(server)) as client,
    ):
        yield Agent(portal, client, place)


def test_every_tool_and_argument_is_described(agent: Agent) -> None:
    tools = agent.tools()
    assert set(tools) == LOOKS | CHANGES
    for name, tool in tools.items():
        assert tool.description
        assert tool.annotations
        assert tool.annotations.read_only_hint == (name in LOOKS)
        assert tool.output_schema
        for argument, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), (name, argument)


def test_the_document_has_every_tool_and_argument(agent: Agent) -> None:
    document = Path(__file__).parents[2] / "docs" / "agents.md"
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|$", document.read_text("utf-8"), re.MULTILINE)
    described = {name: set(re.findall(r"`(\w+)`", arguments)) for name, arguments in rows}
    offered = agent.tools().items()
    assert described == {name: set(tool.input_schema["properties"]) for name, tool in offered}


def test_a_collection_is_described(agent: Agent) -> None:
    info = agent("describe_collection")
    assert (info["indexed"], info["skipped"], info["text"]) == (12, 0, False)
    assert info["folders"] == [{"path": str(agent.place / "photos"), "available": True}]
    assert info["query_folders"] == [str(agent.place / "allowed")]


def test_a_picture_is_searched_by_its_path(agent: Agent) -> None:
    for query in ("allowed/query.png", "photos/holiday/picture 3.png"):
        hits = agent("search_images", path=str(agent.place / query), k=3)["hits"]
        assert [hit["rank"] for hit in hits] == [1, 2, 3]
        assert hits[0]["path"] == str(agent.place / "photos" / "holiday" / "picture 3.png")
        assert hits[0]["score"] == 1.0


def test_an_image_to_be_unlike_needs_no_file(agent: Agent) -> None:
    path, region = agent("get_image", id=7)["path"], {"x": 0, "y": 0, "w": 1, "h": 0.5}
    query = str(agent.place / "allowed" / "query.png")
    os.rename(path, f"{path} is away")
    try:
        assert agent("search_images", path=query, region=region, unlike=[7])["hits"]
    finally:
        os.rename(f"{path} is away", path)


def test_an_image_is_searched_by_its_id_among_some(agent: Agent) -> None:
    folder = str(agent.place / "photos" / "holiday")
    hits = agent("search_images", id=1, k=12, filter={"folder": folder, "formats": ["png"]})["hits"]
    assert len(hits) == 6
    assert all(hit["path"].startswith(folder) for hit in hits)
    first = agent("search_images", id=1, k=1, options={"mirrored": True})["hits"][0]
    assert first["id"] != 1
    part = {"x": 0.0, "y": 0.0, "w": 0.5, "h": 1.0}
    assert len(agent("search_images", id=1, region=part, unlike=[2], k=20)["hits"]) == 10


def test_pictures_are_shown(agent: Agent) -> None:
    answer = agent.answer("search_images", id=1, k=5, thumbnails=2)
    shown = [part for part in answer.content if isinstance(part, ImageContent)]
    assert [part.mime_type for part in shown] == ["image/jpeg"] * 2
    detail = agent.answer("get_image", id=2)
    (picture,) = [part for part in detail.content if isinstance(part, ImageContent)]
    with Image.open(BytesIO(base64.b64decode(picture.data))) as image:
        assert image.size == (96, 72)
    assert detail.structured_content
    assert detail.structured_content["path"].endswith("picture 10.jpg")
    assert detail.structured_content["colours"] is not None


def test_images_are_listed_in_pages(agent: Agent) -> None:
    first = agent("list_images", limit=8)
    rest = agent("list_images", limit=8, after=first["next"])
    assert [image["id"] for image in first["images"] + rest["images"]] == list(range(1, 13))
    assert (first["total"], rest["next"]) == (12, None)


def test_no_picture_is_read_outside_the_folders_that_are_allowed(agent: Agent) -> None:
    link = agent.place / "allowed" / "link.png"
    link.symlink_to(agent.place / "elsewhere.png")
    escape = os.path.join(agent.place, "allowed", "..", "elsewhere.png")
    said = set()
    for path in (str(agent.place / "elsewhere.png"), str(link), escape, "/nowhere/at/all.png"):
        refusal = agent.refusal("search_images", path=path)
        assert path in refusal
        said.add(refusal.replace(path, ""))
    assert len(said) == 1  # the same of a file that is not there
    assert "absolute path" in agent.refusal("search_images", path="allowed/query.png")


def test_what_is_no_picture_costs_one_answer(agent: Agent) -> None:
    bad = agent.place / "allowed" / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff" + b"nothing of a picture")
    assert "picture" in agent.refusal("search_images", path=str(bad))
    large = agent.place / "allowed" / "large.png"
    Image.new("1", (20_000, 20_000)).save(large)
    assert "too large: 400,000,000 pixels" in agent.refusal("search_images", path=str(large))
    assert agent("describe_collection")["indexed"] == 12


def test_errors_say_what_to_do(agent: Agent) -> None:
    assert "path, id or text" in agent.refusal("search_images")
    assert "no such image" in agent.refusal("get_image", id=999)
    assert "text encoder" in agent.refusal("search_images", text="a red boat")
    assert "absolute path" in agent.refusal("list_images", filter={"folder": "photos"})
    # what is misspelt is not passed over
    assert "colors" in agent.refusal("search_images", id=1, colors=["red"])
    assert "color" in agent.refusal("search_images", id=1, filter={"color": "red"})
    assert "not an indexed folder" in agent.refusal("sync_folder", folder=str(agent.place))


def test_changes_are_made_where_they_are_allowed(agent: Agent) -> None:
    assert agent("change_tags", ids=[1, 2], add=["Beach"]) == {"changed": 2}
    assert agent("list_tags") == {"tags": {"beach": 2}}
    assert agent("get_image", id=1)["tags"] == ["beach"]
    assert len(agent("search_images", id=3, filter={"tags": ["beach"]})["hits"]) == 2
    assert agent("change_tags", ids=[1, 2], remove=["beach"]) == {"changed": 2}

    photos = agent.place / "photos"
    draw(0).save(photos / "copy.png")  # another format of the first
    assert agent("sync_folder", folder=str(photos))["indexed"] == 1
    found = agent("find_duplicates", level="same", limit=5)
    (group,) = found["groups"]
    ids = [group["keep"]["id"], group["others"][0]["id"]]
    assert (sorted(ids), found["images"], group["more"]) == ([1, 13], 13, 0)
    assert agent("dismiss_duplicates", ids=ids) == {"changed": 1}
    assert agent("find_duplicates", level="same")["total"] == 0
    assert agent("remove_images", ids=[13]) == {"changed": 1}
    assert (photos / "copy.png").exists()


def test_without_the_switch_there_is_nothing_that_changes(place: Path) -> None:
    with Collection.open(place / "index") as collection:
        pictures = Pictures(collection, [])
        server = made_server(collection, pictures, [], changes=False)
        try:
            with (
                start_blocking_portal() as portal,
                portal.wrap_async_context_manager(Client(server)) as client,
            ):
                agent = Agent(portal, client, place)
                assert set(agent.tools()) == LOOKS
                assert agent("describe_collection")["changes_allowed"] is False
        finally:
            pictures.close()
