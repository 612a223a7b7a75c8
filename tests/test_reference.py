"""The reference pages of the documentation name what the code has, and nothing else."""

from __future__ import annotations

import inspect
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

import image_similarity_search as package
from image_similarity_search import Collection, Filter, SearchOptions, errors
from image_similarity_search.cli.filter_options import filtered
from image_similarity_search.images.formats import FORMATS
from image_similarity_search.service.requests import FilterIn

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
_OF_THE_PROJECT = {"browser", "bench", "dev"}  # extras for those who work on it


def _rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table whose first heading is ``heading``."""
    lines = iter((DOCS / page).read_text("utf-8").splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            break
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" |")])
    return rows


def _codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    pages = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert not {page for page in pages if f"]({page}" not in index}


def test_every_format_and_extension_is_listed_and_no_other() -> None:
    listed = {
        name: tuple(_codes(extensions)) for name, extensions, _ in _rows("formats.md", "Format")
    }
    assert listed == {one.name: one.extensions for one in FORMATS}


def test_every_extra_is_listed_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    listed = {name for cell, _ in _rows("install.md", "Extra") for name in _codes(cell)}
    assert listed == set(project["optional-dependencies"]) - _OF_THE_PROJECT


def test_every_condition_is_listed_with_its_three_names() -> None:
    rows = _rows("python.md", "`Filter(...)`")
    python = {name for row in rows for name in _codes(row[0])}
    options = {option for row in rows for option in _codes(row[1])}
    http = {name for row in rows for name in _codes(row[2])}
    of_a_command: list[Any] = getattr(filtered(lambda: None), "__click_params__")  # noqa: B009
    assert python == {one.name for one in fields(Filter)}
    assert options == {one.opts[0] for one in of_a_command}  # others are former names
    assert http == set(FilterIn.model_fields)
    assert all(isinstance(one, click.Option) for one in of_a_command)


def test_every_search_option_is_listed() -> None:
    listed = {name for row in _rows("python.md", "`SearchOptions(...)`") for name in _codes(row[0])}
    assert listed == {one.name for one in fields(SearchOptions)}


def test_every_public_name_is_in_the_page_about_python() -> None:
    text = (DOCS / "python.md").read_text("utf-8")
    missing = [name for name in package.__all__ if not re.search(rf"\b{name}\b", text)]
    assert not missing


def test_every_method_of_a_collection_is_in_the_page_about_python() -> None:
    text = (DOCS / "python.md").read_text("utf-8")
    members = [name for name, _ in inspect.getmembers(Collection) if not name.startswith("_")]
    missing = [name for name in members if not re.search(rf"(`|Collection)\.{name}\b", text)]
    assert not missing


def test_every_error_is_in_the_page_about_python() -> None:
    text = (DOCS / "python.md").read_text("utf-8")
    tree = [
        name
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.ImageSearchError)
    ]
    assert not [name for name in tree if not re.search(rf"\b{name}\b", text)]
