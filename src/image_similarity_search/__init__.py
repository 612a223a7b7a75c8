"""Image Similarity Search: show a picture, get the ones of a folder that look alike.

``Collection`` is the way in. ``ImageSimilaritySearch`` is a small class over it, for those who
know the recipe by that name.

Importing this package loads nothing else; each name below loads what it needs when it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from image_similarity_search._version import __version__

if TYPE_CHECKING:
    from image_similarity_search.collection import Collection
    from image_similarity_search.collection.evaluation.comparing import compare_evaluations
    from image_similarity_search.collection.examples import Example
    from image_similarity_search.collection.explaining.explanation import Explanation
    from image_similarity_search.collection.interchange.embeddings import import_embeddings
    from image_similarity_search.collection.interchange.exporting import export_collection
    from image_similarity_search.collection.interchange.importing import (
        Export,
        import_collection,
        read_export,
    )
    from image_similarity_search.collection.interchange.legacy import import_legacy
    from image_similarity_search.collection.lookup import ImageName
    from image_similarity_search.collection.queries import Picture, Query
    from image_similarity_search.duplicates import (
        ActionReport,
        Deed,
        Duplicate,
        DuplicateAction,
        DuplicateGroup,
        DuplicateLevel,
        DuplicateReport,
        Holdings,
    )
    from image_similarity_search.encoders.base import Encoder
    from image_similarity_search.encoders.preprocessing import Preprocessing
    from image_similarity_search.encoders.registry import create as create_encoder
    from image_similarity_search.encoders.spec import EncoderSpec
    from image_similarity_search.encoders.torch_module import TorchEncoder
    from image_similarity_search.errors import (
        ClusterUnavailableError,
        CollectionClosedError,
        CollectionCorruptError,
        CollectionError,
        CollectionExistsError,
        CollectionLockedError,
        CollectionMismatchError,
        CollectionNewerError,
        CollectionNotFoundError,
        CollectionUnavailableError,
        CollectionUnwritableError,
        ConfigError,
        EncoderError,
        EncoderNotHereError,
        EncoderOutputError,
        EncoderUnavailableError,
        ExportError,
        FolderNotFoundError,
        ImageError,
        ImageNotFoundError,
        ImageSearchError,
        ImageTooLargeError,
        ImageTooSlowError,
        ImageUnreadableError,
        ImportSourceError,
        LegacyIndexError,
        ServiceError,
        SourceUnavailableError,
        StoreDimensionError,
        StoreError,
        StoreMismatchError,
        StoreTrainingError,
        StoreUnavailableError,
        UnknownEncoderError,
        WorkerUnavailableError,
    )
    from image_similarity_search.evaluation import (
        Estimate,
        EvaluationComparison,
        EvaluationReport,
        FigureComparison,
        GroupQuality,
        QueryQuality,
        Truth,
    )
    from image_similarity_search.filters import Filter
    from image_similarity_search.legacy import ImageSimilaritySearch, SimilarImage
    from image_similarity_search.reports import (
        CollectionInfo,
        ImportReport,
        LegacyImportReport,
        RecallReport,
        RepairReport,
        SyncInterrupted,
        SyncReport,
        ThumbnailReport,
        Tuning,
        VerifyReport,
        WatchEvent,
    )
    from image_similarity_search.search_options import SearchOptions
    from image_similarity_search.types import (
        Hit,
        ImageRecord,
        Metric,
        Progress,
        ProgressCallback,
        Region,
        Text,
        Threshold,
        Traits,
    )
    from image_similarity_search.understanding import (
        Cluster,
        ClusterReport,
        Layout,
        Outlier,
        OutlierReport,
    )

__all__ = [
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

_HOMES = {
    "ActionReport": "duplicates",
    "Cluster": "understanding",
    "ClusterReport": "understanding",
    "ClusterUnavailableError": "errors",
    "Collection": "collection",
    "CollectionClosedError": "errors",
    "CollectionCorruptError": "errors",
    "CollectionError": "errors",
    "CollectionExistsError": "errors",
    "CollectionInfo": "reports",
    "CollectionLockedError": "errors",
    "CollectionMismatchError": "errors",
    "CollectionNewerError": "errors",
    "CollectionNotFoundError": "errors",
    "CollectionUnavailableError": "errors",
    "CollectionUnwritableError": "errors",
    "ConfigError": "errors",
    "Deed": "duplicates",
    "Duplicate": "duplicates",
    "DuplicateAction": "duplicates",
    "DuplicateGroup": "duplicates",
    "DuplicateLevel": "duplicates",
    "DuplicateReport": "duplicates",
    "Encoder": "encoders.base",
    "EncoderError": "errors",
    "EncoderNotHereError": "errors",
    "EncoderOutputError": "errors",
    "EncoderSpec": "encoders.spec",
    "EncoderUnavailableError": "errors",
    "Estimate": "evaluation",
    "EvaluationComparison": "evaluation",
    "EvaluationReport": "evaluation",
    "Example": "collection.examples",
    "Explanation": "collection.explaining.explanation",
    "Export": "collection.interchange.importing",
    "ExportError": "errors",
    "FigureComparison": "evaluation",
    "Filter": "filters",
    "FolderNotFoundError": "errors",
    "GroupQuality": "evaluation",
    "Hit": "types",
    "Holdings": "duplicates",
    "ImageError": "errors",
    "ImageName": "collection.lookup",
    "ImageNotFoundError": "errors",
    "ImageRecord": "types",
    "ImageSearchError": "errors",
    "ImageSimilaritySearch": "legacy",
    "ImageTooLargeError": "errors",
    "ImageTooSlowError": "errors",
    "ImageUnreadableError": "errors",
    "ImportReport": "reports",
    "ImportSourceError": "errors",
    "Layout": "understanding",
    "LegacyImportReport": "reports",
    "LegacyIndexError": "errors",
    "Metric": "types",
    "Outlier": "understanding",
    "OutlierReport": "understanding",
    "Picture": "collection.queries",
    "Preprocessing": "encoders.preprocessing",
    "Progress": "types",
    "ProgressCallback": "types",
    "Query": "collection.queries",
    "QueryQuality": "evaluation",
    "RecallReport": "reports",
    "Region": "types",
    "RepairReport": "reports",
    "SearchOptions": "search_options",
    "ServiceError": "errors",
    "SimilarImage": "legacy",
    "SourceUnavailableError": "errors",
    "StoreDimensionError": "errors",
    "StoreError": "errors",
    "StoreMismatchError": "errors",
    "StoreTrainingError": "errors",
    "StoreUnavailableError": "errors",
    "SyncInterrupted": "reports",
    "SyncReport": "reports",
    "Text": "types",
    "Threshold": "types",
    "ThumbnailReport": "reports",
    "TorchEncoder": "encoders.torch_module",
    "Traits": "types",
    "Truth": "evaluation",
    "Tuning": "reports",
    "UnknownEncoderError": "errors",
    "VerifyReport": "reports",
    "WatchEvent": "reports",
    "WorkerUnavailableError": "errors",
    "compare_evaluations": "collection.evaluation.comparing",
    "create_encoder": "encoders.registry:create",
    "export_collection": "collection.interchange.exporting",
    "import_collection": "collection.interchange.importing",
    "import_embeddings": "collection.interchange.embeddings",
    "import_legacy": "collection.interchange.legacy",
    "read_export": "collection.interchange.importing",
}


if not TYPE_CHECKING:  # or else a name that is misspelt would pass every type checker

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, other_name = _HOMES[name].partition(":")
        value = getattr(import_module(f"{__name__}.{module}"), other_name or name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
