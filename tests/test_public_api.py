"""What the package promises by name, and how light it is."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

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
        "ActionReport",
        "Cluster",
        "ClusterReport",
        "ClusterUnavailableError",
        "Collection",
        "CollectionClosedError",
        "CollectionCorruptError",
        "CollectionError",
        "CollectionExistsError",
        "CollectionInfo",
        "CollectionLockedError",
        "CollectionMismatchError",
        "CollectionNewerError",
        "CollectionNotFoundError",
        "CollectionUnavailableError",
        "CollectionUnwritableError",
        "ConfigError",
        "Deed",
        "Duplicate",
        "DuplicateAction",
        "DuplicateGroup",
        "DuplicateLevel",
        "DuplicateReport",
        "Encoder",
        "EncoderError",
        "EncoderNotHereError",
        "EncoderOutputError",
        "EncoderSpec",
        "EncoderUnavailableError",
        "Estimate",
        "EvaluationComparison",
        "EvaluationReport",
        "Example",
        "Explanation",
        "Export",
        "ExportError",
        "FigureComparison",
        "Filter",
        "FolderNotFoundError",
        "GroupQuality",
        "Hit",
        "Holdings",
        "ImageError",
        "ImageName",
        "ImageNotFoundError",
        "ImageRecord",
        "ImageSearchError",
        "ImageSimilaritySearch",
        "ImageTooLargeError",
        "ImageTooSlowError",
        "ImageUnreadableError",
        "ImportReport",
        "ImportSourceError",
        "Layout",
        "LegacyImportReport",
        "LegacyIndexError",
        "Metric",
        "Outlier",
        "OutlierReport",
        "Picture",
        "Preprocessing",
        "Progress",
        "ProgressCallback",
        "Query",
        "QueryQuality",
        "RecallReport",
        "Region",
        "RepairReport",
        "SearchOptions",
        "ServiceError",
        "SimilarImage",
        "SourceUnavailableError",
        "StoreDimensionError",
        "StoreError",
        "StoreMismatchError",
        "StoreTrainingError",
        "StoreUnavailableError",
        "SyncInterrupted",
        "SyncReport",
        "Text",
        "Threshold",
        "ThumbnailReport",
        "TorchEncoder",
        "Traits",
        "Truth",
        "Tuning",
        "UnknownEncoderError",
        "VerifyReport",
        "WatchEvent",
        "WorkerUnavailableError",
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
        _ = package.nonsense  # type: ignore[attr-defined]  # as type checkers say themselves


_OF_THE_FACES = {"Question", "Uploads"}  # what the service asks a collection
_BY_THE_REPORT = {"Compared", "Problem", "Seen"}  # words too common to stand alone


def _annotations(public: object) -> Iterator[tuple[str, str]]:
    """Those of a public function, or of the methods and fields of a class, each with its module."""
    if inspect.isfunction(public):
        yield from ((public.__module__, said) for said in public.__annotations__.values())
    elif inspect.isclass(public):
        for home in public.__mro__:
            if home.__module__.startswith(package.__name__):
                yield from ((home.__module__, str(said)) for said in home.__annotations__.values())
                for name, one in vars(home).items():
                    if not name.startswith("_"):
                        function = one.fget if isinstance(one, property) else inspect.unwrap(one)
                        said = getattr(function, "__annotations__", {}).values()
                        yield from ((home.__module__, each) for each in said)


@cache
def _of_the_package(module: str) -> set[str]:
    """The names that a module defines as classes, or imports from the package."""
    nodes = list(ast.walk(ast.parse(inspect.getsource(sys.modules[module]))))
    defined = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if (node.module or "").startswith(package.__name__)]
    return defined.union(alias.name for node in ours for alias in node.names)


def test_what_public_methods_take_and_return_is_public() -> None:
    public = [getattr(package, name) for name in package.__all__]
    told = {
        word
        for one in public
        for module, said in _annotations(one)
        for word in re.findall(r"\w+", said)
        if word in _of_the_package(module)
    }
    classes = {
        name
        for home, module in list(sys.modules.items())
        if home.startswith(package.__name__)
        for name, one in vars(module).items()
        if inspect.isclass(one) and one.__module__ == home
    }
    assert told & classes - set(package.__all__) == _OF_THE_FACES | _BY_THE_REPORT


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
