"""Run schemathesis against a service: does it do what its OpenAPI document says, and nothing else?

    make test-schema

Makes a collection of a few drawn pictures, serves it with an API key, and sends what schemathesis
thinks of, valid and not. Ends with the status of schemathesis.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from image_similarity_search import Collection

KEY = "a-key-for-schemathesis"


def _collection(folder: Path) -> Path:
    photos, rng = folder / "photos", np.random.default_rng(0)
    photos.mkdir()
    for number in range(8):
        blocks = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((96, 72)).save(photos / f"{number}.png")
    index = folder / "index"
    with Collection.open(index, encoder="colour-texture", create=True) as collection:
        collection.sync(photos)
    return index


def main() -> int:
    """Serve, send, and say what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--schemathesis", default="schemathesis")
    parser.add_argument("--examples", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = _collection(Path(folder))
        command = [sys.executable, "-m", "image_similarity_search", "serve", "--port", "0"]
        server = subprocess.Popen(
            [*command, "--index-dir", f"index_data={index}"],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"ISS_API_KEY": KEY},
        )
        try:
            line = server.stderr.readline() if server.stderr else ""
            address = re.search(r"http://[\d.:]+", line)
            if not address:
                print(line)
                return 1
            return subprocess.run(
                [
                    arguments.schemathesis,
                    f"--config-file={Path(__file__).with_name('schemathesis.toml')}",
                    "run",
                    f"{address[0]}/openapi.json",
                    f"--header=Authorization:Bearer {KEY}",
                    "--checks=all",
                    f"--max-examples={arguments.examples}",
                    "--seed=1",
                    "--wait-for-schema=20",
                    "--continue-on-failure",
                    "--suppress-health-check=all",
                    "--request-timeout=20",
                ],
                check=False,
            ).returncode
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate()


if __name__ == "__main__":
    sys.exit(main())
