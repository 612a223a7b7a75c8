"""The photographs that are measured with when no others are named."""

from __future__ import annotations

from pathlib import Path

from image_similarity_search.cli.demo.pictures import make_demo_pictures


def demo_photographs(folder: Path) -> str:
    """The folder of the demo's pictures, made where it is missing.

    They are views of free photographs where the packages that hold these are installed, as
    ``make bench`` sees to, and drawings otherwise.
    """
    return make_demo_pictures(str(folder)).folder
