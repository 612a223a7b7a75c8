"""Make the pictures of ``docs/understand.md`` anew, of the free photographs of the demo.

pip install -e . && pip install --no-deps scikit-image==0.26.0 scikit-learn==1.9.1
python tools/understanding.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image

from image_similarity_search.cli.demo.photographs import photographs
from image_similarity_search.cli.demo.picture_set import write_missing
from image_similarity_search.collection import Collection

IMAGES = Path(__file__).parent.parent / "docs" / "images"


def main() -> None:
    """Make all of them."""
    made = photographs()
    if made is None:
        raise SystemExit("the photographs are not installed: see above")
    with tempfile.TemporaryDirectory() as folder:
        paths = write_missing(f"{folder}/pictures", made.pictures)
        with Collection.open(f"{folder}/index", create=True) as collection:
            collection.sync(f"{folder}/pictures")
            explain(collection, paths)


def explain(collection: Collection, paths: list[str]) -> None:
    """A cat, and its mirror image."""
    cat, mirrored = (
        next(path for path in paths if name in path) for name in ("Chelsea", "mirror (1)")
    )
    save(collection.explain(cat, mirrored).draw(), "explain")


def save(picture: Image.Image, name: str) -> None:
    """As WebP."""
    path = IMAGES / f"{name}.webp"
    picture.save(path, "WEBP", quality=82, method=6)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
