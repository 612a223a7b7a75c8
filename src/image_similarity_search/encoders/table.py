"""The encoders that have a name, as data."""

from __future__ import annotations

from dataclasses import dataclass

from image_similarity_search.encoders.hub import HubFile
from image_similarity_search.encoders.onnx import Pooling
from image_similarity_search.encoders.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preprocessing,
)
from image_similarity_search.encoders.text import TextTower

DEFAULT_ENCODER = "efficientnet-lite0-whole"


@dataclass(frozen=True, slots=True)
class EncoderRow:
    """One line of the table.

    Attributes:
        name: what ``registry.create`` and ``--model`` take.
        dim: length of an embedding.
        preprocessing: what it wants to see of a picture, unless told otherwise.
        licence: of the weights.
        summary: what it is, in a line.
        weights: where the weights are: a file of the hub, the name of one inside this package,
            or None where there are none.
        architecture: a network of ``resnet.ARCHITECTURES`` that the weights belong to; None where
            they are an ONNX model.
        pooling: what makes one vector of an ONNX model's output.
        output: which of the model's outputs has the embeddings; None for the first.
        head: the name of a file inside this package with what follows; see ``head``.
        fingerprint: the part of it that stands for the weights, where it is not made of the file.
        elsewhere: where else the weights can be had, for those who fetch them by hand.
        former: how pictures were seen by default before; scores mean the same.
        scores: by cosine, from which score on two images are the same picture, the same object, of
            the same kind; None where that was not measured (``benchmarks/thresholds.py``).
        text: the files of its text tower, where it has one.
    """

    name: str
    dim: int
    preprocessing: Preprocessing
    licence: str
    summary: str
    weights: HubFile | str | None = None
    architecture: str | None = None
    pooling: Pooling = "none"
    output: str | None = None
    head: str | None = None
    fingerprint: str | None = None
    elsewhere: str | None = None
    former: tuple[Preprocessing, ...] = ()
    scores: tuple[float, float, float] | None = None
    text: TextTower | None = None


_LITE0 = "efficientnet-lite0-int8.onnx"
_IMAGENET = Preprocessing(256, 224, "bilinear", IMAGENET_MEAN, IMAGENET_STD)

# Revisions and checksums are those that public projects pin, each met in two or more of them.
_ROWS = (
    EncoderRow(
        name=DEFAULT_ENCODER,
        dim=1280,
        preprocessing=Preprocessing(224, 224, "hamming-bicubic", fit="stretch"),
        licence="Apache-2.0",
        summary="default: sees the whole picture; objects, scenes, altered copies",
        weights=_LITE0,
        former=(Preprocessing(224, 224, "bicubic", fit="stretch"),),
        # of the file as it was before its first convolution was made quicker; on a processor what
        # comes out is the same, to the bit
        fingerprint="efficientnet-lite0-whole;sha256=8ebfd5787ada7cc7;head=bd600599307dbf2c",
        output="rms",
        head="efficientnet-lite0-head.npy",
        scores=(0.93, 0.68, 0.61),
    ),
    EncoderRow(
        name="efficientnet-lite0",
        dim=1280,
        preprocessing=Preprocessing(),
        licence="Apache-2.0",
        summary="EfficientNet-Lite0 trained on ImageNet, 8-bit: sees the centre of a picture",
        weights=_LITE0,
        # of the file as it was before it had a second output; the first is the same, to the bit
        fingerprint="efficientnet-lite0;sha256=ba6d35254fe32a67",
        scores=(0.96, 0.73, 0.67),
    ),
    EncoderRow(
        name="colour-texture",
        dim=1152,
        preprocessing=Preprocessing(64, 64, "box"),
        licence="Apache-2.0",
        summary="no network: layout of colours and edges",
    ),
    EncoderRow(
        name="resnet50",
        dim=2048,
        preprocessing=_IMAGENET,
        licence="BSD-3-Clause",
        summary="ResNet-50 trained on ImageNet, torchvision V1 weights: the usual tutorial",
        weights=HubFile(
            "timm/resnet50.tv_in1k",
            "model.safetensors",
            102_469_840,
            "78f3ecfdb38e06d9b8397f662e7ab8fee96026fa",
            "5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888",
        ),
        architecture="resnet50",
        elsewhere="https://download.pytorch.org/models/resnet50-0676ba61.pth",
    ),
    EncoderRow(
        name="resnet18",
        dim=512,
        preprocessing=_IMAGENET,
        licence="BSD-3-Clause",
        summary="ResNet-18 trained on ImageNet: like resnet50, more than twice as fast",
        weights=HubFile(
            "timm/resnet18.tv_in1k",
            "model.safetensors",
            46_807_446,
            "bbd144b3e5565108aad885f145491d11bc6ce807",
            "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81",
        ),
        architecture="resnet18",
        elsewhere="https://download.pytorch.org/models/resnet18-f37072fd.pth",
    ),
    EncoderRow(
        name="resnet101",
        dim=2048,
        preprocessing=_IMAGENET,
        licence="BSD-3-Clause",
        summary="ResNet-101 trained on ImageNet: like resnet50, deeper and slower",
        weights=HubFile("timm/resnet101.tv_in1k", "model.safetensors", 178_700_000),  # about
        architecture="resnet101",
        elsewhere="https://download.pytorch.org/models/resnet101-63fe2227.pth",
    ),
    EncoderRow(
        name="clip-vit-b32",
        dim=512,
        preprocessing=Preprocessing(
            224,
            224,
            "bicubic",
            (0.48145466, 0.4578275, 0.40821073),
            (0.26862954, 0.26130258, 0.27577711),
        ),
        licence="MIT",
        summary="CLIP ViT-B/32: meaning rather than appearance; supports text search",
        weights=HubFile(
            "Qdrant/clip-ViT-B-32-vision",
            "model.onnx",
            351_686_194,
            "a636590e595dbbd798647c9dd4550d5652fba969",
            "c68d3d9a200ddd2a8c8a5510b576d4c94d1ae383bf8b36dd8c084f94e1fb4d63",
        ),
        text=TextTower(
            HubFile(
                "Qdrant/clip-ViT-B-32-text",
                "model.onnx",
                254_102_519,
                "48ca1db27cb4063eb311ec2aa7f087a808112876",
                "4dbe762b11e36488304471e439cde89da053ad7acaddbf9e096745d142ec8d8b",
            ),
            HubFile(
                "Qdrant/clip-ViT-B-32-text",
                "tokenizer.json",
                0,  # some 2 MB
                "48ca1db27cb4063eb311ec2aa7f087a808112876",
                "b68d571997a1f81bf521fb73806740ddb91e4ed6666cb6e996c066bb289cf55b",
            ),
        ),
    ),
    EncoderRow(
        name="dinov2-small",
        dim=384,
        preprocessing=Preprocessing(256, 224, "bicubic", IMAGENET_MEAN, IMAGENET_STD),
        licence="Apache-2.0",
        summary="DINOv2 ViT-S/14: trained without labels; the same object or place",
        weights=HubFile(
            "Xenova/dinov2-small",
            "onnx/model.onnx",
            88_459_888,
            "c2bb04a51fab207c420665f1946016107bffc701",
            "83141175ec78b4ff9a2bb58a4c7c264ba0054d1c2e122e5a8114b79a8d4179ea",
        ),
        pooling="cls",
    ),
)
ENCODERS: dict[str, EncoderRow] = {row.name: row for row in _ROWS}
