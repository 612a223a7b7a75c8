"""Searching by words: the text tower of a model, its tokenizer, and what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_models as models
import pytest
from hub_server import serving
from PIL import Image
from text_towers import DESCRIPTION, text_model, tokenizer, write_pair

from image_similarity_search import Collection, EncoderSpec, SearchOptions, Text
from image_similarity_search.collection.examples import Example
from image_similarity_search.encoders import registry
from image_similarity_search.encoders.table import ENCODERS
from image_similarity_search.encoders.text import TextEncoder
from image_similarity_search.errors import (
    ConfigError,
    EncoderOutputError,
    EncoderUnavailableError,
)
from image_similarity_search.types import Region

COLOURS = {
    "red": (250, 20, 20),
    "green": (20, 240, 30),
    "blue": (10, 20, 240),
    "grey": (99, 99, 99),
}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (64, 64), colour).save(tmp_path / "pictures" / f"{name}.png")
    return tmp_path / "pictures"


@pytest.fixture
def filled(tmp_path: Path, pictures: Path) -> Collection:
    path = write_pair(tmp_path / "models")
    made = Collection.open(tmp_path / "index", encoder=str(path), create=True)
    made.sync(pictures)
    return made


def test_words_find_what_they_say(filled: Collection, pictures: Path) -> None:
    with filled:
        assert filled.understands_text
        assert filled.info().text
        for word in ("red", "green", "blue"):
            best = filled.search(Text(f"A {word.upper()} thing"), k=4)
            assert Path(best[0].path).stem == word
            assert best[0].score < 1
        both = filled.search_many([Text("blue"), pictures / "red.png"], k=1)
        assert [Path(hits[0].path).stem for hits in both] == ["blue", "red"]
        rows = filled.embed_texts(["red", "red green"])
        assert rows.tolist() == [[1, 0, 0], [1, 1, 0]]


def test_words_and_pictures_are_combined(filled: Collection, pictures: Path) -> None:
    with filled:
        examples = [Example(pictures / "grey.png"), Example(Text("green"), 0.5)]
        options = SearchOptions(mirrored=True, turned=True)
        for how in (SearchOptions(), options):
            found = filled.search_by_examples(examples, k=2, options=how)
            assert {Path(hit.path).stem for hit in found} == {"grey", "green"}
        less = [Example(pictures / "grey.png"), Example(Text("green"), -0.5)]
        assert Path(filled.search_by_examples(less, k=4)[-1].path).stem == "green"
        with pytest.raises(ConfigError, match="region"):
            filled.search_by_examples([Example(Text("red"), region=Region(0, 0, 1, 1))])
        for empty in ("", "  "):
            with pytest.raises(ConfigError, match="text"):
                filled.search(Text(empty))


def _tower(tmp_path: Path, model: object, *, dim: int = 3, tokens: int = 77) -> TextEncoder:
    (tmp_path / "text.onnx").write_bytes(model.SerializeToString())  # type: ignore[attr-defined]  # a model
    (tmp_path / "words.json").write_text(tokenizer())
    return TextEncoder(
        "tiny", str(tmp_path / "text.onnx"), str(tmp_path / "words.json"), dim, tokens
    )


def test_towers_of_other_shapes(tmp_path: Path) -> None:
    expected = [[1.0, 0.0, 1.0]]
    for model in (text_model(), text_model(tokens=12), text_model(masked=False)):
        assert _tower(tmp_path, model).encode(["red blue"]).tolist() == expected
    short = _tower(tmp_path, text_model(tokens=4), tokens=4)
    assert short.encode(["red blue green"]).tolist() == expected  # the end is cut off
    assert _tower(tmp_path, text_model()).encode(["caf\udce9 red"]).tolist() == [[1, 0, 0]]
    assert short.encode([]).shape == (0, 3)


def test_what_does_not_fit_is_said(tmp_path: Path) -> None:
    with pytest.raises(EncoderOutputError, match="expected \\(1, 3\\)"):
        _tower(tmp_path, text_model(dim=5)).encode(["red"])
    with pytest.raises(EncoderUnavailableError, match="text encoder takes pixels"):
        _tower(tmp_path, models.mean_colour())
    with pytest.raises(EncoderOutputError, match="error of its text encoder"):
        _tower(tmp_path, text_model(tokens=4)).encode(["red blue green"])
    (tmp_path / "words.json").write_text("{}")
    with pytest.raises(EncoderUnavailableError, match="not a readable tokenizer"):
        TextEncoder("tiny", str(tmp_path / "text.onnx"), str(tmp_path / "words.json"), 3, 9)


def test_without_a_text_tower_a_clear_word_is_said(tmp_path: Path, pictures: Path) -> None:
    with Collection.open(tmp_path / "i", encoder="colour-texture", create=True) as plain:
        plain.sync(pictures)
        assert not plain.understands_text
        with pytest.raises(EncoderUnavailableError, match=r"no text encoder.*clip-vit-b32"):
            plain.search(Text("red"))
    for named in ('text = "a.onnx"', 'tokenizer = "b"', 'text = 1\ntokenizer = "b"'):
        path = write_pair(tmp_path / "models")
        path.with_suffix(".toml").write_text(f"{DESCRIPTION}{named}\n")
        assert not registry.has_text(str(path))
        with pytest.raises(ConfigError):
            registry.create_text(str(path), 3)
    path = write_pair(tmp_path / "models", more="tokens = 1\n")
    with pytest.raises(ConfigError, match="tokens"):
        registry.create_text(EncoderSpec(str(path)), 3)
    path = write_pair(tmp_path / "models")
    (path.parent / "words.onnx").unlink()
    with pytest.raises(EncoderUnavailableError):
        registry.create_text(str(path), 3)


def test_without_the_library_a_clear_word_is_said(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "models")
    code = (
        "import sys; sys.modules['tokenizers'] = None\n"
        "from image_similarity_search.encoders import registry\n"
        f"registry.create_text({str(path)!r}, 3)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'image-similarity-search[text]'" in done.stderr


def test_models_with_a_text_tower_are_pinned() -> None:
    towers = [row.text for row in ENCODERS.values() if row.text]
    assert towers
    for tower in towers:
        for file in (tower.model, tower.tokenizer):
            assert not isinstance(file, str)
            assert file.sha256
            assert file.revision != "main"


_ISS = """
from image_similarity_search.cli import main
from image_similarity_search.encoders import table
from image_similarity_search.encoders.hub import HubFile
from image_similarity_search.encoders.preprocessing import Preprocessing
from image_similarity_search.encoders.text import TextTower
table.ENCODERS["tiny-clip"] = table.EncoderRow(
    "tiny-clip", 3, Preprocessing(40, 32), "MIT", "a tiny one", HubFile("me/tiny", "model.onnx", 0),
    text=TextTower(
        HubFile("me/tiny-text", "model.onnx", 0), HubFile("me/tiny-text", "tokenizer.json", 0)
    ),
)
main()
"""


def test_from_the_hub_and_then_without_a_network(tmp_path: Path, pictures: Path) -> None:
    with serving() as hub:
        hub.files["me/tiny/model.onnx"] = models.mean_colour().SerializeToString()
        hub.files["me/tiny-text/model.onnx"] = text_model().SerializeToString()
        hub.files["me/tiny-text/tokenizer.json"] = tokenizer().encode()

        def iss(*arguments: str | Path, **more: str) -> str:
            done = subprocess.run(
                [sys.executable, "-c", _ISS, *map(str, arguments)],
                cwd=tmp_path,
                env=hub.environment(tmp_path / "hf", **more),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        iss("index", pictures, "--model", "tiny-clip")
        assert not any("tiny-text" in path for _, _, path, _ in hub.asked)
        found = json.loads(iss("search", "--text", "a Blue thing", "--json"))
        assert (found["query"], Path(found["hits"][0]["path"]).stem) == ("a Blue thing", "blue")
        asked = len(hub.asked)
        red = pictures / "red.png"
        rest = iss("search", red, "--text", "green", "--paths", "-k", "3", HF_HUB_OFFLINE="1")
        assert {Path(path).stem for path in rest.splitlines()} == {"red", "green", "grey"}
        assert len(hub.asked) == asked
        assert json.loads(iss("info", "--json"))["text"]


def test_the_sum_is_of_what_the_words_are(tmp_path: Path) -> None:
    tower = _tower(tmp_path, text_model())
    many = tower.encode(["red", "green", "red green blue a"])
    assert np.allclose(many[2], [1, 1, 1])
