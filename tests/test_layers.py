"""Imports point down only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import image_similarity_search

_PACKAGE = Path(image_similarity_search.__file__).parent
_NAME = "image_similarity_search"

# each layer may import those below it; parts of one layer never import each other
_LAYERS: list[set[str]] = [
    {"cli", "legacy", "client", "__main__", "__init__"},
    {"agents"},
    {"service"},
    {"collection"},
    {"testing"},
    {"catalog", "encoders", "stores", "images", "objects", "thumbnails"},
    {"vectors", "processors", "plain_pickle", "workers", "fetching"},
    {"duplicates", "evaluation", "galleries", "reports", "understanding"},
    {"filters", "search_options"},
    {"types"},
    {"addresses", "arguments", "markup", "replacing"},
    {"errors", "_version"},
]
_MODULES = sorted(_PACKAGE.rglob("*.py"))


def _part(module: Path) -> str:
    first = module.relative_to(_PACKAGE).parts[0]
    return first.removesuffix(".py")


def _layer(part: str) -> int:
    return next(number for number, parts in enumerate(_LAYERS) if part in parts)


def _imports(module: Path) -> Iterator[str]:
    """The parts of the project that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_NAME):
            inner = node.module.split(".")[1:]
            yield from [inner[0]] if inner else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith(_NAME + "."):
                    yield alias.name.split(".")[1]


@pytest.mark.parametrize("module", _MODULES, ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_imports_point_down(module: Path) -> None:
    part = _part(module)
    if part in ("__init__", "__main__"):
        return  # the doors: they only pass on names
    for imported in _imports(module):
        if imported != part:
            assert _layer(imported) > _layer(part), f"{part} imports {imported}"


def test_only_the_faces_read_the_environment() -> None:
    stores = _PACKAGE / "stores"
    saying_why = {stores / "engines" / "access.py", stores / "faiss_library.py"}
    for module in _MODULES:
        if _layer(_part(module)) > 0 and module not in saying_why:
            text = module.read_text(encoding="utf-8")
            assert not re.search(r"\b(environb?|getenvb?)\b", text), module
