"""Weights come from any kind of file, and one that is not what it should be is refused in words."""

from __future__ import annotations

import gc
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from privileges import as_anybody
from resnets import Weights, random_weights, shapes
from safetensors.numpy import save_file
from torch_writer import saved

from image_similarity_search import Encoder, EncoderSpec, create_encoder
from image_similarity_search.encoders.resnet import ARCHITECTURES, resnet_model
from image_similarity_search.encoders.weights import read_weights
from image_similarity_search.errors import EncoderUnavailableError

_PIXELS = np.random.default_rng(1).integers(0, 256, (2, 224, 224, 3), dtype=np.uint8)
_KINDS = ("safetensors", "pth", "onnx")


@pytest.fixture(scope="module")
def weights() -> Weights:
    return random_weights("resnet18")


@pytest.fixture(scope="module")
def encoder(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """Made from a safetensors file, the kind that the hub has."""
    path = str(tmp_path_factory.mktemp("weights") / "model.safetensors")
    save_file(weights, path)
    return made_from(Path(path))


def made_from(path: Path) -> Encoder:
    return create_encoder(EncoderSpec("resnet18", weights=str(path)), "cpu")


@pytest.mark.parametrize("kind", ["zip", "stream", "checkpoint", "double", "without", "transposed"])
def test_equal_weights_make_equal_encoders_from_any_file(
    tmp_path: Path, weights: Weights, encoder: Encoder, kind: str
) -> None:
    path = tmp_path / "resnet.pth"
    if kind in ("double", "without"):
        path = tmp_path / "resnet.safetensors"
    if kind == "double":
        save_file({key: values.astype(np.float64) for key, values in weights.items()}, path)
    elif kind == "without":  # as timm keeps a network without its classifier
        save_file({key: weights[key] for key in weights if not key.startswith("fc.")}, path)
    elif kind == "transposed":
        whole = np.ascontiguousarray(weights["conv1.weight"].T)
        path.write_bytes(saved({**weights, "conv1.weight": whole.T}))
    else:
        around = "state_dict" if kind == "checkpoint" else ""
        path.write_bytes(saved(weights, "stream" if kind == "stream" else "zip", around))
    other = made_from(path)
    assert other.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(other.encode(_PIXELS), encoder.encode(_PIXELS))


def test_rounded_weights_are_another_model(
    tmp_path: Path, weights: Weights, encoder: Encoder
) -> None:
    save_file(
        {key: values.astype(np.float16) for key, values in weights.items()},
        tmp_path / "half.safetensors",
    )
    other = made_from(tmp_path / "half.safetensors")
    assert other.fingerprint != encoder.fingerprint
    np.testing.assert_allclose(other.encode(_PIXELS), encoder.encode(_PIXELS), rtol=0.02, atol=0.02)


def test_an_onnx_file_serves_too(tmp_path: Path, weights: Weights, encoder: Encoder) -> None:
    model, _ = resnet_model(ARCHITECTURES["resnet18"], dict(weights))
    (tmp_path / "mine.onnx").write_bytes(model)
    other = made_from(tmp_path / "mine.onnx")
    np.testing.assert_array_equal(other.encode(_PIXELS), encoder.encode(_PIXELS))
    digest = hashlib.sha256(model).hexdigest()[:16]
    assert other.fingerprint.startswith(f"resnet18;sha256={digest};resize=256;crop=224;bilinear;")


def test_a_model_with_its_classifier_is_refused(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "classes"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 1000])],
        [helper.make_tensor("classes", TensorProto.FLOAT, [3, 1000], np.ones(3000))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (tmp_path / "whole.onnx").write_bytes(model.SerializeToString())
    message = r"whole\.onnx gives 1,000 values, expected 512.*without its classifier"
    with pytest.raises(EncoderUnavailableError, match=message):
        made_from(tmp_path / "whole.onnx")


def plain(name: str) -> Weights:
    """Weights of the right shapes that take no room."""
    one = np.ones((), dtype=np.float32)
    return {key: np.broadcast_to(one, shape) for key, shape in shapes(name).items()}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"conv1.weight": None}, "there is no tensor conv1.weight"),
        ({"layer4.1.bn2.running_var": None}, "there is no tensor layer4.1.bn2.running_var"),
        ({"layer2.0.downsample.0.weight": None}, "no tensor layer2.0.downsample.0.weight"),
        ({"conv1.weight": np.ones((64, 3, 3, 3))}, r"conv1.weight has the shape \(64, 3, 3, 3\)"),
        ({"layer3.0.conv1.weight": np.ones((256, 3, 3, 128))}, "layer3.0.conv1.weight has the"),
        ({"bn1.bias": np.ones((64, 1))}, r"bn1.bias has the shape \(64, 1\), expected \(64,\)"),
        ({"bn1.bias": np.full(64, np.nan)}, "bn1.bias has values that are not finite"),
        ({"bn1.weight": np.full(64, -np.inf)}, "bn1.weight has values that are not finite"),
        ({"bn1.weight": np.full(64, 1e300)}, "bn1.weight has values that are not finite"),
        ({"bn1.running_var": np.full(64, -1.0)}, "conv1.folded comes out .* not finite"),
        ({"bn1.running_mean": np.full(64, 3e38), "bn1.weight": np.full(64, 9.0)}, "bn1.bias comes"),
        ({"layer3.2.conv1.weight": np.ones(3)}, "a tensor layer3.2.conv1.weight, which this net"),
        ({"layer1.0.conv1.bias": np.ones(64)}, "a tensor layer1.0.conv1.bias, which this network"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused_by_name(
    changed: dict[str, np.ndarray | None], message: str
) -> None:
    tensors = {**plain("resnet18"), **changed}
    given = {key: values for key, values in tensors.items() if values is not None}
    with pytest.raises(ValueError, match=message):
        resnet_model(ARCHITECTURES["resnet18"], given)


@pytest.mark.parametrize("asked", ARCHITECTURES)
@pytest.mark.parametrize("given", ["resnet18", "resnet50", "resnet101"])
def test_weights_of_another_resnet_are_refused(asked: str, given: str) -> None:
    if asked == given:
        return
    with pytest.raises(ValueError, match=r"there is (no|a) tensor layer|has the shape"):
        resnet_model(ARCHITECTURES[asked], plain(given))


def test_the_error_says_the_file_and_what_else_there_is(tmp_path: Path) -> None:
    save_file(
        {"conv1.weight": np.ones((64, 3, 7, 7), dtype=np.float32)}, tmp_path / "a.safetensors"
    )
    with pytest.raises(EncoderUnavailableError) as caught:
        made_from(tmp_path / "a.safetensors")
    for part in ("'resnet18'", "a.safetensors", "no tensor bn1.weight", "--weights FILE", ".pth"):
        assert part in str(caught.value)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("problem", ["missing", "a folder", "empty", "garbage", "cut"])
def test_a_file_that_is_none_is_refused_with_its_path(
    tmp_path: Path, kind: str, problem: str, recwarn: pytest.WarningsRecorder
) -> None:
    gc.collect()
    recwarn.clear()  # what others left open is not of this
    path = tmp_path / f"weights.{kind}"
    if problem == "a folder":
        path.mkdir()
    elif problem == "cut":
        path.write_bytes(_whole(kind)[:-300])
    elif problem != "missing":
        path.write_bytes(b"" if problem == "empty" else b"garbage " * 1000)
    with pytest.raises(EncoderUnavailableError, match="resnet18") as caught:
        made_from(path)
    assert str(caught.value).count(str(path)) == 1
    assert "Errno" not in str(caught.value)
    assert caught.value.remedy
    assert not recwarn.list


def _whole(kind: str) -> bytes:
    tensors: Weights = {"conv1.weight": np.ones((64, 3, 7, 7), dtype=np.float32)}
    if kind == "pth":
        return saved(tensors)
    if kind == "safetensors":
        from safetensors.numpy import save

        return save(tensors)
    return resnet_model(ARCHITECTURES["resnet18"], plain("resnet18"))[0]


@pytest.mark.parametrize("kind", _KINDS)
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"weights.{kind}"
    path.write_bytes(_whole(kind))
    path.chmod(0o000)
    program = (
        "from image_similarity_search import EncoderSpec, create_encoder, errors\n"
        f"try: create_encoder(EncoderSpec('resnet18', weights={str(path)!r}))\n"
        "except errors.EncoderUnavailableError as error: print(error)"
    )
    command = [*as_anybody(), sys.executable, "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert str(path) in said
    assert "ermission denied" in said


def test_a_kind_that_is_not_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.h5").write_bytes(b"x")
    with pytest.raises(EncoderUnavailableError, match=r"weights\.h5\. Give an \.onnx"):
        made_from(tmp_path / "weights.h5")


def test_a_file_with_a_hash_in_its_name_is_held_to_it(tmp_path: Path) -> None:
    data = saved({"a": np.arange(3.0)})
    digest = hashlib.sha256(data).hexdigest()
    for length in (8, 64):
        good = tmp_path / f"resnet50-{digest[:length]}.pth"
        good.write_bytes(data)
        assert list(read_weights("resnet50", str(good))) == ["a"]
    bad = tmp_path / "resnet50-0676ba61.pth"
    bad.write_bytes(data)
    with pytest.raises(EncoderUnavailableError, match=f"begins with {digest[:8]}, unlike its name"):
        read_weights("resnet50", str(bad))
