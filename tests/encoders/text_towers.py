"""A model pair that is shaped like CLIP: the mean colour, and the words for three of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_models as models
from onnx import ModelProto, helper
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordLevel

VOCABULARY = ["<begin>", "<end>", "<unknown>", "a", "red", "green", "blue"]
_TABLE = np.zeros((len(VOCABULARY), 3), dtype=np.float32)
_TABLE[4:] = np.eye(3)
DESCRIPTION = """
resize = 40
crop = 32
mean = [0, 0, 0]
std = [1, 1, 1]
"""


def text_model(tokens: str | int = "t", *, dim: int = 3, masked: bool = True) -> ModelProto:
    """From ``input_ids`` (and ``attention_mask``) to the sum of what each token is."""
    shape: models.Shape = ["n", tokens]
    inputs = [helper.make_tensor_value_info("input_ids", models.INT64, shape)]
    nodes = [models.node("Gather", ["table", "input_ids"], "rows")]
    if masked:
        inputs.append(helper.make_tensor_value_info("attention_mask", models.INT64, shape))
        nodes += [
            models.node("Cast", "attention_mask", "there", to=models.FLOAT),
            models.node("Unsqueeze", ["there", "last"], "column"),
            models.node("Mul", ["rows", "column"], "counted"),
        ]
    nodes.append(
        models.node(
            "ReduceSum", ["counted" if masked else "rows", "axis"], "text_embeds", keepdims=0
        )
    )
    nodes.append(models.node("Identity", "rows", "hidden"))
    table = _TABLE[:, :1].repeat(dim, axis=1) if dim != 3 else _TABLE
    graph = helper.make_graph(
        nodes,
        "text",
        inputs,
        [
            helper.make_tensor_value_info("hidden", models.FLOAT, ["n", tokens, dim]),
            helper.make_tensor_value_info("text_embeds", models.FLOAT, ["n", dim]),
        ],
        [
            helper.make_tensor("table", models.FLOAT, table.shape, table.tobytes(), raw=True),
            helper.make_tensor("last", models.INT64, [1], [2]),
            helper.make_tensor("axis", models.INT64, [1], [1]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def tokenizer() -> str:
    """The JSON of a tokenizer of these words."""
    vocabulary = {word: number for number, word in enumerate(VOCABULARY)}
    made = Tokenizer(WordLevel(vocabulary, unk_token="<unknown>"))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="<begin> $A <end>", special_tokens=[("<begin>", 0), ("<end>", 1)]
    )
    made.enable_padding(length=77)  # as some are kept: to be switched off
    return str(made.to_str())


def write_pair(folder: Path, text: ModelProto | None = None, more: str = "") -> Path:
    """Both models with their description; gives the path of the one for pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "colours.onnx"
    path.write_bytes(models.mean_colour().SerializeToString())
    (folder / "words.onnx").write_bytes((text or text_model()).SerializeToString())
    (folder / "words.json").write_text(tokenizer(), encoding="utf-8")
    named = 'text = "words.onnx"\ntokenizer = "words.json"\n'
    (folder / "colours.toml").write_text(f"{DESCRIPTION}{named}{more}", encoding="utf-8")
    return path
