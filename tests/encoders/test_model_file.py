"""An ONNX file of the user's own, described by a TOML file beside it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx_models as models
import pytest
from command_line import Iss

from image_similarity_search import EncoderSpec, create_encoder
from image_similarity_search.errors import (
    ConfigError,
    EncoderUnavailableError,
    ImageSearchError,
)
from image_similarity_search.testing import check_encoder

_TOML = """
resize = 40
crop = 32
mean = [0.5, 0.25, 0.125]
std = [0.5, 0.25, 2]
"""


@pytest.fixture
def shoes(tmp_path: Path) -> Path:
    """A model with its description."""
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "shoes.onnx"
    path.write_bytes(models.two_outputs().SerializeToString())
    path.with_suffix(".toml").write_text(_TOML)
    return path


def described(path: Path, text: str | bytes) -> str:
    """The path, after its description was written."""
    data = text.encode() if isinstance(text, str) else text
    path.with_suffix(".toml").write_bytes(data)
    return str(path)


def test_the_description_says_what_it_sees(shoes: Path) -> None:
    encoder = create_encoder(str(shoes))
    assert (encoder.name, encoder.dim) == ("shoes", 3)
    check_encoder(encoder)
    seen = encoder.preprocessing
    assert (seen.resize, seen.crop, seen.interpolation) == (40, 32, "bicubic")
    assert (seen.mean, seen.std) == ((0.5, 0.25, 0.125), (0.5, 0.25, 2.0))
    white = encoder.encode(np.full((1, 32, 32, 3), 255, dtype=np.uint8))
    np.testing.assert_allclose(white, [[1, 3, 0.4375]], rtol=1e-5)


def test_every_key_has_its_effect(shoes: Path) -> None:
    text = f'{_TOML}\nname = "red shoes"\ninterpolation = "box"\noutput = "twice"\n'
    encoder = create_encoder(described(shoes, text))
    assert (encoder.name, encoder.dim) == ("red shoes", 6)
    assert encoder.preprocessing.interpolation == "box"
    shoes.write_bytes(models.tokens(32).SerializeToString())
    encoder = create_encoder(described(shoes, f'{_TOML}\npooling = "cls"\n'))
    pixels = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    pixels[0, 0, 0] = 255
    np.testing.assert_allclose(encoder.encode(pixels), [[1, 3, 0.4375]], rtol=1e-5)


def test_what_is_asked_for_counts_more_than_the_description(shoes: Path) -> None:
    encoder = create_encoder(EncoderSpec(str(shoes), None, 64, 48, "lanczos"))
    assert encoder.preprocessing.fingerprint.startswith("resize=64;crop=48;lanczos;0.5,0.25,0.125")


def test_every_part_of_it_is_part_of_the_fingerprint(shoes: Path) -> None:
    texts = [
        _TOML,
        f'{_TOML}\noutput = "twice"',
        f'{_TOML}\ninterpolation = "box"',
        _TOML.replace("0.125", "0.126"),
        _TOML.replace("2]", "3]"),
        _TOML.replace("40", "41"),
        _TOML.replace("32", "33"),
    ]
    prints = {create_encoder(described(shoes, text)).fingerprint for text in texts}
    shoes.write_bytes(models.mean_colour().SerializeToString())
    prints.add(create_encoder(described(shoes, _TOML)).fingerprint)
    assert len(prints) == len(texts) + 1


def test_what_it_is_called_is_no_part_of_the_fingerprint(shoes: Path) -> None:
    fingerprint = create_encoder(str(shoes)).fingerprint
    boots = shoes.with_name("boots.onnx")
    shoes.rename(boots)
    encoder = create_encoder(described(boots, f'{_TOML}\nname = "red boots"'))
    assert (encoder.name, encoder.fingerprint) == ("red boots", fingerprint)


@pytest.mark.parametrize("text", [None, "resize = = 3", "crop = 32", "size = 3", b"\xff\xfe"])
def test_the_error_shows_what_to_write_and_that_works(
    shoes: Path, text: str | bytes | None
) -> None:
    if text is None:
        shoes.with_suffix(".toml").unlink()
    else:
        described(shoes, text)
    with pytest.raises(ImageSearchError) as caught:
        create_encoder(str(shoes))
    assert str(shoes.with_suffix(".toml")) in str(caught.value)
    shown = re.findall(r'(\w+) = (\[.*?\]|".*?"|\d+)', str(caught.value))
    lines = {key: value for key, value in shown if value != "3"}
    assert set(lines) == {"resize", "crop", "interpolation", "mean", "std"}
    described(shoes, "".join(f"{key} = {value}\n" for key, value in lines.items()))
    assert create_encoder(str(shoes)).preprocessing.crop == 224


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("size = 3", r"size in .*shoes\.toml is 3; expected no such key"),
        ("resize = 40.5", "resize is 40.5; expected a whole number"),
        ("crop = '32'", "crop is '32'; expected a whole number"),
        ("crop = true", "crop is True; expected a whole number"),
        ("crop = 41", r"crop is 41; expected 1 to 40 pixels"),
        ("resize = 0", "resize is 0"),
        ("mean = 0.5", "mean is 0.5; expected three numbers"),
        ("mean = [0.5, 0.5]", r"mean is \[0.5, 0.5\]; expected three numbers"),
        ("mean = ['a', 'b', 'c']", "mean is .*expected three numbers"),
        ("mean = [nan, 0.5, 0.5]", "mean is .*expected three numbers"),
        ("std = [0, 1, 1]", "std is .*expected three numbers above 0"),
        (f"mean = [1{'0' * 400}, 0.5, 0.5]", "mean is .*expected three numbers"),
        ("std = [inf, 1, 1]", "std is .*expected three numbers above 0"),
        ("interpolation = 'best'", "interpolation is 'best'; expected one of nearest"),
        ("interpolation = 3", "interpolation is 3; expected one of nearest"),
        ("name = 3", r"name in .*shoes\.toml is 3; expected a text"),
        ("name = ''", "name in .* is ''; expected a text"),
        ("output = 'logits'", "output is 'logits'; expected an output of shoes: embedding, twice"),
        ("output = 3", "output is 3; expected an output of shoes"),
        ("pooling = 'max'", "pooling is 'max'; expected one of none, mean, cls"),
        ("pooling = ['mean']", "pooling is .*; expected one of none, mean, cls"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(shoes: Path, line: str, message: str) -> None:
    key = line.split()[0]
    kept = [other for other in _TOML.splitlines() if not other.startswith(f"{key} ")]
    with pytest.raises(ConfigError, match=message):
        create_encoder(described(shoes, "\n".join([*kept, line])))


@pytest.mark.parametrize("key", ["resize", "crop", "mean", "std"])
def test_each_value_that_is_needed_is_asked_for(shoes: Path, key: str) -> None:
    kept = [line for line in _TOML.splitlines() if not line.startswith(f"{key} ")]
    with pytest.raises(ConfigError, match=rf"{key} in .*shoes\.toml is None; expected a value"):
        create_encoder(described(shoes, "\n".join(kept)))


def test_a_file_that_is_no_model_is_refused(shoes: Path) -> None:
    shoes.write_bytes(b"no model")
    with pytest.raises(EncoderUnavailableError, match=r"'shoes'.*Is it a complete ONNX file"):
        create_encoder(str(shoes))
    shoes.unlink()
    with pytest.raises(EncoderUnavailableError, match=r"shoes\.onnx can't be read .*--model FILE"):
        create_encoder(str(shoes))
    shoes.mkdir()
    with pytest.raises(EncoderUnavailableError, match="can't be read"):
        create_encoder(str(shoes))


def iss(folder: Path, *arguments: str | Path, status: int = 0) -> str:
    """What ``iss`` prints and says, run in a folder."""
    done = Iss(folder)(*arguments, status=status)
    return done.out + done.err


def test_the_command_line_finds_it_moves_with_it_and_knows_it(
    shoes: Path, tmp_path: Path, photos: Path
) -> None:
    index, elsewhere = ("--index-dir", tmp_path / "index"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert "indexed 12" in iss(shoes.parent, "index", photos, "--model", shoes.name, *index)
    query = next(photos.rglob("*.png"))
    search = ("search", query, "-k", "1", *index)
    assert iss(elsewhere, *search) == f"1.0000  {query}\n"

    for suffix in (".onnx", ".toml"):
        shoes.with_suffix(suffix).rename(elsewhere / f"moved{suffix}")
    said = iss(tmp_path, *search, status=5)
    assert str(shoes) in said
    assert "Give its new location with --model FILE" in said
    assert iss(elsewhere, *search, "--model", "moved.onnx") == f"1.0000  {query}\n"

    changed = models.two_outputs()
    changed.doc_string = "trained for longer"
    shoes.write_bytes(changed.SerializeToString())
    described(shoes, _TOML)
    said = iss(tmp_path, *search, status=4)
    prints = re.findall(r"onnx;sha256=([0-9a-f]{16})", said)
    assert len(set(prints)) == 2
    assert "The model has changed since" in said
