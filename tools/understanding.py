"""Make the pictures of ``docs/understand.md`` anew, of the free photographs of the demo.

pip install -e ".[browser,map]" && pip install --no-deps scikit-image==0.26.0 scikit-learn==1.9.1
python tools/understanding.py
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from pathlib import Path

from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import sync_playwright

from image_similarity_search.cli.app import app
from image_similarity_search.cli.demo.photographs import photographs
from image_similarity_search.cli.demo.picture_set import write_missing
from image_similarity_search.collection import Collection

IMAGES = Path(__file__).parent.parent / "docs" / "images"
CHROMIUM = os.environ.get("ISS_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


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
        iss = CliRunner()
        html = f"{folder}/clusters.html"
        iss.invoke(app, ["clusters", "--index-dir", f"{folder}/index", "--html", html])
        photograph(html, "clusters")
        html = f"{folder}/map.html"
        iss.invoke(app, ["map", "--index-dir", f"{folder}/index", "--html", html])
        photograph(html, "map")


def explain(collection: Collection, paths: list[str]) -> None:
    """A cat, and its mirror image."""
    cat, mirrored = (
        next(path for path in paths if name in path) for name in ("Chelsea", "mirror (1)")
    )
    save(collection.explain(cat, mirrored).draw(), "explain")


def photograph(html: str, name: str) -> None:
    """The start of a page, in Chromium."""
    with sync_playwright() as started:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = started.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1200, "height": 860})
        page.goto(Path(html).as_uri())
        page.wait_for_timeout(3000)  # the pictures of a map are decoded when it is there
        save(Image.open(io.BytesIO(page.screenshot())), name)
        browser.close()


def save(picture: Image.Image, name: str) -> None:
    """As WebP."""
    path = IMAGES / f"{name}.webp"
    picture.save(path, "WEBP", quality=82, method=6)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
