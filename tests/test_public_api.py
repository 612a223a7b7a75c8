"""What the package promises by name, and how light it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

import image_similarity_search as package

_HEAVY = (
    "numpy",
    "faiss",
    "onnx",
    "onnxruntime",
    "huggingface_hub",
    "safetensors",
    "torch",
    "PIL",
    "pillow_heif",
    "click",
    "tqdm",
    "sqlite3",
)


def test_the_public_names() -> None:
    assert package.__all__ == [
        "Collection",
        "CollectionInfo",
        "Duplicate",
        "DuplicateGroup",
        "DuplicateReport",
        "Encoder",
        "EncoderSpec",
        "Estimate",
        "EvaluationComparison",
        "EvaluationReport",
        "Explanation",
        "Export",
        "Filter",
        "GroupQuality",
        "Hit",
        "ImageRecord",
        "ImageSearchError",
        "ImageSimilaritySearch",
        "ImportReport",
        "LegacyImportReport",
        "Metric",
        "Preprocessing",
        "Progress",
        "QueryQuality",
        "RecallReport",
        "RepairReport",
        "SearchOptions",
        "SyncInterrupted",
        "SyncReport",
        "Text",
        "ThumbnailReport",
        "TorchEncoder",
        "Tuning",
        "VerifyReport",
        "WatchEvent",
        "__version__",
        "compare_evaluations",
        "create_encoder",
        "export_collection",
        "import_collection",
        "import_embeddings",
        "import_legacy",
        "read_export",
    ]
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = package.nonsense


def _loaded(code: str) -> set[str]:
    """Which heavy packages a new process has loaded after ``code``."""
    check = f"import sys; {code}; print(*(m for m in {_HEAVY!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import image_similarity_search", set()),
        ("from image_similarity_search import ImageSearchError", set()),
        (
            "from image_similarity_search import Collection, ImageSimilaritySearch",
            {"numpy", "sqlite3", "PIL"},
        ),
        ("import image_similarity_search.cli.app", {"click"}),
    ],
)
def test_importing_is_light(code: str, allowed: set[str]) -> None:
    assert _loaded(code) <= allowed
