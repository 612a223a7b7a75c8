"""Networks of timm by their name, from a hub. Run with ``make test-torch``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import draw
from hub_server import Hub, closed_port, serving
from PIL import Image

pytest.importorskip("torch", reason="torch is not installed")

_NAME = "test_resnet.r160_in1k"  # the smallest that timm has weights of, 2 MB
_HELPERS = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
_ISS = """
from torchvision_import import torchvision
torchvision()
from image_similarity_search.cli import main
main()
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub with weights of timm's own test network, made at random."""
    from torchvision_import import torchvision

    torchvision()
    import timm
    import torch
    from safetensors.torch import save

    torch.manual_seed(3)
    weights = timm.create_model(_NAME, pretrained=False).state_dict()
    with serving() as running:
        running.files[f"timm/{_NAME}/model.safetensors"] = save(weights)
        yield running


def python(hub: Hub, folder: Path, program: str, *arguments: str | Path, status: int = 0) -> str:
    """What a process of its own prints and says, with a cache of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=folder,
        env=hub.environment(folder / "hf", PYTHONPATH=_HELPERS),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_it_is_fetched_once_and_then_used_without_a_network(
    hub: Hub, tmp_path: Path, photos: Path
) -> None:
    model = ("--model", f"timm:{_NAME}")
    assert "indexed 12," in python(hub, tmp_path, _ISS, "index", photos, *model)
    assert any(server == "content" for server, *_ in hub.asked)
    hub.hub_port = closed_port()
    query = next(photos.rglob("*.png"))
    said = python(hub, tmp_path, _ISS, "search", query, "-k", "1")
    assert f"1.0000  {query}\n" in said
    assert "unchanged 12" in python(hub, tmp_path, _ISS, "index", photos, *model)


def test_without_a_network_it_is_said_within_seconds(
    hub: Hub, tmp_path: Path, photos: Path
) -> None:
    hub.hub_port = closed_port()
    said = python(hub, tmp_path, _ISS, "index", photos, "--model", f"timm:{_NAME}", status=5)
    assert f"model 'timm:{_NAME}' can't be used: its weights" in said
    assert "Connection refused" in said
    assert not (tmp_path / "index_data").exists()


def test_a_name_that_timm_has_not_is_refused(hub: Hub, tmp_path: Path, photos: Path) -> None:
    said = python(hub, tmp_path, _ISS, "index", photos, "--model", "timm:resnet51", status=5)
    assert "model 'timm:resnet51' can't be used: timm can't create it" in said
    assert "timm.list_models(pretrained=True) lists the names." in said


_EMBED = """
import sys
from torchvision_import import torchvision
torchvision()
import numpy, timm, torch
from PIL import Image
from image_similarity_search import create_encoder
encoder = create_encoder("timm:" + sys.argv[1])
image = Image.open(sys.argv[2])
numpy.save("ours.npy", encoder.encode(encoder.preprocessing.view(image)[None]))
module = timm.create_model(sys.argv[1], pretrained=True, num_classes=0).eval()
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(module))
with torch.inference_mode():
    numpy.save("theirs.npy", module(transform(image)[None]).numpy())
"""


def test_weights_and_preprocessing_are_timms_own(hub: Hub, tmp_path: Path) -> None:
    picture: Image.Image = draw(4, (300, 260))
    picture.save(tmp_path / "picture.png")
    python(hub, tmp_path, _EMBED, _NAME, "picture.png")
    ours, theirs = np.load(tmp_path / "ours.npy"), np.load(tmp_path / "theirs.npy")
    np.testing.assert_allclose(ours, theirs, atol=0.02 * np.abs(theirs).max())
