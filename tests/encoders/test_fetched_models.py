"""Models of the hub from the command line: fetched at the first use, then no network is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hub_server import Hub, closed_port, serving
from resnets import BLOCKS, random_weights
from safetensors.numpy import save

from image_similarity_search.cli import exits

# the command line with one row more in its table: a ResNet of few blocks, quick to fetch and to run
_ISS = """
from image_similarity_search.cli import main
from image_similarity_search.encoders import resnet, table
from image_similarity_search.encoders.hub import HubFile
usual = table.ENCODERS["resnet101"]
assert usual.weights.sha256 is None, "the row without a pin"
weights = HubFile("me/short", usual.weights.path, 19_700_000)
row = table.EncoderRow("short", 512, usual.preprocessing, "MIT", "a short one", weights, "short")
table.ENCODERS["short"] = row
resnet.ARCHITECTURES["short"] = resnet.Architecture((1, 1, 1, 1), bottleneck=False)
main()
"""


class Iss:
    """Runs the command line in a folder, where its hub is the one on loopback."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        self.home = folder / "hf"

    def __call__(self, *arguments: str | Path, status: int = exits.OK) -> tuple[str, str]:
        """What it prints and what it says."""
        done = subprocess.run(
            [sys.executable, "-c", _ISS, *map(str, arguments)],
            cwd=self.folder,
            env=self.hub.environment(self.home),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout, done.stderr

    def here(self) -> list[str]:
        """The models that are here, of those on the hub."""
        rows = json.loads(self("models", "--json")[0])
        return [row["name"] for row in rows if row["here"] and row["source"].startswith("hugg")]


@pytest.fixture
def iss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Iss]:
    monkeypatch.setitem(BLOCKS, "short", (1, 1, 1, 1))
    with serving() as hub:
        hub.files["me/short/model.safetensors"] = save(random_weights("short"))
        yield Iss(hub, tmp_path)


def test_a_model_is_fetched_by_its_first_use(iss: Iss, photos: Path) -> None:
    assert iss.here() == []
    made, _ = iss("index", photos, "--model", "short")
    assert made.startswith("indexed 12,")
    assert iss.here() == ["short"]
    iss.hub.asked.clear()
    iss.hub.hub_port = closed_port()  # from now on there is no network
    query = next(photos.rglob("*.png"))
    found, _ = iss("search", query, "--paths", "-k", "1")
    assert found.strip() == str(query)
    again, _ = iss("index", photos, "--model", "short")
    assert "unchanged 12" in again
    assert iss.hub.asked == []


def test_a_model_is_fetched_ahead(iss: Iss) -> None:
    _, said = iss("models", "--fetch", "short")
    assert str(iss.home) in said
    text, _ = iss("models")
    rows = {line.split()[0]: line for line in text.splitlines() if not line.startswith(" ")}
    assert " yes " in rows["short"]
    assert " no " in rows["resnet50"]


def test_other_weights_than_the_pinned_ones_are_not_kept(iss: Iss) -> None:
    other = save({"conv1.weight": np.zeros((64, 3, 7, 7), dtype=np.float32)})
    iss.hub.files["timm/resnet18.tv_in1k/model.safetensors"] = other
    iss.hub.revisions.add("bbd144b3e5565108aad885f145491d11bc6ce807")  # the pinned one
    _, said = iss("models", "--fetch", "resnet18", status=5)
    assert "are damaged: their SHA-256 is" in said
    assert "expected 694f673df6520a31" in said
    assert iss.here() == []
    assert not list(iss.home.rglob("*.safetensors"))


def test_without_a_network_both_ways_are_said_and_nothing_is_made(iss: Iss, photos: Path) -> None:
    iss.hub.hub_port = closed_port()
    _, said = iss("index", photos, "--model", "resnet50", status=5)
    for part in (
        "model 'resnet50' can't be used",
        "model.safetensors of timm/resnet50.tv_in1k, 102 MB",
        "Connect to the internet once",
        "--weights FILE",
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
    ):
        assert part in said
    assert not (iss.folder / "index_data").exists()
    iss("models", "--fetch", "resnet50", status=5)
    iss("models", "--fetch", "colour-texture")
