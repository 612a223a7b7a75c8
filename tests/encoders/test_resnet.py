"""ResNets give the embeddings of the usual recipe: of torchvision's network, in plain NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from conftest import draw
from numpy.typing import NDArray
from PIL import Image, ImageCms
from resnets import BLOCKS, forward, random_weights, recipe_pixels, recipe_values, shapes
from safetensors.numpy import save_file

from image_similarity_search import Collection, Encoder, EncoderSpec, create_encoder
from image_similarity_search.encoders.resnet import ARCHITECTURES, resnet_model
from image_similarity_search.testing import check_encoder

_NAMES = ["resnet18", "resnet50"]
_LARGEST = ["resnet101", "resnet152"]  # made of the blocks of resnet50


@pytest.fixture(scope="module")
def weights_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A file of random weights for each of the two kinds of network."""
    files = {name: str(tmp_path_factory.mktemp(name) / "model.safetensors") for name in _NAMES}
    for name, path in files.items():
        save_file(random_weights(name), path)
    return files


@pytest.fixture(scope="module")
def encoders(weights_files: dict[str, str]) -> dict[str, Encoder]:
    return {
        name: create_encoder(EncoderSpec(name, weights=path), "cpu")
        for name, path in weights_files.items()
    }


def cosines(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.floating]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / lengths)


def assert_same(found: NDArray[np.floating], expected: NDArray[np.floating], limit: float) -> None:
    """Equal in direction and in each value.

    All pictures have much in common in a random network: what they have is subtracted, and the
    ``limit`` of the error is in deviations of what is left.
    """
    assert found.shape == expected.shape
    assert cosines(found, expected).min() > 0.9999
    common = expected.mean(axis=0)
    assert cosines(found - common, expected - common).min() > 0.9999
    assert np.abs(found - expected).max() < limit * (expected - common).std()


@pytest.mark.parametrize(("name", "count", "dim"), [("resnet18", 2, 512), ("resnet50", 2, 2048)])
def test_embeddings_are_those_of_the_plain_network(
    encoders: dict[str, Encoder], name: str, count: int, dim: int
) -> None:
    pixels = np.stack([recipe_pixels(draw(seed, (300, 260))) for seed in range(count)])
    found = encoders[name].encode(pixels)
    assert found.shape == (count, dim)
    assert found.dtype == np.float32
    assert_same(found, forward(random_weights(name), recipe_values(pixels)), limit=1e-3)


@pytest.mark.parametrize("name", ["resnet18", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_it_keeps_its_promises(encoders: dict[str, Encoder], name: str) -> None:
    check_encoder(encoders[name])
    assert encoders[name].name == name


@pytest.mark.parametrize("crop", [96, 97])  # the last side of the network is 3 and 4
def test_another_crop_is_no_other_network(weights_files: dict[str, str], crop: int) -> None:
    encoder = create_encoder(EncoderSpec("resnet18", weights_files["resnet18"], 120, crop), "cpu")
    pixels = np.stack([recipe_pixels(draw(seed, (150, 130)), 120, crop) for seed in range(3)])
    expected = forward(random_weights("resnet18"), recipe_values(pixels))
    assert_same(encoder.encode(pixels), expected, limit=1e-3)


@pytest.mark.parametrize("size", [(300, 260), (260, 300), (256, 256), (257, 500), (1000, 333)])
def test_the_view_is_that_of_the_recipe(
    encoders: dict[str, Encoder], size: tuple[int, int]
) -> None:
    image = draw(7, size)
    preprocessing = encoders["resnet50"].preprocessing
    view, expected = preprocessing.view(image), recipe_pixels(image)
    difference = np.abs(view.astype(int) - expected)
    assert difference.max() <= 2
    assert difference.mean() < 0.1
    values = preprocessing.normalise(expected[None]).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(values, recipe_values(expected[None]), atol=1e-6)


@pytest.mark.parametrize("profile", [None, "Adobe RGB"])
def test_real_pictures_have_the_embeddings_of_the_recipe(
    weights_files: dict[str, str], tmp_path: Path, test_data: Path, profile: str | None
) -> None:
    """The whole way from the file; colours that are not sRGB are converted first, by design."""
    paths = list(islice(with_profile(sorted((test_data / "photos").iterdir()), profile), 4))
    images = [Image.open(path) for path in paths]
    spec = EncoderSpec("resnet18", weights_files["resnet18"])
    with Collection.open(tmp_path / "index", encoder=spec, create=True) as collection:
        found = collection.embed(paths)
    pixels = np.stack([recipe_pixels(in_srgb(image)) for image in images])
    assert_same(found, forward(random_weights("resnet18"), recipe_values(pixels)), limit=0.05)


def with_profile(paths: list[Path], words: str | None) -> Iterator[Path]:
    """Those pictures whose colour profile has these words in its name; for None, those without."""
    for path in paths:
        with Image.open(path) as image:
            profile = image.info.get("icc_profile")
        name = ImageCms.getProfileDescription(_profile(profile)) if profile else ""
        if (words in name) if words else not profile:
            yield path


def in_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile is None:
        return image.convert("RGB")
    converted = ImageCms.profileToProfile(image, _profile(profile), ImageCms.createProfile("sRGB"))
    assert converted is not None
    return converted


def _profile(data: bytes) -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(BytesIO(data))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in _LARGEST else []) for name in BLOCKS],
)
def test_each_network_takes_the_weights_that_torchvision_has(name: str) -> None:
    zero, ones = np.zeros((), dtype=np.float32), np.ones((), dtype=np.float32)
    tensors = {
        key: np.broadcast_to(ones if key.endswith("running_var") else zero, shape)
        for key, shape in shapes(name).items()
    }
    resnet_model(ARCHITECTURES[name], tensors)  # takes them out
    left = {key for key in tensors if not key.endswith("num_batches_tracked")}
    assert left == {"fc.weight", "fc.bias"}
