"""``resnet50`` beside the recipe itself, torch and torchvision. Run with ``make test-torch``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import draw
from numpy.typing import NDArray
from PIL import Image
from resnets import random_weights
from safetensors.numpy import save_file

from image_similarity_search import Collection, EncoderSpec, create_encoder

torch = pytest.importorskip("torch", reason="torch is not installed")

_WEIGHTS = random_weights("resnet50")


@pytest.fixture(scope="module")
def recipe() -> Any:
    """The recipe: torchvision's network and transforms, from an image to a row."""
    from torchvision_import import torchvision

    models, transforms = torchvision().models, torchvision().transforms
    network = models.resnet50()
    state = {key: torch.from_numpy(np.array(values)) for key, values in _WEIGHTS.items()}
    network.load_state_dict(state, strict=True)
    network.fc = torch.nn.Identity()
    network.eval()
    transform = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )

    def embed(images: list[Image.Image]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.stack([network(transform(image)[None])[0].numpy() for image in images])

    return embed


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("weights") / "model.safetensors")
    save_file(_WEIGHTS, path)
    return path


def cosines(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / lengths)


def assert_same(ours: NDArray[Any], theirs: NDArray[Any]) -> None:
    """In direction, also of what sets the pictures apart."""
    assert cosines(ours, theirs).min() > 0.9999
    common = theirs.mean(axis=0)
    assert cosines(ours - common, theirs - common).min() > 0.999


def test_drawn_pictures_have_the_embeddings_of_the_recipe(
    recipe: Any, weights: str, tmp_path: Path
) -> None:
    images = [draw(seed, (400 + 10 * seed, 300)) for seed in range(6)]
    paths = []
    for seed, image in enumerate(images):
        paths.append(tmp_path / f"{seed}.png")
        image.save(paths[-1])
    spec = EncoderSpec("resnet50", weights)
    with Collection.open(tmp_path / "index", encoder=spec, create=True) as collection:
        assert_same(collection.embed(paths), recipe(images))


def test_real_pictures_have_them_but_where_colours_are_not_srgb(
    recipe: Any, weights: str, tmp_path: Path, test_data: Path
) -> None:
    """Colours are converted by their profile, which the recipe does not do."""
    paths = sorted((test_data / "photos").iterdir())[::8]
    images = [Image.open(path).convert("RGB") for path in paths]
    with_profile = np.array(["icc_profile" in image.info for image in images])
    assert 0 < with_profile.sum() < len(paths) / 2
    theirs = recipe(images)
    spec = EncoderSpec("resnet50", weights)
    with Collection.open(tmp_path / "index", encoder=spec, create=True) as collection:
        ours = collection.embed(paths)
    assert_same(ours[~with_profile], theirs[~with_profile])
    common = theirs.mean(axis=0)
    apart = cosines(ours - common, theirs - common) < 0.999
    assert 0 < apart.sum() < with_profile.sum()  # most profiles say sRGB


@pytest.mark.parametrize("new", [True, False])
def test_what_torch_saves_is_the_same_model(weights: str, tmp_path: Path, new: bool) -> None:
    state = {key: torch.from_numpy(np.array(values)) for key, values in _WEIGHTS.items()}
    torch.save(state, tmp_path / "saved.pth", _use_new_zipfile_serialization=new)
    saved = create_encoder(EncoderSpec("resnet50", str(tmp_path / "saved.pth")))
    assert saved.fingerprint == create_encoder(EncoderSpec("resnet50", weights)).fingerprint
