"""Make the pictures of ``docs/web.md`` anew: the page, on the demo's drawings.

pip install -e ".[serve,browser]" && python tools/screenshots.py
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from image_similarity_search.cli.demo.drawings import drawings
from image_similarity_search.cli.demo.picture_set import write_missing
from image_similarity_search.collection import Collection

IMAGES = Path(__file__).parent.parent / "docs" / "images"
CHROMIUM = os.environ.get("ISS_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture: of which address, how large, in which colours, and what is pressed before."""

    name: str
    address: str
    size: tuple[int, int]
    scheme: str = "light"
    press: str = ""


SHOTS = [
    Shot("web-search", "/?like=12", (1200, 760)),
    Shot(
        "web-examples", "/?like=38&like=12~0.2,0.25,0.6,0.5&less=50&least=0.55", (1200, 560), "dark"
    ),
    Shot("web-compare", "/?like=12&view=13", (1200, 760), "dark", '[data-act="region"]'),
    Shot("web-why", "/?like=12&view=13", (1200, 760), "dark", '[data-act="why"]'),
    Shot("web-phone", "/?like=30", (390, 780)),
]


def main() -> None:
    """Make all of them."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        write_missing(f"{folder}/drawings", drawings().pictures)
        with Collection.open(f"{folder}/index", create=True) as collection:
            collection.sync(f"{folder}/drawings")
        free.close()
        command = ["serve", "--port", str(port), "--index-dir", f"drawings={folder}/index"]
        with subprocess.Popen(
            [sys.executable, "-m", "image_similarity_search", *command]
        ) as server:
            try:
                wait_for(f"http://127.0.0.1:{port}/readyz")
                with sync_playwright() as started:
                    flags = ["--no-sandbox", "--disable-gpu"]
                    browser = started.chromium.launch(executable_path=CHROMIUM, args=flags)
                    for shot in SHOTS:
                        make(browser, f"http://127.0.0.1:{port}", shot)
                    browser.close()
            finally:
                server.terminate()


def wait_for(url: str) -> None:
    """Until the server answers."""
    for _ in range(100):
        try:
            urllib.request.urlopen(url)
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not start")


def make(browser: Browser, url: str, shot: Shot) -> None:
    """Make one picture, as WebP."""
    phone = shot.size[0] < 500
    page = browser.new_page(
        viewport={"width": shot.size[0], "height": shot.size[1]},
        color_scheme=shot.scheme,
        is_mobile=phone,
        has_touch=phone,
        device_scale_factor=1.5 if phone else 1,
    )
    page.goto(url + shot.address, wait_until="networkidle")
    page.mouse.move(0, 0)
    if shot.press:
        page.click(shot.press)
        page.mouse.move(0, 0)
        page.wait_for_timeout(3000)  # what is pressed may ask the server
    page.wait_for_timeout(500)
    path = IMAGES / f"{shot.name}.webp"
    Image.open(io.BytesIO(page.screenshot())).save(path, "WEBP", quality=82, method=6)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    page.close()


if __name__ == "__main__":
    main()
